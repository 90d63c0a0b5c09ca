"""Texts for a language model that reads them itself: the model's token ids, and the places of images."""

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le
from tokenizers import Tokenizer
from torch import Tensor

from plait.processors.text import as_tokenizer, padded_ids

IMAGE = "<image>"  # the usual placeholder of an image


class WordsProcessor:
    """A text → a language model's token ids, with a number below 0 wherever the value of another input goes.

    Special tokens in a text are read as plain letters, so that nothing that a user typed can end their turn.

    Args:
        tokenizer: a `tokenizers` tokenizer, or its JSON as a string or dict.
        places: inputs whose values may have a place in a text, as `<name>`; the n-th of them becomes -1 - n.
        image: the one of the places that `<image>` means; None where the model reads no images.
        max_length: words (tokens) of a text; a longer one loses its first words, but never a place.

    >>> from plait.processors.text import train_tokenizer
    >>> words = WordsProcessor(train_tokenizer(["a b"], 300, True, ["[PAD]"]), ["photo"], image="photo")
    >>> [token for token in words("<image> a <photo>")["ids"].tolist() if token < 0]
    [-1, -1]
    """

    def __init__(
        self,
        tokenizer: Tokenizer | str | dict[str, Any],
        places: Sequence[str] = (),
        image: str | None = None,
        max_length: Annotated[int, Ge(1), Le(1 << 20)] = 512,
    ) -> None:
        tokenizer = as_tokenizer(tokenizer)
        tokenizer.encode_special_tokens = True
        self.tokenizer, self.places, self.image, self.max_length = tokenizer, list(places), image, max_length
        self._codes = {f"<{name}>": -1 - number for number, name in enumerate(self.places)}
        if image is not None:
            self._codes[IMAGE] = -1 - self.places.index(image)
        self._marks = re.compile("(" + "|".join(map(re.escape, self._codes)) + ")" if self._codes else "(?!)")

    def to_json(self) -> dict[str, Any]:
        return {
            "tokenizer": json.loads(self.tokenizer.to_str()),
            "places": self.places,
            "image": self.image,
            "max_length": self.max_length,
        }

    def places_in(self, value: str) -> dict[str, int]:
        """How many places each input has in a text."""
        codes = [self._codes[mark] for mark in self._marks.findall(value)]
        return {name: codes.count(-1 - number) for number, name in enumerate(self.places)}

    def __call__(self, value: str) -> dict[str, np.ndarray]:
        """A text → `{"ids": [T]}` int32; T is 0 for an empty one."""
        ids: list[int] = []
        for piece in self._marks.split(str(value).strip()):
            code = self._codes.get(piece)
            ids += [code] if code is not None else self.tokenizer.encode(piece, add_special_tokens=False).ids
        return {"ids": np.asarray(without_first_words(ids, self.max_length), dtype=np.int32)}

    def blank(self) -> dict[str, np.ndarray]:
        """An empty text."""
        return self("")

    def collate(self, values: list[dict[str, np.ndarray]]) -> dict[str, Tensor]:
        """U texts → `{"ids": [U, T] int64, "mask": [U, T] bool}`, padded to the longest."""
        return padded_ids(values, 0)


def without_first_words(ids: list[int], most: int) -> list[int]:
    """Ids without the first words, such that `most` words are left; places stay.

    >>> without_first_words([5, 6, -1, 7, 8], 2)
    [-1, 7, 8]
    """
    over = sum(token >= 0 for token in ids) - most
    shortened = []
    for token in ids:
        if token >= 0 and over > 0:
            over -= 1
        else:
            shortened.append(token)
    return shortened
