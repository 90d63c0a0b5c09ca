"""Cells of events, as they come from JSON, Parquet and ActivityNet's files."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plait.data.readers import open_table
from plait.errors import DataError
from plait.tasks.event_cells import in_words, read_events

HITS = [{"start": 1.0, "end": 1.5, "label": "hit"}, {"start": 2.0, "end": 2.0, "label": "beep"}]
READ = [(1.0, 1.5, "hit"), (2.0, 2.0, "beep")]


@pytest.mark.parametrize(
    "cell",
    [
        HITS,
        '[{"start": 1.0, "end": 1.5, "label": "hit"}, {"start": "2", "label": "beep"}]',
        [{"segment": [1.0, 1.5], "label": "hit"}, {"segment": [2, 2], "label": "beep"}],
        np.array([(1.0, 1.5, "hit"), (2.0, 2.0, "beep")], dtype=[("start", "f8"), ("end", "f8"), ("label", "O")]),
    ],
)
def test_all_ways_to_write_them_mean_the_same(cell: object) -> None:
    assert read_events(cell, 1) == READ


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "csv"])
def test_files_give_the_same_events(suffix: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"clip": ["a", "b", "c"], "events": [HITS, [], None]})
    path = tmp_path / f"t.{suffix}"
    if suffix == "parquet":
        frame.to_parquet(path)
    elif suffix == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.assign(events=[None if c is None else json.dumps(c) for c in frame["events"]]).to_csv(path, index=False)
    cells = list(open_table(path).iterate("events"))
    assert [read_events(cell, 1) for cell in cells] == [READ, [], None]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("hello", "expected a list of events"),
        ("[not json", "expected a list of events"),
        ("[" * 100_000, "expected a list of events"),
        ([1.0, 2.0], "expected an event {start, end, label}, got '1.0'"),
        ([{"label": "hit"}], "with its start and end in seconds"),
        ([{"start": 3, "end": 2}], "with its start and end in seconds"),
        ([{"start": -1, "end": 2}], "with its start and end in seconds"),
        ([{"start": "soon"}], "soon"),
        ([{"segment": [1, 2, 3]}], "with its start and end in seconds"),
    ],
)
def test_what_is_no_event_is_said_with_its_row(cell: object, words: str) -> None:
    with pytest.raises(DataError, match="row 7: ") as error:
        read_events(cell, 7)
    assert words in str(error.value)
    assert read_events(cell, 7, lenient=True) is None


def test_words() -> None:
    assert in_words([]) == "" and in_words(HITS[:1]) == "hit 1–1.5 s"
