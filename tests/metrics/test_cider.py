"""CIDEr: rare words, and sets in which nothing is rare."""

import pytest

from plait.metrics.caption import CaptionScorer


def test_an_unseen_ngram_weighs_as_much_as_one_seen_once() -> None:
    scorer = CaptionScorer([["a red bird"], ["two blue fish"]])
    seen_elsewhere, unseen = (
        scorer.score_each([text, "x"], ["CIDEr"])["CIDEr"][0] for text in ("a red fish", "a red cat")
    )
    assert seen_elsewhere == pytest.approx(unseen)  # both have the idf log 2
    assert unseen < scorer.score_each(["a red", "x"], ["CIDEr"])["CIDEr"][0] + 10


@pytest.mark.parametrize("references", [[["a red bird", "one bird in a tree"]], [["a bird"]] * 3, [["."], ["a bird"]]])
def test_cider_is_left_out_where_nothing_tells_images_apart(references: list[list[str]]) -> None:
    """Of one image, or of references that are all alike, every idf is 0: the score would be 0 of a perfect caption."""
    scorer, texts = CaptionScorer(references), [texts[0] for texts in references]
    defined = len(references) == 2
    assert ("CIDEr" in scorer.score(texts)) == ("CIDEr" in scorer.score_each(texts)) == defined
    assert (scorer.score(texts, ["CIDEr"]) == {}) == (not defined) and scorer.score(texts)["ROUGE_L"] >= 0.5
