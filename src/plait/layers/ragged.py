"""Rows of unlike length, without padding: words of sentences, boxes of images."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from plait.types import Generated, Tokens


class Ragged:
    """What lies in N rows one after the other, and how much of it each row has.

    It is indexed, cut and joined by rows, as an array is; what is asked of each item is asked of `flat`.

    Args:
        flat: `[items of all rows, …]`, a tensor or an array.
        lengths: `[N]` items of each row.

    Raises:
        ValueError: the lengths do not add up to the items.

    >>> words = Ragged(np.array(["a", "red", "bird", "hello"]), np.array([3, 1]))
    >>> words[np.array([1, 0])].rows(), len(words)
    ([['hello'], ['a', 'red', 'bird']], 2)
    """

    def __init__(self, flat: Any, lengths: Any) -> None:
        self.flat = flat
        self.lengths = np.asarray(lengths, dtype=np.int64)
        if int(self.lengths.sum()) != len(flat):
            raise ValueError(f"rows of {int(self.lengths.sum())} items in all, {len(flat)} items")

    @classmethod
    def of(cls, rows: Sequence[Any], empty: Any) -> "Ragged":
        """From one array a row; `empty` is an array without items, of the type that they have."""
        return cls(np.concatenate([empty, *rows]), [len(row) for row in rows])

    @classmethod
    def from_tokens(cls, tokens: Tokens) -> "Ragged":
        """The real tokens of a batch `[B, T, D]`, `[items, D]`."""
        return cls(tokens.x[tokens.mask], tokens.mask.sum(dim=1).cpu().numpy())

    @classmethod
    def join(cls, parts: Sequence["Ragged"]) -> "Ragged":
        """The rows of several, one after the other."""
        flats = [part.flat for part in parts]
        flat = torch.cat(flats) if isinstance(flats[0], Tensor) else np.concatenate(flats)
        return cls(flat, np.concatenate([part.lengths for part in parts]))

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, rows: Any) -> "Ragged":
        """Some rows: a mask, positions or a slice; of a single number a `Ragged` of one row."""
        if isinstance(rows, Tensor):
            rows = rows.cpu().numpy()
        chosen = np.atleast_1d(np.arange(len(self))[rows])
        starts = np.cumsum(self.lengths) - self.lengths
        lengths = self.lengths[chosen]
        # The position of each item: where its row starts, and how far it lies behind the row's first.
        behind = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        items = np.repeat(starts[chosen], lengths) + behind
        return Ragged(self.flat[torch.from_numpy(items) if isinstance(self.flat, Tensor) else items], lengths)

    def __iter__(self) -> Iterator[Any]:
        """The items of each row."""
        ends = np.cumsum(self.lengths)
        return (self.flat[end - length : end] for end, length in zip(ends, self.lengths, strict=True))

    def rows(self) -> list[list[Any]]:
        """The items of each row, as lists."""
        return [row.tolist() for row in self]

    def map(self, function: Callable[[Any], Any]) -> "Ragged":
        """The same rows of what a function makes of all items at once."""
        return Ragged(function(self.flat), self.lengths)

    def split(self, items: Sequence[Any]) -> list[list[Any]]:
        """What belongs to the items, cut up by row."""
        ends = np.cumsum(self.lengths).tolist()
        return [list(items[end - length : end]) for end, length in zip(ends, self.lengths.tolist(), strict=True)]

    def numpy(self) -> "Ragged":
        """The same with arrays."""
        return self.map(lambda flat: flat.numpy()) if isinstance(self.flat, Tensor) else self

    def tensor(self) -> "Ragged":
        """The same with tensors."""
        return self if isinstance(self.flat, Tensor) else self.map(torch.from_numpy)

    def padded(self, fill: float) -> Tensor:
        """`[N, T, …]` of the longest row's length T."""
        given = self.tensor()
        longest = max(1, int(self.lengths.max(initial=0)))
        out = given.flat.new_full((len(self), longest, *given.flat.shape[1:]), fill)
        mask = torch.from_numpy(np.arange(longest)[None] < self.lengths[:, None])
        out[mask] = given.flat
        return out

    def cut_to(self, lengths: np.ndarray, fill: float) -> "Ragged":
        """Rows of other lengths: what is too long is cut off, what is too short is filled up."""
        if np.array_equal(lengths, self.lengths):
            return self
        padded = self.padded(fill)
        most = max(1, int(np.max(lengths, initial=0)))
        wide = padded.new_full((len(self), max(most, padded.shape[1]), *padded.shape[2:]), fill)
        wide[:, : padded.shape[1]] = padded
        mask = torch.from_numpy(np.arange(wide.shape[1])[None] < np.asarray(lengths)[:, None])
        flat = wide[mask]
        return Ragged(flat if isinstance(self.flat, Tensor) else flat.numpy(), lengths)

    def row_means(self, of_items: Any) -> Tensor:
        """`[N]` the mean of a number an item over each row; 0 of a row without items."""
        values = torch.as_tensor(of_items)
        rows = torch.from_numpy(np.repeat(np.arange(len(self)), self.lengths)).to(values.device)
        sums = torch.zeros(len(self), dtype=values.dtype, device=values.device).index_add(0, rows, values)
        return sums / torch.from_numpy(self.lengths).to(values.device).clamp(min=1)


def items_of(given: Any, target: Any) -> tuple[Any, Any, Ragged | None]:
    """Raw predictions and targets, item by item where rows hold several.

    Args:
        given: `[B, …]`, or of tokens `Tokens` of a batch or `Ragged` of all rows.
        target: `[B, …]`, padded `[B, T', …]`, or `Ragged`; -1 or NaN where there is none.

    Returns:
        Both flat, and which item belongs to which row; None where a row is one item.
    """
    if isinstance(given, Tokens):
        rows = Ragged.from_tokens(given)
        missing = -1 if not target.is_floating_point() else float("nan")
        length = given.mask.shape[1]
        wide = target.new_full((len(target), length, *target.shape[2:]), missing)
        wide[:, : target.shape[1]] = target[:, :length]
        return rows.flat, wide[given.mask], rows
    if isinstance(given, Ragged):
        truth = target.tensor()
        missing = -1 if not truth.flat.is_floating_point() else float("nan")
        return given.flat, truth.cut_to(given.lengths, missing).flat, given
    return given, target, None


def joined(parts: Sequence[Any]) -> Any:
    """Tensors, arrays, `Ragged` or `Generated` one after the other."""
    if isinstance(parts[0], Ragged | Generated):
        return type(parts[0]).join(parts)
    return torch.cat(list(parts)) if isinstance(parts[0], Tensor) else np.concatenate(parts)
