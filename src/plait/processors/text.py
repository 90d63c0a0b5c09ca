"""Text: byte-pair tokens."""

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge, Le
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import Tensor

from plait.errors import DataError

PAD = "[PAD]"


def train_tokenizer(texts: Iterable[str], vocab_size: int, lowercase: bool, special: Sequence[str]) -> Tokenizer:
    """A byte-level byte-pair vocabulary (1508.07909) of texts, read once; special tokens get the first ids."""
    tokenizer = Tokenizer(models.BPE())
    steps: list[Any] = [normalizers.NFKC()] + ([normalizers.Lowercase()] if lowercase else [])
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


class TextProcessor:
    """A string → token ids, with any tokenizer of the `tokenizers` library.

    Args:
        tokenizer: the tokenizer, or its JSON as a string or dict.
        max_length: longer texts are cut at this many tokens (special tokens stay).
        pad_id: the id that shorter ones are padded with.
        fixed: pad all texts to `max_length`, as some models were trained.
        offsets: also give the characters that each token covers, for `Tokens.where`; takes a fifth more time.

    >>> processor = TextProcessor.train(["a red bird", "a blue bird"] * 2, vocab_size=300)
    >>> batch = processor.collate([processor("a bird"), processor("a red red bird")])
    >>> batch["mask"].sum(dim=1).tolist()
    [2, 4]
    """

    def __init__(
        self,
        tokenizer: Tokenizer | str | dict[str, Any],
        max_length: Annotated[int, Ge(1), Le(1 << 20)] = 128,
        pad_id: Annotated[int, Ge(0), Le(1 << 31)] = 0,
        fixed: bool = False,
        offsets: bool = False,
    ) -> None:
        tokenizer = as_tokenizer(tokenizer)
        tokenizer.enable_truncation(max_length)
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.pad_id = pad_id
        self.fixed = fixed
        self.offsets = offsets

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        vocab_size: int = 8000,
        max_length: int = 128,
        lowercase: bool = True,
        offsets: bool = False,
    ) -> "TextProcessor":
        """Learn a byte-level byte-pair vocabulary (1508.07909) from texts; no text is ever out of vocabulary.

        Args:
            texts: the training texts; read once and not kept in memory.
            vocab_size: tokens at most, including 256 bytes and the padding.
            max_length: tokens of a text.
            lowercase: fold case, which helps on small tables.
            offsets: as above.
        """
        tokenizer = train_tokenizer(texts, vocab_size, lowercase, [PAD])
        return cls(tokenizer, max_length, pad_id=0, offsets=offsets)

    @property
    def vocab_size(self) -> int:
        return self.tokenizer.get_vocab_size()

    def to_json(self) -> dict[str, Any]:
        return {
            "tokenizer": json.loads(self.tokenizer.to_str()),
            "max_length": self.max_length,
            "pad_id": self.pad_id,
            **({"fixed": True} if self.fixed else {}),
            **({"offsets": True} if self.offsets else {}),
        }

    def __call__(self, value: str) -> dict[str, np.ndarray]:
        """A text → `{"ids": [T]}` int32, T at least 1; with `offsets` also `where`, `[T, 2]` characters from and to."""
        text = str(value)
        encoding = self.tokenizer.encode(text)
        features = {"ids": np.asarray(encoding.ids or [self.pad_id], dtype=np.int32)}
        if self.offsets:
            # Byte-level tokens begin with the space before their word; where the word stands is without it.
            spans = [(end - len(text[start:end].lstrip()), end) for start, end in encoding.offsets]
            features["where"] = np.asarray(spans or [(0, 0)], dtype=np.float32)
        return features

    def blank(self) -> dict[str, np.ndarray]:
        """An empty text."""
        return self("")

    def collate(self, values: list[dict[str, np.ndarray]]) -> dict[str, Tensor]:
        """U texts → `{"ids": [U, T] int64, "mask": [U, T] bool}`, padded to the longest (or to `max_length`).

        With `offsets` also `where`, `[U, T, 2]` float32, zero at padding.
        """
        features = padded_ids(values, self.pad_id, self.max_length if self.fixed else 0)
        if self.offsets:
            features["where"] = torch.zeros(*features["ids"].shape, 2)
            features["where"][features["mask"]] = torch.from_numpy(np.concatenate([value["where"] for value in values]))
        return features


def as_tokenizer(given: Tokenizer | str | dict[str, Any]) -> Tokenizer:
    """A `tokenizers` tokenizer, or its JSON as a string or dict, as one that neither pads nor cuts."""
    if isinstance(given, dict):
        given = json.dumps(given)
    try:
        tokenizer = Tokenizer.from_str(given) if isinstance(given, str) else given
    except Exception as error:  # the library raises plain Exception
        raise DataError(f"the tokenizer can't be read ({str(error)[:120]})") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def padded_ids(values: list[dict[str, np.ndarray]], pad: int, length: int = 0) -> dict[str, Tensor]:
    """`{"ids": [T]}` of U texts → `{"ids": [U, T] int64, "mask": [U, T] bool}`, T the longest, or `length`."""
    lengths = np.array([len(value["ids"]) for value in values])
    mask = np.arange(length or max(1, lengths.max())) < lengths[:, None]
    ids = np.full(mask.shape, pad, dtype=np.int64)
    ids[mask] = np.concatenate([value["ids"] for value in values])
    return {"ids": torch.from_numpy(ids), "mask": torch.from_numpy(mask)}
