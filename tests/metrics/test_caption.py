"""Caption scores against pycocoevalcap, hand-worked numbers and properties."""

import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.metrics.caption import CAPTION_METRICS, CaptionScorer, score_captions
from plait.metrics.words import caption_words

TEXT = st.text(alphabet="ab c'.-(3,", max_size=12)


def natural_sentences(count: int) -> list[str]:
    """English sentences that every installation has: the first ones of numpy's and scipy's docstrings."""
    import numpy.linalg
    import scipy.signal
    import scipy.sparse
    import scipy.special
    import scipy.stats

    found: dict[str, None] = {}
    for module in (np, numpy.linalg, scipy.stats, scipy.special, scipy.signal, scipy.sparse):
        for name in sorted(dir(module)):
            for sentence in re.split(r"(?<=[.])\s+", " ".join((getattr(module, name).__doc__ or "").split())):
                if 5 <= len(sentence.split()) <= 20:
                    found[sentence] = None
    return list(found)[:count]


def natural_captions(pictures: int, references: int = 5) -> tuple[list[list[str]], list[str]]:
    """Sentences and what several people might have made of each: words left out, put in from the next one, moved."""
    chance = random.Random(0)
    sentences = natural_sentences(pictures)
    assert len(sentences) == pictures

    def again(place: int) -> str:
        words, others = sentences[place].split(), sentences[(place + 1) % pictures].split()
        words = [chance.choice(others) if chance.random() < 0.2 else w for w in words if chance.random() < 0.85]
        cut = chance.randrange(len(words)) if words and chance.random() < 0.2 else 0
        return " ".join(words[cut:] + words[:cut]) or "nothing"

    return [[again(p) for _ in range(references)] for p in range(pictures)], [again(p) for p in range(pictures)]


def test_equal_to_pycocoevalcap_picture_by_picture() -> None:
    pytest.importorskip("pycocoevalcap", reason="pycocoevalcap is not installed (pip install 'plait[dev]')")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    references, captions = natural_captions(1000)
    truth = {n: [" ".join(caption_words(text)) for text in texts] for n, texts in enumerate(references)}
    found = {n: [" ".join(caption_words(text))] for n, text in enumerate(captions)}
    scorer = CaptionScorer(references)
    whole, each = scorer.score(captions), scorer.score_each(captions)
    bleus, bleu_rows = Bleu(4).compute_score(truth, found, verbose=0)
    for n in range(4):
        assert whole[f"Bleu_{n + 1}"] == pytest.approx(bleus[n], abs=1e-9)
        np.testing.assert_allclose(each[f"Bleu_{n + 1}"], bleu_rows[n], atol=1e-9)
    for name, peer in (("ROUGE_L", Rouge()), ("CIDEr", Cider())):
        mean, rows = peer.compute_score(truth, found)
        assert whole[name] == pytest.approx(mean, abs=1e-9)
        np.testing.assert_allclose(each[name], rows, atol=1e-9)
    assert 0.05 < whole["Bleu_4"] < 0.9 and 0.1 < whole["METEOR"] < 0.9  # neither trivial nor saturated


def test_consensus_of_any_picture_is_the_corpus_one() -> None:
    references, captions = natural_captions(20)
    scorer = CaptionScorer(references)
    each = scorer.score_each(captions, ["CIDEr"])["CIDEr"]
    about = np.array([7, 3, 3, 19])
    np.testing.assert_allclose(scorer.consensus([captions[p] for p in about], about), each[about])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXT, st.lists(TEXT, min_size=1, max_size=3)), min_size=1, max_size=4))
def test_scores_stay_in_their_ranges(pairs: list[tuple[str, list[str]]]) -> None:
    scorer = CaptionScorer([references for _, references in pairs])
    whole, each = scorer.score([text for text, _ in pairs]), scorer.score_each([text for text, _ in pairs])
    assert list(whole) == [name for name in CAPTION_METRICS if name != "CIDEr" or scorer.cider.is_defined]
    for name, values in each.items():
        top = 10 if name == "CIDEr" else 1
        assert np.isfinite(values).all() and (values >= 0).all() and (values <= top + 1e-6).all()
        assert 0 <= whole[name] <= top + 1e-6


def test_pictures_must_match() -> None:
    with pytest.raises(ValueError, match="image 1 has no reference"):
        CaptionScorer([["a"], []])
    with pytest.raises(ValueError, match="expected 1 texts, one an image, got 2"):
        CaptionScorer([["a"]]).score(["a", "b"])
    with pytest.raises(ValueError, match="image '2' has a caption or references, not both"):
        score_captions({"1": ["a"], "2": ["b"]}, {"1": "a"})
