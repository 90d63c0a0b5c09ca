"""`.ts` files of the UCR and UEA archives."""

from pathlib import Path

import numpy as np
import pytest

from plait.data.readers import open_table
from plait.data.schema import infer_schema
from plait.errors import DataError
from plait.tasks import guess_task
from plait.tasks.asked import Asked

HEADER = "# a comment\n@problemName Test\n@timeStamps {}\n@univariate false\n@classLabel {}\n@data\n"


def written(path: Path, body: str, times: str = "false", labels: str = "true a b") -> Path:
    path.write_text(HEADER.format(times, labels) + body)
    return path


def test_channels_gaps_and_unequal_lengths(tmp_path: Path) -> None:
    table = open_table(written(tmp_path / "a.ts", "1,2,3:4,5,?:a\n6,7:8,9:b\n"))
    first, second = table.cells("series", [0, 1])
    np.testing.assert_array_equal(np.array(first, float), [[1, 4], [2, 5], [3, np.nan]])
    assert second == [[6, 8], [7, 9]] and table.cells("label", [0, 1]) == ["a", "b"]


def test_one_channel_is_a_list_of_numbers(tmp_path: Path) -> None:
    table = open_table(
        written(tmp_path / "a.ts", f"{','.join(map(str, range(9)))}:a\n{','.join(map(str, range(9, 19)))}:b\n")
    )
    assert table.cells("series", [0]) == [[float(n) for n in range(9)]]
    column = infer_schema(table, roles={"label": "the target"})["series"]
    assert column.modality == "series" and "9 to 10" in column.reason and not column.many


def test_numbers_to_predict_stay_numbers(tmp_path: Path) -> None:
    text = HEADER.replace("@classLabel {}", "@targetLabel true").format("false")
    (tmp_path / "a.ts").write_text(f"{text}1,2,3:4.5\n1,2,4:5\n")
    assert open_table(tmp_path / "a.ts").cells("label", [0, 1]) == [4.5, 5.0]


@pytest.mark.parametrize(
    ("body", "times", "message"),
    [
        ("1,2:a\n", "true", "with times of their own"),
        ("1,x:a\n", "false", "line 7: could not convert"),
        ("", "false", "holds no series"),
    ],
)
def test_files_that_can_not_be_read(tmp_path: Path, body: str, times: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_table(written(tmp_path / "a.ts", body, times))
    (tmp_path / "b.ts").write_text("@problemName x\n")
    with pytest.raises(DataError, match="expected a line @data"):
        open_table(tmp_path / "b.ts")
    (tmp_path / "c.ts").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="another kind"):
        open_table(tmp_path / "c.ts")


def test_classes_that_are_written_as_numbers_are_classes(tmp_path: Path) -> None:
    body = "".join(f"{n},2,3:{n % 10 + 1}\n" for n in range(40))
    table = open_table(written(tmp_path / "a.ts", body, labels="true 1 2 3 4 5 6 7 8 9 10"))
    assert guess_task(Asked(table, np.arange(40), "label").sample)[0] == "classification"
