"""Caption scores against pycocoevalcap, hand-worked numbers and properties."""

import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.metrics.caption import CAPTION_METRICS, CaptionScorer, score_captions
from plait.metrics.meteor import Meteor, stem
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


def test_consensus_of_any_picture_is_the_corpus_one() -> None:
    references, captions = natural_captions(20)
    scorer = CaptionScorer(references)
    each = scorer.score_each(captions, ["CIDEr"])["CIDEr"]
    about = np.array([7, 3, 3, 19])
    np.testing.assert_allclose(scorer.consensus([captions[p] for p in about], about), each[about])


def test_hand_worked_bleu_and_rouge() -> None:
    scorer = CaptionScorer([["a cat on a mat"], ["two dogs"]])
    whole, each = scorer.score(["a cat sat", "two dogs"]), scorer.score_each(["a cat sat", "two dogs"])
    assert whole["Bleu_1"] == pytest.approx(4 / 5 * np.exp(1 - 7 / 5))  # 2 + 2 of 3 + 2 words; 5 words for 7
    assert each["ROUGE_L"].tolist() == pytest.approx([2.44 * (2 / 3) * 0.4 / (0.4 + 1.44 * 2 / 3), 1.0])


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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A man's dog isn't here; it's gone, can't you see?", "a man 's dog is n't here it 's gone ca n't you see"),
        ("They cannot come - gonna wait... (maybe)", "they can not come gon na wait -lrb- maybe -rrb-"),
        ("Mr. Smith of the U.S. paid $3.50 at 10:30", "mr. smith of the u.s. paid $ 3.50 at 10:30"),
        ("He said \"hi\" and 'bye', o'clock", "he said hi and bye o'clock"),
        ("एक लाल चिड़िया बैठी है। हिंदी-उर्दू", "एक लाल चिड़िया बैठी है । हिंदी उर्दू"),
        ("ஒரு சிவப்பு பறவை கிளையில் அமர்ந்திருக்கிறது.", "ஒரு சிவப்பு பறவை கிளையில் அமர்ந்திருக்கிறது"),
        ("طائِرٌ أَحْمَرُ عَلَى غُصْنِ الشَّجَرَةِ.", "طائِرٌ أَحْمَرُ عَلَى غُصْنِ الشَّجَرَةِ"),
        ("שָׁלוֹם, นกสีแดงเกาะบนกิ่งไม้", "שָׁלוֹם นกสีแดงเกาะบนกิ่งไม้"),
        ("a cafe\u0301's e\u0301clair, don\u0301t", "a cafe\u0301 's e\u0301clair don\u0301t"),
        ("a \u2764\ufe0f x\u200by 1\ufe0f\u20e3 so\u00adft", "a \u2764 x y 1 soft"),
        ("black/white t-shirt, R&B, C++, 1/2 & 50%", "black/white t-shirt r&b c++ 1/2 & 50 %"),
    ],
)
def test_words_are_those_of_the_java_tokenizer(text: str, words: str) -> None:
    assert caption_words(text) == words.split()  # what stanford-corenlp-3.4.1 gives, less pycocoevalcap's punctuation


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


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_words_hold_no_spaces_and_are_lower_case(text: str) -> None:
    words = caption_words(text)
    assert all(word and not word.isspace() and " " not in word for word in words)
    assert words == [word.lower() for word in words]


def test_pictures_must_match() -> None:
    with pytest.raises(ValueError, match="image 1 has no reference"):
        CaptionScorer([["a"], []])
    with pytest.raises(ValueError, match="expected 1 texts, one an image, got 2"):
        CaptionScorer([["a"]]).score(["a", "b"])
    with pytest.raises(ValueError, match="image '2' has a caption or references, not both"):
        score_captions({"1": ["a"], "2": ["b"]}, {"1": "a"})
