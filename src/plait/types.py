"""What passes between the rooms: `Tokens`, `Fused`, `Batch` and `Output`.

Shapes: B rows, U distinct values, K values in one cell, T tokens, D an encoder's width, H the fused width.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from plait import former_names


@dataclass
class Tokens:
    """A modality of a batch as a padded sequence of vectors.

    A value that a row lacks is a mask row that is all False.

    Args:
        x: `[B, T, D]` vectors, padded to T.
        mask: `[B, T]` bool, True where a token is real.
        where: `[B, T, 2]` start and end in seconds, `[B, T, 4]` a box x0, y0, x1, y1 in 0..1, or None.
        layers: the encoder's layers, `[B, T, D]` each, shallow first, the last one x; empty where it gives none.
        items: values that a row's tokens are of, such as several images in a cell, T / items tokens each.

    >>> tokens = Tokens(torch.ones(2, 3, 4), torch.tensor([[True, True, False], [False, False, False]]))
    >>> tokens.present.tolist()
    [True, False]
    """

    x: Tensor
    mask: Tensor
    where: Tensor | None = None
    layers: tuple[Tensor, ...] = ()
    items: int = 1

    @property
    def present(self) -> Tensor:
        """`[B]` bool: the row has at least one real token."""
        return self.mask.any(dim=1)

    @property
    def device(self) -> torch.device:
        """Where its tensors lie."""
        return self.x.device

    @classmethod
    def single(cls, x_BD: Tensor, present_B: Tensor | None = None) -> "Tokens":
        """One token a row, from `[B, D]`."""
        if present_B is None:
            present_B = torch.ones(len(x_BD), dtype=torch.bool, device=x_BD.device)
        return cls(x_BD.unsqueeze(1), present_B.unsqueeze(1))

    @classmethod
    def missing(
        cls, rows: int, dim: int, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
    ) -> "Tokens":
        """A batch in which no row has this modality; `dtype` is that of the other modalities, by default float32."""
        x_B1D = torch.zeros(rows, 1, dim, device=device, dtype=dtype)
        return cls(x_B1D, torch.zeros(rows, 1, dtype=torch.bool, device=device))

    @classmethod
    def absent(cls, *given: Any, **more: Any) -> "Tokens":
        """The former name of `missing`, until version 0.3."""
        warnings.warn("plait.types.Tokens.absent is now Tokens.missing", DeprecationWarning, stacklevel=2)
        return cls.missing(*given, **more)

    def take(self, index_BK: Tensor) -> "Tokens":
        """Tokens of U distinct values → tokens of B rows, each of up to K values.

        Args:
            index_BK: `[B, K]` the values of each row; -1 where there is none.

        Returns:
            Tokens of shape `[B, K * T, D]`.
        """
        rows, many = index_BK.shape
        flat = index_BK.clamp(min=0).flatten()
        real = (index_BK >= 0).unsqueeze(-1)  # [B, K, 1]
        length = self.x.shape[1]

        def taken(x: Tensor) -> Tensor:
            return x.index_select(0, flat).view(rows, many * length, -1)

        mask = (self.mask.index_select(0, flat).view(rows, many, length) & real).view(rows, many * length)
        where = None if self.where is None else taken(self.where)
        return Tokens(taken(self.x), mask, where, tuple(taken(layer) for layer in self.layers), many)


POOLED = "\0pooled"  # the fused vectors among outputs by target: a name that no column has


@dataclass
class Fused:
    """The modalities of a batch as one.

    `tokens` is computed on first use, so that a head which reads `pooled` alone does not pay for it.

    Args:
        pooled: `[B, H]`.
        make_tokens: gives Tokens `[B, T', H]` of all modalities, for decoders.
        alone: of a late fusion, modality → what it says by itself `[B, H]`, and `[B]` bool: the row has it.
        parts: modality → its own tokens, of a fusion that leaves the fusing to a language model.
    """

    pooled: Tensor
    make_tokens: Callable[[], Tokens]
    alone: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    parts: dict[str, Tokens] = field(default_factory=dict)

    @cached_property
    def tokens(self) -> Tokens:
        return self.make_tokens()


@dataclass
class Input:
    """One modality of a batch: its distinct values, and which row uses which.

    Rows that share an image hold it once; the encoder sees U values instead of B.

    Args:
        features: what the encoder reads; every tensor has U as its first dimension.
        index: `[B, K]` int64, the values of each row, -1 for none; None where row i has value i alone.
        items: values that a row's features are of, where there is no index: stored features lie side by side.
    """

    features: dict[str, Tensor]
    index: Tensor | None = None
    items: int = 1

    @property
    def empty(self) -> bool:
        """No row of the batch has a value."""
        return not self.features

    def to(self, device: torch.device | str) -> "Input":
        features = {name: tensor.to(device, non_blocking=True) for name, tensor in self.features.items()}
        return Input(features, None if self.index is None else self.index.to(device, non_blocking=True), self.items)


@dataclass
class Batch:
    """Rows on their way through a model.

    Args:
        inputs: modality → its values.
        targets: target → `[B, …]`; NaN or -1 where the row has no target.
        rows: row numbers in the table, on the CPU.
    """

    inputs: dict[str, Input]
    targets: dict[str, Tensor]
    rows: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def to(self, device: torch.device | str) -> "Batch":
        if torch.device(device).type == "cpu":
            return self
        return Batch(
            {name: value.to(device) for name, value in self.inputs.items()},
            {name: _to(device, target) for name, target in self.targets.items()},
            self.rows,
        )


def _to(device: torch.device | str, target: Tensor) -> Tensor:
    """A target on a device; Apple's know no float64."""
    if torch.device(device).type == "mps" and target.dtype == torch.float64:
        target = target.float()
    return target.to(device, non_blocking=True)


@dataclass
class Generated:
    """What a decoder wrote about N rows; tensors, or arrays of what is kept. It is indexed and joined by rows.

    Args:
        ids: `[N, L]` int64 tokens, -1 behind the end.
        scores: `[N]` that the texts were found with.
        losses: `[N]` mean loss a token of the rows' own texts; NaN where a row has none.
    """

    ids: Any
    scores: Any
    losses: Any

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: Any) -> "Generated":
        """Some rows: a mask, positions or a slice; of a single number one row."""
        if isinstance(rows, int) or getattr(rows, "ndim", 1) == 0:
            rows = slice(int(rows), int(rows) + 1)
        return Generated(self.ids[rows], self.scores[rows], self.losses[rows])

    @property
    def device(self) -> torch.device:
        """Where its tensors lie."""
        return self.ids.device

    def cpu(self) -> "Generated":
        """The same on the CPU, numbers in float32."""
        return Generated(self.ids.cpu(), self.scores.float().cpu(), self.losses.float().cpu())

    def numpy(self) -> "Generated":
        """The same with arrays."""
        return Generated(self.ids.numpy(), self.scores.numpy(), self.losses.numpy())

    @classmethod
    def join(cls, parts: Sequence["Generated"]) -> "Generated":
        """The rows of several, one after the other, on the CPU."""
        longest = max(part.ids.shape[1] for part in parts)
        ids = [torch.nn.functional.pad(part.ids, (0, longest - part.ids.shape[1]), value=-1) for part in parts]
        return cls(torch.cat(ids), torch.cat([p.scores for p in parts]), torch.cat([p.losses for p in parts]))


@dataclass
class UnimodalOutput:
    """What one modality says of a batch by itself: raw predictions a target, and `[B]` bool: the row has it."""

    predictions: dict[str, Tensor]
    present: Tensor


@dataclass
class Output:
    """What a model says of a batch: raw predictions a target, and the fused vector `[B, H]` beneath them.

    `alone` holds what each modality says by itself, where the model asks them (late fusions, auxiliary heads);
    `masked` what the whole model says of each with the others taken away, where it is watched.
    """

    predictions: dict[str, Tensor]
    pooled: Tensor
    alone: dict[str, UnimodalOutput] = field(default_factory=dict)
    masked: dict[str, UnimodalOutput] = field(default_factory=dict)


__getattr__ = former_names(__name__, {"Alone": "plait.types.UnimodalOutput"})
