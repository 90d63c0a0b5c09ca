"""Texts that a model writes: from text to tokens, and back."""

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Self

from annotated_types import Ge, Le
from tokenizers import Tokenizer

from plait.errors import DataError
from plait.processors.text import as_tokenizer, train_tokenizer

SPECIAL = ["[PAD]", "[BEGIN]", "[END]"]


class TargetText:
    """A text → token ids that end with an end token; ids → the text.

    Args:
        tokenizer: a `tokenizers` tokenizer, or its JSON as a string or dict.
        begin, end: ids of the tokens before the first and after the last.
        max_length: tokens of a text at most, including the end; longer ones are cut and still end with it.

    Raises:
        DataError: `max_length` has no room for a word and the end.

    >>> texts = TargetText.train(["a red bird", "a blue bird"] * 2, vocab_size=300)
    >>> texts.decode(texts.encode("A bird, red"))
    'a bird, red'
    """

    def __init__(
        self,
        tokenizer: Tokenizer | str | dict[str, Any],
        begin: Annotated[int, Ge(0), Le(1 << 31)],
        end: Annotated[int, Ge(0), Le(1 << 31)],
        max_length: Annotated[int, Le(1 << 20)] = 64,
    ) -> None:
        if max_length < 2:
            raise DataError(f"task.max_length={max_length}: a text needs one token and its end, 2 at least")
        tokenizer = as_tokenizer(tokenizer)
        self.tokenizer, self.begin, self.end, self.max_length = tokenizer, begin, end, max_length

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int = 4000, max_length: int = 64, lowercase: bool = True) -> Self:
        """Learn a byte-level byte-pair vocabulary (1508.07909); any text can be written with it.

        Args:
            texts: the training texts; read once and not kept in memory.
            vocab_size: tokens at most, including 256 bytes and three special ones.
            max_length: tokens of a text.
            lowercase: fold case, which helps on small tables.
        """
        tokenizer = train_tokenizer(texts, vocab_size, lowercase, SPECIAL)
        return cls(tokenizer, SPECIAL.index("[BEGIN]"), SPECIAL.index("[END]"), max_length)

    @property
    def vocab_size(self) -> int:
        return self.tokenizer.get_vocab_size()

    def to_json(self) -> dict[str, Any]:
        return {
            "tokenizer": json.loads(self.tokenizer.to_str()),
            "begin": self.begin,
            "end": self.end,
            "max_length": self.max_length,
        }

    def encode(self, text: str) -> list[int]:
        """Ids of a text, the end last."""
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of many texts, the end last in each."""
        cleaned = [" ".join(str(text).split()) for text in texts]
        encodings = self.tokenizer.encode_batch(cleaned, add_special_tokens=False)
        return [[*one.ids[: self.max_length - 1], self.end] for one in encodings]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids up to the end; special ids and those below 0 are left out."""
        kept_ids = []
        for token in ids:
            if token == self.end:
                break
            if token >= 0:
                kept_ids.append(int(token))
        return " ".join(self.tokenizer.decode(kept_ids, skip_special_tokens=True).split())
