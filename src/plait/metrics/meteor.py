"""METEOR: words of a caption aligned with those of a reference, by form, then by stem, then by meaning."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import snowballstemmer

ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75  # of METEOR 1.5, English, tuned to rank
WEIGHTS = (1.0, 0.6, 0.8)  # of a match by form, by stem, by meaning
BEAM = 40
_FUNCTION = """a about after against all also although among an and any are as at be because been before being between
    both but by can could did do does down during each either few for from had has have he her here him his how i if in
    into is it its just many may me might more most much must my no nor not of off on once one only onto or other our
    out over own per shall she should since so some such than that the their them then there these they this those
    through to too under until up upon us very was we were what when where whether which while who whom whose why will
    with within without would you your 's n't 're 've 'll 'd 'm"""
FUNCTION_WORDS = frozenset(_FUNCTION.split())
Synonyms = Callable[[str], Iterable[str]]


@dataclass
class Stats:
    """What an alignment gives, so that it can be added up over a corpus: weighed matches, lengths, chunks."""

    text: np.ndarray  # matches by form, stem, meaning × content and function words, of the text
    reference: np.ndarray  # of the reference
    text_words: np.ndarray  # content and function words
    reference_words: np.ndarray
    chunks: float

    def __add__(self, other: "Stats") -> "Stats":
        return Stats(
            self.text + other.text,
            self.reference + other.reference,
            self.text_words + other.text_words,
            self.reference_words + other.reference_words,
            self.chunks + other.chunks,
        )

    @property
    def score(self) -> float:
        share = np.array([DELTA, 1 - DELTA])
        weigh = np.array(WEIGHTS)[:, None] * share
        precision = float((self.text * weigh).sum()) / max(1e-12, float((self.text_words * share).sum()))
        recall = float((self.reference * weigh).sum()) / max(1e-12, float((self.reference_words * share).sum()))
        if not precision or not recall:
            return 0.0
        mean = precision * recall / (ALPHA * precision + (1 - ALPHA) * recall)
        matched = (self.text.sum() + self.reference.sum()) / 2
        return mean * (1 - GAMMA * (self.chunks / matched) ** BETA)


class Meteor:
    """METEOR (Denkowski and Lavie 2014) with the stages that need no large data: form, stem and, if given, synonyms.

    Differs from METEOR 1.5 in Java: no paraphrase table, no WordNet unless `synonyms` brings one, and a list of
    function words of our own; so scores lie somewhat below, and compare with each other only.

    Args:
        references: of each image, as words.
        synonyms: word → names of its meanings; two words match where they share one.

    >>> Meteor([[["two", "birds", "sit"]]]).score([["two", "birds", "sit"]])[1].tolist()
    [1.0]
    """

    def __init__(self, references: Sequence[Sequence[Sequence[str]]], synonyms: Synonyms | None = None) -> None:
        self.references, self.synonyms = references, synonyms

    def score(self, texts: Sequence[Sequence[str]]) -> tuple[float, np.ndarray]:
        """METEOR of all texts together, and `[N]` of each with its best reference; text i is about image i."""
        stats = []
        for words, references in zip(texts, self.references, strict=True):
            alignments = [align(words, reference, self.synonyms) for reference in references]
            stats.append(max(alignments, key=lambda one: one.score))
        whole = stats[0] if stats else None
        for one in stats[1:]:
            assert whole is not None
            whole = whole + one
        return (whole.score if whole else 0.0), np.array([one.score for one in stats])


def align(text: Sequence[str], reference: Sequence[str], synonyms: Synonyms | None = None) -> Stats:
    """The alignment with the most matches, of these the one in the fewest chunks, of these the straightest."""
    candidates = _candidates(text, reference, synonyms)
    # (weight, -chunks, -crossing), reference words used, last matched place of both, matches
    beam: list[tuple[tuple[float, int, int], int, tuple[int, int], tuple[tuple[int, int, int], ...]]]
    beam = [((0.0, 0, 0), 0, (-2, -2), ())]
    for place, options in enumerate(candidates):
        if not options:
            continue
        grown = list(beam)
        for (weight, chunks, crossing), used, last, matches in beam:
            for at, stage in options:
                if used >> at & 1:
                    continue
                goes_on = last == (place - 1, at - 1)
                key = (weight + WEIGHTS[stage], chunks - (not goes_on), crossing - abs(place - at))
                grown.append((key, used | 1 << at, (place, at), (*matches, (place, at, stage))))
        beam = sorted(grown, key=lambda one: one[0], reverse=True)[:BEAM]
    (_, chunks, _), _, _, matches = beam[0]
    function = [[int(word in FUNCTION_WORDS) for word in words] for words in (text, reference)]
    counts = np.zeros((2, 3, 2))
    for place, at, stage in matches:
        counts[0, stage, function[0][place]] += 1
        counts[1, stage, function[1][at]] += 1
    sizes = [np.array([len(flags) - sum(flags), sum(flags)], dtype=float) for flags in function]
    whole = chunks == -1 and len(matches) == len(text) == len(reference)  # nothing is out of order: no penalty
    return Stats(counts[0], counts[1], sizes[0], sizes[1], 0.0 if whole else float(-chunks))


def _candidates(
    text: Sequence[str], reference: Sequence[str], synonyms: Synonyms | None
) -> list[list[tuple[int, int]]]:
    """For each word of the text the places of the reference that it can match, each with the best stage."""
    stems = [stem(word) for word in reference]
    senses = [set(synonyms(word)) for word in reference] if synonyms else []
    candidates = []
    for word in text:
        word_stem, word_senses = stem(word), set(synonyms(word)) if synonyms else set()
        options = []
        for at, other in enumerate(reference):
            if word == other:
                options.append((at, 0))
            elif senses and word_senses & senses[at]:
                options.append((at, 2))
            elif word_stem == stems[at]:
                options.append((at, 1))
        candidates.append(options)
    return candidates


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """The Snowball stem of an English word."""
    return str(_stemmer().stemWord(word))


@lru_cache(maxsize=1)
def _stemmer() -> "snowballstemmer.english_stemmer.EnglishStemmer":
    return snowballstemmer.stemmer("english")
