"""Drawings, tested on stamps that nobody learned from."""

from pathlib import Path

import pandas as pd

from plait.datasets.drawings import write_drawings


def test_drawings_are_tested_on_stamps_that_nobody_learned_from(tmp_path: Path) -> None:
    sources = []
    for name, columns in {
        "emoji": {"name": ["frog", "Cat 3", "boat"], "tags": ["a;b", "", ""]},
        "openclipart": {"title": ["owl"], "keywords": [""]},
        "tuxpaint": {"caption": [f"cat {n}" for n in range(230)] + ["a dog", "a dog"]},
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        frame = pd.DataFrame(columns)
        frame.insert(0, "picture", [f"pictures/{n}.png" for n in range(len(frame))])
        frame.to_csv(folder / f"{name}.csv", index=False)
        sources.append(folder)
    train, test = (pd.read_csv(path) for path in write_drawings(tmp_path, tuple(sources)))
    assert len(test) == 200 and set(test["source"]) == {"tuxpaint"}
    assert not set(test["picture"]) & set(train["picture"])
    assert not {c.casefold() for c in test["caption"]} & {c.casefold() for c in train["caption"]}
    assert "a dog" not in set(test["caption"])  # it comes twice: which of the two would be found?
    assert train.groupby("source")["repeat"].first().to_dict() == {"emoji": 1, "openclipart": 1, "tuxpaint": 4}
    assert train["picture"][0] == "emoji/pictures/0.png"
