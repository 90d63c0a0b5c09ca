"""Classes by their names and by a few examples."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plait.errors import PlaitError
from plait.inference.shots import evaluate_shots, write_shots
from plait.inference.zero_shot import class_vectors, load_aligned


def test_pictures_by_names_and_by_examples(squares: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(squares / "squares.csv")
    frame["colour"] = [title.split()[1] for title in frame["title"]]
    frame.to_csv(squares / "colours.csv", index=False)
    report = evaluate_shots(squares / "pairs", squares / "colours.csv", "colour", [1, 4], ["a {} square"])
    assert report.zero_shot == 1.0 and all(np.mean(curve.points[4]) > 0.9 for curve in report.curves)
    write_shots(tmp_path / "shots.html", report, "pairs", "colours.csv")
    assert "class names alone" in (tmp_path / "shots.html").read_text()
    with pytest.raises(PlaitError, match="unknown column"):
        evaluate_shots(squares / "pairs", squares / "colours.csv", "color", [1], ["{}"])
    predictor = load_aligned(squares / "pairs")
    with pytest.raises(PlaitError, match="expected one {}"):
        class_vectors(predictor, ["red", "blue"], ["a square"])
    with pytest.raises(PlaitError, match="two or more"):
        class_vectors(predictor, ["red"])
