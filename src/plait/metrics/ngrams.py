"""N-grams of many texts as arrays: what BLEU and CIDEr count, counted once for both."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ORDER = 4
BASE = 1 << 31  # an n-gram is the number of its first words times this, plus its last word


@dataclass(frozen=True)
class Counts:
    """How often each n-gram of one length stands in each text: parallel arrays, by text, then by n-gram."""

    text: np.ndarray
    gram: np.ndarray
    count: np.ndarray


class NGrams:
    """Numbers for the n-grams of reference texts, up to length four; those of other texts get numbers of their own.

    Args:
        texts: the references, as words.

    >>> grams = NGrams([["a", "red", "bird"], ["a", "bird"]])
    >>> [len(counts.text) for counts in grams.counts], grams.lengths.tolist()
    ([5, 3, 1, 0], [3, 2])
    """

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        self._words: dict[str, int] = {}
        self._reference_keys: list[np.ndarray] = []  # of each length, the sorted keys of the references' n-grams
        flat, self.lengths = self._flatten(texts, learn=True)
        self.counts = self._count(flat, self.lengths, learn=True)

    @property
    def sizes(self) -> list[int]:
        """Distinct n-grams of the references, by length."""
        return [len(keys) for keys in self._reference_keys]

    def of(self, texts: Sequence[Sequence[str]]) -> tuple[list[Counts], np.ndarray]:
        """Counts of other texts by length of the n-gram, and the texts' lengths.

        An n-gram that no reference has gets a number from `sizes` upwards.
        """
        flat, lengths = self._flatten(texts, learn=False)
        return self._count(flat, lengths, learn=False), lengths

    def _flatten(self, texts: Sequence[Sequence[str]], learn: bool) -> tuple[np.ndarray, np.ndarray]:
        words = self._words if learn else dict(self._words)
        ids = [words.setdefault(word, len(words)) for text in texts for word in text]
        lengths = np.fromiter((len(text) for text in texts), np.int64, len(texts))
        return np.array(ids, dtype=np.int64), lengths

    def _count(self, words: np.ndarray, lengths: np.ndarray, learn: bool) -> list[Counts]:
        text = np.repeat(np.arange(len(lengths)), lengths)
        left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(words))  # words from here to the text's end
        counts = []
        gram = np.zeros(len(words), dtype=np.int64)
        for order in range(1, ORDER + 1):
            at = np.flatnonzero(left >= order)
            numbers = self._number(gram[at] * BASE + words[at + order - 1], order, learn)
            gram[at] = numbers
            counts.append(_tally(text[at], numbers))
        return counts

    def _number(self, keys: np.ndarray, order: int, learn: bool) -> np.ndarray:
        distinct, place = np.unique(keys, return_inverse=True)
        if learn:
            self._reference_keys.append(distinct)
            return place
        reference_keys = self._reference_keys[order - 1]
        at = np.searchsorted(reference_keys, distinct).clip(max=max(0, len(reference_keys) - 1))
        is_known = reference_keys[at] == distinct if len(reference_keys) else np.zeros(len(distinct), dtype=bool)
        numbers = np.where(is_known, at, len(reference_keys) + np.cumsum(~is_known) - 1)
        return numbers[place]


def _tally(text: np.ndarray, gram: np.ndarray) -> Counts:
    width = int(gram.max(initial=0)) + 1
    keys, count = np.unique(text * width + gram, return_counts=True)
    return Counts(keys // width, keys % width, count)
