"""Dialogs about scenes."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from plait.datasets.scenes import write_scenes
from plait.errors import RunError


def test_dialogs_about_scenes_need_their_history(tmp_path: Path) -> None:
    train, test = write_scenes(tmp_path, seed=1, images={"train": 60, "test": 20})
    frame = pd.concat([pd.read_csv(train), pd.read_csv(test)])
    assert len(frame) == 240 and set(frame.groupby("image")["turn"].apply(tuple)) == {(1, 2, 3)}
    assert frame.loc[frame["turn"] == 1, "history"].isna().all()
    for _, turns in frame.groupby("image"):
        first, second, third = turns.to_dict("records")
        assert second["history"] == f"{first['question']} {first['answer']}."
        assert third["history"] == f"{second['history']}\n{second['question']} {second['answer']}."
    later = frame[frame["turn"] > 1]
    assert later["question"].nunique() == 2 and later.groupby("question")["answer"].nunique().min() >= 4
    with Image.open(tmp_path / frame["image"].iloc[0]) as picture:
        assert picture.size == (48, 48) and len(picture.getcolors()) >= 3
    again = write_scenes(tmp_path / "again", seed=1, images={"train": 60, "test": 20})
    assert again[0].read_text() == train.read_text()


def test_a_table_of_the_users_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("my,own\n")
    with pytest.raises(RunError, match=r"train\.csv: there is another table of that name"):
        write_scenes(tmp_path, images={"train": 2})
    assert (tmp_path / "train.csv").read_text() == "my,own\n"
    write_scenes(tmp_path / "twice", images={"train": 2})
    write_scenes(tmp_path / "twice", images={"train": 2})  # the same again is no other table
