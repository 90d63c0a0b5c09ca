"""BLEU and ROUGE-L by hand."""

import numpy as np
import pytest

from plait.metrics.caption import CaptionScorer


def test_hand_worked_bleu_and_rouge() -> None:
    scorer = CaptionScorer([["a cat on a mat"], ["two dogs"]])
    whole, each = scorer.score(["a cat sat", "two dogs"]), scorer.score_each(["a cat sat", "two dogs"])
    assert whole["Bleu_1"] == pytest.approx(4 / 5 * np.exp(1 - 7 / 5))  # 2 + 2 of 3 + 2 words; 5 words for 7
    assert each["ROUGE_L"].tolist() == pytest.approx([2.44 * (2 / 3) * 0.4 / (0.4 + 1.44 * 2 / 3), 1.0])
