"""METEOR by hand."""

import pytest

from plait.metrics.meteor import Meteor, stem


def test_meteor_by_hand() -> None:
    score = Meteor([[["three", "birds", "fly"]]]).score([["three", "bird", "fly"]])[0]
    precision = recall = (1 + 0.6 + 1) / 3  # the middle word matches by its stem; all are content words
    mean = precision * recall / (0.85 * precision + 0.15 * recall)
    assert score == pytest.approx(mean)  # one chunk over all words: no penalty
    swapped = Meteor([[["three", "birds", "fly"]]]).score([["fly", "three", "birds"]])[0]
    assert swapped == pytest.approx(1 - 0.6 * (2 / 3) ** 0.2)
    meanings = {"bird": ["animal"], "creature": ["animal"]}
    synonyms = Meteor([[["bird"]]], lambda word: meanings.get(word, [])).score([["creature"]])[0]
    assert synonyms == pytest.approx(0.8) and stem("running") == "run"
