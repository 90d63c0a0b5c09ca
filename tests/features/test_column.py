"""Stored features equal the encoder's own outputs; nothing is decoded or encoded twice."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from plait.data.batches import InputSpec, TableSource
from plait.data.table import Table
from plait.encoders import ResidualCNN, TextTransformer
from plait.errors import DataError, RunError
from plait.features.column import ColumnEncoder
from plait.fusion import ConcatFusion
from plait.heads import PredictHead
from plait.model import MultimodalModel
from plait.processors import ImageProcessor, TextProcessor

TEXT = TextProcessor.train(["a red bird sat on a tree", "a blue fish"] * 3, vocab_size=300)


class Counting:
    """A processor that counts what it prepares."""

    def __init__(self, processor: Any) -> None:
        self.processor, self.calls = processor, 0

    def __call__(self, value: Any) -> Any:
        self.calls += 1
        return self.processor(value)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.processor, name)


def frozen(encoder: torch.nn.Module) -> torch.nn.Module:
    return encoder.requires_grad_(False).eval()


def encoders() -> dict[str, tuple[str, torch.nn.Module]]:
    torch.manual_seed(0)
    return {
        "photo": ("image", frozen(ResidualCNN(ImageProcessor(16), widths=[4, 8], dim=8))),
        "title": ("text", frozen(TextTransformer(TEXT, dim=8, layers=2, heads=2))),
    }


def test_stored_equals_encoded(table: Table, tmp_path: Path) -> None:
    parts = encoders()
    specs = {name: InputSpec((name,), encoder.processor, kind) for name, (kind, encoder) in parts.items()}
    dims = {name: encoder.out_dim for name, (_, encoder) in parts.items()}
    modules = {name: encoder for name, (_, encoder) in parts.items()}
    model = MultimodalModel(modules, ConcatFusion(dims, 8), PredictHead(8, {"y": 2})).eval()
    rows = np.arange(4)
    source = TableSource(table, specs)
    with torch.no_grad():
        direct = model(source.batch(rows)).pooled
        tokens = model.encode("title", source.batch(rows).inputs["title"], 4)
        for name, (kind, encoder) in parts.items():
            column = ColumnEncoder(name, kind, encoder, encoder.processor, root=tmp_path / "store")
            source.encoded[name] = column.encode(table, rows)
        stored = model(source.batch(rows)).pooled
        again = model.encode("title", source.batch(rows).inputs["title"], 4)
    torch.testing.assert_close(stored, direct, rtol=2e-3, atol=2e-3)  # kept in float16
    assert torch.equal(again.mask.sum(dim=1), tokens.mask.sum(dim=1)) and len(again.layers) == len(tokens.layers) == 2
    batch = source.batch(np.array([3, 2]))
    assert batch.inputs["photo"].features["stored_mask"].any(dim=1).tolist() == [True, False]


def test_nothing_is_prepared_or_encoded_twice(table: Table, tmp_path: Path) -> None:
    for name, (kind, encoder) in encoders().items():
        processor = Counting(encoder.processor)
        column = ColumnEncoder(name, kind, encoder, processor, root=tmp_path / "store", workers=2)
        column.encode(table, np.arange(4))
        distinct = {"photo": 3, "title": 2}[name]
        assert processor.calls == column.encoded == distinct
        column.encode(table, np.arange(4))
        later = ColumnEncoder(name, kind, encoder, processor, root=tmp_path / "store")
        later.encode(table, np.array([1, 2]))
        assert processor.calls == distinct and later.encoded == 0


def test_a_copy_of_a_file_is_the_same_content(table: Table, tmp_path: Path) -> None:
    _, encoder = encoders()["photo"]
    column = ColumnEncoder("photo", "image", encoder, encoder.processor, root=tmp_path / "store")
    column.encode(table, np.arange(4))
    (tmp_path / "copy.png").write_bytes((tmp_path / "0.png").read_bytes())
    other = Table.from_frame(pd.DataFrame({"photo": ["copy.png"]}), root=tmp_path)
    before = column.encoded
    column.encode(other, np.arange(1))
    assert column.encoded == before


def test_a_bad_file_is_named_when_its_row_is_asked_for(table: Table, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    frame = pd.DataFrame({"photo": ["0.png", "broken.png", "gone.png", "../../etc/passwd"]})
    broken = Table.from_frame(frame, root=tmp_path)
    _, encoder = encoders()["photo"]
    column = ColumnEncoder("photo", "image", encoder, encoder.processor, root=tmp_path / "store")
    encoded = column.encode(broken, np.arange(4))
    assert encoded.take(np.array([0])).features["stored_mask"].all()
    with pytest.raises(DataError, match="row 2, column 'photo': .*broken.png: expected an image"):
        encoded.take(np.array([0, 1]))
    named: list[str] = []
    mask = encoded.take(np.arange(4), lambda row, problem: named.append(problem)).features["stored_mask"]
    assert mask[:, 0].tolist() == [True, False, False, False]
    assert len(named) == 3 and "gone.png: there is no such file" in named[1] and "leaves the table's folder" in named[2]


def test_a_column_of_nothing_makes_no_store(tmp_path: Path) -> None:
    _, encoder = encoders()["title"]
    table = Table.from_frame(pd.DataFrame({"title": [None, None]}).astype(object))
    encoded = ColumnEncoder("title", "text", encoder, encoder.processor, root=tmp_path / "s").encode(
        table, np.arange(2)
    )
    assert not encoded.take(np.arange(2)).features["stored_mask"].any() and not (tmp_path / "s").exists()


def test_an_output_that_does_not_fit_is_refused(table: Table, tmp_path: Path) -> None:
    _, encoder = encoders()["title"]
    column = ColumnEncoder("title", "text", encoder, encoder.processor, root=tmp_path / "s")
    column.encode(table, np.arange(1))
    assert column.store is not None and column.store.dtype == np.float16
    with pytest.raises(RunError, match="1e\\+06 does not fit the store's float16"):
        column._save([(b"0" * 16, np.full((1, 16), 1e6, dtype=np.float32))])
