"""Sequences of unequal length side by side in one row, with gaps: for layers that look only at neighbours."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class Packing:
    """Where each of U sequences lies in R rows of equal length, and back; almost nothing of the rows is padding.

    A sequence starts at a multiple of `step`, and behind it lie `gap` empty places or a few more: whatever halves the
    places until `step` of them are one keeps `gap / step` empty places between neighbours. Convolutions that see empty
    places as zeros, and look no further than that, give each sequence what they would give it alone.

    Args:
        lengths: of the sequences, at least 1 each.
        step: a power of 2.
        gap: places, a multiple of `step`; None for `step`.

    >>> packing = Packing([2, 5, 1], step=2)
    >>> packing.rows, packing.mask().long().tolist()
    (2, [[1, 1, 1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 1, 0, 0, 0]])
    """

    def __init__(self, lengths: Sequence[int], step: int, gap: int | None = None) -> None:
        self.lengths, self.step = list(lengths), step
        needed = [-(-length // step) * step + (gap or step) for length in lengths]
        self.width = max(needed)
        self.starts: list[tuple[int, int]] = [(0, 0)] * len(needed)
        filled: list[int] = []  # places taken of each row
        for one in sorted(range(len(needed)), key=lambda i: -needed[i]):  # the longest first, wherever it fits
            row = next((row for row, taken in enumerate(filled) if taken + needed[one] <= self.width), len(filled))
            if row == len(filled):
                filled.append(0)
            self.starts[one] = (row, filled[row])
            filled[row] += needed[one]
        self.rows = len(filled)

    def mask(self) -> Tensor:
        """`[R, L]` bool: a place holds something."""
        return torch.from_numpy(self._index(max(self.lengths)) >= 0)

    def _index(self, length: int) -> np.ndarray:
        """`[R, L]` the place of each in `[U, length]` laid flat; -1 for none."""
        index = np.full((self.rows, self.width), -1, dtype=np.int64)
        for one, (count, (row, start)) in enumerate(zip(self.lengths, self.starts, strict=True)):
            index[row, start : start + count] = one * length + np.arange(count)
        return index

    def pack(self, x_UTD: Tensor) -> Tensor:
        """`[U, T, D]`, padded behind each sequence, → `[R, L, D]` with zeros at empty places."""
        index = torch.from_numpy(self._index(x_UTD.shape[1])).to(x_UTD.device)
        taken = x_UTD.flatten(0, 1).index_select(0, index.clamp(min=0).flatten()).view(*index.shape, -1)
        return taken * (index >= 0).unsqueeze(2)

    def unpack(self, x_RLD: Tensor) -> Tensor:
        """`[R, L / step, D]` → `[U, T', D]`, zeros behind each sequence."""
        counts = [-(-length // self.step) for length in self.lengths]
        index = np.full((len(counts), max(counts)), -1, dtype=np.int64)
        for one, (count, (row, start)) in enumerate(zip(counts, self.starts, strict=True)):
            index[one, :count] = row * x_RLD.shape[1] + start // self.step + np.arange(count)
        places = torch.from_numpy(index).to(x_RLD.device)
        taken = x_RLD.flatten(0, 1).index_select(0, places.clamp(min=0).flatten()).view(*places.shape, -1)
        return taken * (places >= 0).unsqueeze(2)
