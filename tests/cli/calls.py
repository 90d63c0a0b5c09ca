"""What tests of commands share: quick settings, a small table, a refusal in one line."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

FAST = ["train.epochs=1", "train.device=cpu", "train.precision=float32", "--preset", "plain"]
Run = Callable[..., tuple[int, str, str]]


def refused(result: tuple[int, str, str], *parts: str) -> None:
    code, _, error = result
    assert code == 2, error
    last = error.strip().splitlines()[-1]
    assert last.startswith("plait: ") and "Traceback" not in error
    for part in parts:
        assert part in last, last


def make_table(folder: Path, **columns: object) -> Path:
    frame = pd.DataFrame({"title": [f"the {w} one" for w in ("red", "blue") * 10], "y": ["a", "b"] * 10, **columns})
    frame.to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"
