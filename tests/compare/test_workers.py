"""Several processes answer as one does."""

from pathlib import Path
from typing import Any

import pytest

from compare.small import recipe_of, run


def test_several_processes_answer_as_one_does(tmp_path: Path) -> None:
    inputs = {"size": {"modality": "number"}, "title": {"modality": "text", "encoder": "scratch:bag", "frozen": True}}
    options: dict[str, Any] = {"recipe": recipe_of(inputs=inputs), "fusions": ["product", "boosted", "late_stacking"]}
    one, two = run(tmp_path / "1", processes=1, **options), run(tmp_path / "2", processes=2, **options)
    assert [row.name for row in one.rows] == [row.name for row in two.rows]
    for row, other in zip(one.rows, two.rows, strict=True):
        assert row.per_fold == pytest.approx(other.per_fold, abs=0.04) and row.failed == other.failed == ""
        assert other.train_seconds > 0 and other.peak_bytes > 1e6
