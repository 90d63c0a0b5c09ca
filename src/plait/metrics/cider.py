"""CIDEr-D: how far a caption says what people say about that image and about no other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plait.metrics.ngrams import ORDER, Counts, NGrams

SIGMA = 6.0


class Cider:
    """CIDEr-D (1411.5726) as pycocoevalcap computes it: idf from the references at hand, lengths in bigrams.

    An n-gram of a caption that no reference has counts in its length with the idf of one seen in one image.
    Where all references hold the same n-grams (as those of a single image do), every idf is 0: `is_defined` is False
    then, and scores are 0 whatever the captions say.

    Args:
        grams: of all references.
        image: `[R]` the image that each reference belongs to, ascending.

    >>> grams = NGrams([["a", "red", "bird"], ["a", "blue", "fish"]])
    >>> Cider(grams, np.array([0, 1])).score(*grams.of([["a", "red", "bird"], ["a", "red", "bird"]])).round(2).tolist()
    [7.5, 0.0]
    """

    def __init__(self, grams: NGrams, image: np.ndarray) -> None:
        self.images = int(image.max(initial=-1)) + 1
        self.image, self.sizes = image, grams.sizes
        self.references = np.bincount(image, minlength=self.images)
        self.first = np.cumsum(self.references) - self.references
        self.bigrams = np.maximum(grams.lengths - 1, 0)
        self.idf = [self._idf(counts, size) for counts, size in zip(grams.counts, grams.sizes, strict=True)]
        self.is_defined = any(bool(idf[:-1].any()) for idf in self.idf)
        self.entries, self.norms = [], []
        for n, counts in enumerate(grams.counts):
            value = counts.count * self.idf[n][counts.gram]
            self.norms.append(_norms(counts.text, value, len(image)))
            keys = image[counts.text] * (self.sizes[n] + 1) + counts.gram
            order = np.argsort(keys, kind="stable")
            self.entries.append((keys[order], counts.text[order], value[order]))

    def _idf(self, counts: Counts, size: int) -> np.ndarray:
        pairs = np.unique(self.image[counts.text] * (size + 1) + counts.gram)
        seen_in = np.bincount(pairs % (size + 1), minlength=size + 1)  # the last one is for n-grams in no reference
        return np.log(max(1, self.images)) - np.log(np.maximum(1, seen_in))

    def score(self, counts: Sequence[Counts], lengths: np.ndarray, about: np.ndarray | None = None) -> np.ndarray:
        """`[N]` CIDEr-D of each text; the corpus' is their mean.

        Args:
            counts, lengths: of the texts, by the references' n-grams.
            about: `[N]` the image that each text is about; None where text i is about image i.
        """
        about = np.arange(len(lengths)) if about is None else about
        many = self.references[about]
        pairs = _Pairs(np.repeat(np.arange(len(about)), many), _ranges(self.first[about], many), np.cumsum(many) - many)
        away = np.maximum(lengths - 1, 0)[pairs.text] - self.bigrams[pairs.reference]
        likeness = sum(self._likeness(n, counts[n], about, pairs) for n in range(ORDER))
        likeness = likeness * np.exp(-(away**2) / (2 * SIGMA**2)) / ORDER
        return 10 * np.bincount(pairs.text, likeness, minlength=len(about)) / np.maximum(1, many)

    def _likeness(self, n: int, counts: Counts, about: np.ndarray, pairs: "_Pairs") -> np.ndarray:
        """Clipped cosine of each text with each reference of its image."""
        size = self.sizes[n]
        value = counts.count * self.idf[n][np.minimum(counts.gram, size)]
        norms = _norms(counts.text, value, len(about))
        keys, reference, weight = self.entries[n]
        in_references = counts.gram < size
        # Each n-gram of a text meets that n-gram in every reference of its image that has it.
        text = counts.text[in_references]
        wanted = about[text] * (size + 1) + counts.gram[in_references]
        first = np.searchsorted(keys, wanted)
        many = np.searchsorted(keys, wanted, side="right") - first
        at, by = _ranges(first, many), np.repeat(text, many)
        product = np.minimum(np.repeat(value[in_references], many), weight[at]) * weight[at]
        pair = pairs.first[by] + reference[at] - self.first[about[by]]
        dot = np.bincount(pair, product, minlength=len(pairs.text)).astype(float)  # bincount of nothing gives integers
        scale = norms[pairs.text] * self.norms[n][pairs.reference]
        return np.divide(dot, scale, out=dot, where=scale > 0)


@dataclass(frozen=True)
class _Pairs:
    """Each text beside each reference of its image, and where a text's pairs begin."""

    text: np.ndarray
    reference: np.ndarray
    first: np.ndarray


def _ranges(first: np.ndarray, many: np.ndarray) -> np.ndarray:
    """first[0], first[0] + 1, … (many[0] of them), then of the next."""
    return np.repeat(first - np.cumsum(many) + many, many) + np.arange(many.sum())


def _norms(text: np.ndarray, value: np.ndarray, texts: int) -> np.ndarray:
    return np.sqrt(np.bincount(text, value**2, minlength=texts))
