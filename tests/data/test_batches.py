import numpy as np
import pytest
import torch

from plait.data.batches import Cache, TableSource, TensorSource
from plait.data.table import Table
from plait.errors import DataError


def test_distinct_values_are_prepared_once_and_indexed(source: TableSource) -> None:
    batch = source.batch(np.array([0, 1, 2, 3, 4]))
    photo, title = batch.inputs["photo"], batch.inputs["title"]
    assert photo.features["pixels"].shape == (3, 3, 8, 8)
    assert photo.index.tolist() == [[0, -1], [0, 1], [-1, -1], [2, -1], [0, -1]]
    assert len(title.features["ids"]) == 2 and title.index.tolist() == [[0], [0], [-1], [1], [-1]]
    assert batch.inputs["tabular"].index is None
    assert batch.targets["y"].tolist() == [0, 1, 2, 3, 4]
    processor = source.inputs["photo"].processor
    source.batch(np.array([0, 3]))
    assert processor.calls == 3  # the cache gave the rest


def test_a_cache_without_room_holds_nothing(source: TableSource) -> None:
    source.cache = Cache(100)
    for _ in range(2):
        source.batch(np.array([0]))
    assert source.inputs["photo"].processor.calls == 2 and source.cache.room == 100


def test_a_column_that_the_table_lacks_is_absent_in_every_row(source: TableSource) -> None:
    source.table = Table(source.table.data.drop_columns(["photo", "price"]), source.table.root, "t")
    batch = source.batch(np.array([0, 1]))
    assert batch.inputs["photo"].empty and batch.inputs["photo"].index.tolist() == [[-1], [-1]]
    assert batch.inputs["tabular"].features["numbers"].isnan().all()


def test_problems_name_row_and_column(source: TableSource) -> None:
    (source.table.root / "green.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"row 4, column 'photo': .*green.png: expected an image"):
        source.batch(np.array([0, 3]))
    assert [problem["row"] for problem in source.find_problems(np.arange(5))] == [4]


def test_tensor_source_indexes() -> None:
    x = torch.arange(12.0).view(6, 2)
    batch = TensorSource({"a": {"x": x}}, {"y": torch.arange(6)}).batch(np.array([4, 1]))
    assert batch.inputs["a"].features["x"].tolist() == [[8, 9], [2, 3]] and batch.targets["y"].tolist() == [4, 1]
