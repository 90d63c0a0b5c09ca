"""Two stages: what the second brings to what the first found."""

from pathlib import Path

import numpy as np
import pytest

from plait.data.readers import open_table
from plait.data.table import Table
from plait.inference.reranking import evaluate_reranked
from plait.predictor import Predictor
from plait.tasks import Matching, Targets

TWO = ({"photo": ["photo"], "title": ["title"]}, {"photo": "image", "title": "text"})

QUICK = {"epochs": 2, "batch_size": 16, "precision": "float32", "device": "cpu"}


class Oracle:
    """A matching run that knows which titles belong to which photos."""

    def __init__(self, table: Table) -> None:
        self.belongs = set(zip(table.iterate("photo"), table.iterate("title"), strict=True))
        pairs = Matching(*TWO[:1], negatives="random")
        self.targets_ = Targets({"match": pairs})

    def predict_proba(self, table: Table) -> np.ndarray:
        pairs = zip(table.iterate("photo"), table.iterate("title"), strict=True)
        yes = np.array([pair in self.belongs for pair in pairs], dtype=float)
        return np.column_stack([1 - yes, yes])


def test_two_stages(colours: Path, tmp_path: Path) -> None:
    finder = Predictor(task={"type": "retrieval"}, output=tmp_path / "r", train=QUICK, verbose=False).fit(colours)
    table = open_table(colours)
    alone, oracle = finder.evaluate(colours), Oracle(table)
    untouched = evaluate_reranked(finder, oracle, colours, top=5, weight=0.0)  # type: ignore[arg-type]
    for name in ("txt_r1", "img_r1", "img_r5", "r_mean", "median_rank", "mrr"):
        assert untouched[name] == pytest.approx(alone[name]), name
    known = evaluate_reranked(finder, oracle, colours, top=5, weight=1e3)  # type: ignore[arg-type]
    assert known["img_r1"] == pytest.approx(alone["img_r5"])  # what the first stage brought is put first
    assert known["img_r10"] == pytest.approx(alone["img_r10"])  # and nothing that it did not bring
