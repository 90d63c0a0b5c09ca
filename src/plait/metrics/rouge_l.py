"""ROUGE-L: the longest run of words, gaps allowed, that a caption shares with a reference."""

from collections.abc import Sequence

import numpy as np

BETA = 1.2


class RougeL:
    """ROUGE-L (Lin 2004) as pycocoevalcap computes it: best precision and best recall over an image's references.

    The longest common subsequences with all references of an image are found at once, a bit a word, in whole numbers
    of any length (Hyyrö 2004): each reference has a lane, and between lanes one bit stops the carry.

    Args:
        references: of each image, as words.

    >>> RougeL([[["a", "red", "bird"], ["one", "bird"]]]).score([["a", "bird"]]).round(3).tolist()
    [0.772]
    """

    def __init__(self, references: Sequence[Sequence[Sequence[str]]]) -> None:
        self.prepared = [_lanes(texts) for texts in references]

    def score(self, texts: Sequence[Sequence[str]]) -> np.ndarray:
        """`[N]` ROUGE-L of each text; text i is about image i."""
        return np.array([_score(words, *lanes) for words, lanes in zip(texts, self.prepared, strict=True)])


def _lanes(references: Sequence[Sequence[str]]) -> tuple[dict[str, int], int, list[tuple[int, int]]]:
    """Word → the bits where it stands; the bits of all words; each reference's first bit and length."""
    where: dict[str, int] = {}
    lanes, bit, every = [], 0, 0
    for words in references:
        lanes.append((bit, len(words)))
        every |= ((1 << len(words)) - 1) << bit
        for word in words:
            where[word] = where.get(word, 0) | 1 << bit
            bit += 1
        bit += 1  # the carry stops here
    return where, every, lanes


def _score(words: Sequence[str], where: dict[str, int], every: int, lanes: list[tuple[int, int]]) -> float:
    # Bits that drop out of `unmatched` are words of the longest common subsequence so far.
    unmatched = every
    for word in words:
        here = where.get(word)
        if here is not None:
            common = unmatched & here
            unmatched = (unmatched + common | unmatched - common) & every
    matched = every & ~unmatched
    precision = recall = 0.0
    for first, length in lanes:
        if length and words:
            longest = (matched >> first & (1 << length) - 1).bit_count()
            precision, recall = max(precision, longest / len(words)), max(recall, longest / length)
    if not precision:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)
