"""Text: how often each word comes, and how rare it is."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge, Le
from torch import Tensor

WORD = re.compile(r"\w+")  # words of one letter count too


class TfidfProcessor:
    """A string → its known words and their weights: 1 + log of the count, times the log of how rare the word is.

    The vector of all weights has length 1. These are scikit-learn's `TfidfVectorizer(sublinear_tf=True)`.

    Args:
        rarity: word → its inverse document frequency, `log((1 + texts) / (1 + texts with it)) + 1`.

    >>> processor = TfidfProcessor.train(["a red bird", "a blue bird"])
    >>> processor("a red red dog")["ids"].tolist(), sorted(processor.rarity)
    ([0, 3], ['a', 'bird', 'blue', 'red'])
    """

    def __init__(self, rarity: Mapping[str, float]) -> None:
        self.rarity = {str(word): float(value) for word, value in rarity.items()}
        self._place = {word: place for place, word in enumerate(self.rarity)}
        self._weight = np.array(list(self.rarity.values()), dtype=np.float64)

    @classmethod
    def train(cls, texts: Iterable[str], words: Annotated[int, Ge(1), Le(1_000_000)] = 2000) -> "TfidfProcessor":
        """Learn from the training texts, read once.

        Args:
            texts: the training texts.
            words: the most frequent ones that are kept.
        """
        counts: Counter[str] = Counter()
        with_it: Counter[str] = Counter()
        read = 0
        for text in texts:
            found = _words(text)
            counts.update(found)
            with_it.update(set(found))
            read += 1
        kept = sorted(sorted(counts), key=lambda word: -counts[word])[:words]
        return cls({word: float(np.log((1 + read) / (1 + with_it[word])) + 1) for word in sorted(kept)})

    @property
    def vocab_size(self) -> int:
        return len(self.rarity)

    def to_json(self) -> dict[str, Any]:
        return {"rarity": self.rarity}

    def __call__(self, value: str) -> dict[str, np.ndarray]:
        """A text → `{"ids": [T] int32, "weights": [T] float32}`, T its different known words, maybe none."""
        found = Counter(self._place[word] for word in _words(value) if word in self._place)
        ids = np.array(sorted(found), dtype=np.int32)
        weights = (1 + np.log([found[int(place)] for place in ids])) * self._weight[ids]
        length = float(np.linalg.norm(weights)) or 1.0
        return {"ids": ids, "weights": (weights / length).astype(np.float32)}

    def blank(self) -> dict[str, np.ndarray]:
        """An empty text."""
        return self("")

    def collate(self, values: list[dict[str, np.ndarray]]) -> dict[str, Tensor]:
        """U texts → `{"ids": [U, T] int64, "weights": [U, T] float32}`, padded with weight 0."""
        shape = (len(values), max(1, *(len(value["ids"]) for value in values)))
        ids, weights = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.float32)
        for row, value in enumerate(values):
            ids[row, : len(value["ids"])], weights[row, : len(value["ids"])] = value["ids"], value["weights"]
        return {"ids": torch.from_numpy(ids), "weights": torch.from_numpy(weights)}


def _words(text: str) -> list[str]:
    return WORD.findall(str(text).lower())
