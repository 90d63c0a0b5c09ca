"""BLEU of captions against several references each."""

from collections.abc import Sequence

import numpy as np

from plait.metrics.ngrams import ORDER, Counts, NGrams

TINY, SMALL = 1e-15, 1e-9  # what pycocoevalcap adds, so that no quotient is 0 / 0


class Bleu:
    """BLEU-1 to BLEU-4 (Papineni et al. 2002) as pycocoevalcap computes it: closest reference length, no smoothing.

    Args:
        grams: of all references.
        image: `[R]` the image that each reference belongs to, ascending.

    >>> grams = NGrams([["a", "red", "bird"]])
    >>> Bleu(grams, np.array([0])).score(*grams.of([["a", "red", "cat"]]))[0].round(3).tolist()
    [0.667, 0.577, 0.0, 0.0]
    """

    def __init__(self, grams: NGrams, image: np.ndarray) -> None:
        self.starts = np.flatnonzero(np.diff(image, prepend=-1))
        self.lengths = grams.lengths
        self.most = [_most_a_image(counts, image, size) for counts, size in zip(grams.counts, grams.sizes, strict=True)]
        self.image = image

    def score(self, counts: Sequence[Counts], lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`[4]` of all texts together, and `[4, N]` of each; text i is about image i."""
        correct = np.stack([self._correct(n, counts[n], len(lengths)) for n in range(ORDER)])
        guessed = np.stack([np.maximum(lengths - n, 0) for n in range(ORDER)])
        closest = self._closest(lengths)
        whole = _bleu(correct.sum(axis=1), guessed.sum(axis=1), lengths.sum(), closest.sum())
        return whole, _bleu(correct, guessed, lengths, closest)

    def _correct(self, n: int, counts: Counts, texts: int) -> np.ndarray:
        keys, most, size = self.most[n]
        if not len(keys):
            return np.zeros(texts)
        wanted = counts.text * (size + 1) + counts.gram
        at = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
        matched = (keys[at] == wanted) & (counts.gram < size)
        return np.bincount(counts.text, np.where(matched, np.minimum(counts.count, most[at]), 0), minlength=texts)

    def _closest(self, lengths: np.ndarray) -> np.ndarray:
        """The reference length closest to each text's; of two equally close ones the shorter."""
        # One number to compare by: the distance, then the length.
        away = np.abs(self.lengths - lengths[self.image])
        rank = away * (self.lengths.max(initial=0) + 1) + self.lengths
        return np.minimum.reduceat(rank, self.starts) % (self.lengths.max(initial=0) + 1)


def _most_a_image(counts: Counts, image: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Sorted keys of (image, n-gram), and of each its highest count in any one reference of the image."""
    keys = image[counts.text] * (size + 1) + counts.gram
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    most = np.maximum.reduceat(counts.count[order], starts) if len(keys) else counts.count
    return keys[starts], most, size


def _bleu(correct: np.ndarray, guessed: np.ndarray, length: np.ndarray, reference: np.ndarray) -> np.ndarray:
    precision = np.cumprod((correct + TINY) / (guessed + SMALL), axis=0)
    order = np.arange(1, ORDER + 1).reshape(-1, *[1] * (correct.ndim - 1))
    ratio = (length + TINY) / (reference + SMALL)
    brevity = np.exp(np.minimum(0.0, 1 - 1 / ratio))
    return precision ** (1 / order) * brevity
