"""Retrieval: each side of a row finds the row's other sides among those of all rows."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Annotated, Any, Literal, get_args

import numpy as np
import torch
from annotated_types import Ge, Gt
from torch import Tensor

from plait.alignment.contrastive import info_nce, sigmoid_loss, triplet_loss
from plait.data.table import Table
from plait.errors import RecipeError, unknown
from plait.metrics.retrieval import directed_metrics
from plait.modalities import MODALITIES
from plait.tasks.asked import Asked
from plait.tasks.pairs import Sides, needs_two, side_codes
from plait.tasks.task import Task

Align = Literal["anchor", "all"]
Loss = Literal["info_nce", "sigmoid", "triplet"]
LOSSES = ("info_nce", "sigmoid", "triplet")


class Retrieval(Task):
    """Two or more sides in one space: a text finds its image, an image its texts.

    Every side is aligned with the anchor, or with every other side; rows that lack either are left out there. Rows
    that share a value on either side (two captions of an image, a text that occurs twice) are not negatives of each
    other.

    Args:
        sides: input → the columns that it reads, in the order of the model's vectors.
        modalities: of the sides.
        anchor: the side that all others are aligned with; None for the first image, else the first side.
        loss: `info_nce`, `sigmoid` or `triplet` (with the hardest negative of the batch).
        hardness: of `info_nce`: how much more a negative counts the closer it is; 0 for all alike.
        margin: of `triplet`, in cosine.
        align: `anchor` aligns the others with it alone, `all` each side with each.

    What the model gives is `[B, M, D + 1]`: a vector a side whose dot products are logits, zero where the row lacks
    the side, and the logits' bias.

    Raises:
        RecipeError: there is one side only, or the anchor or the loss is unknown.
    """

    kind = "retrieval"
    default_metric = "r_mean"
    alone, pairs, joint, in_batch, usual_name = True, True, False, True, "pairs"
    uncompared = "compare asks what each modality gives to predict a column; retrieval needs both sides"
    lacking = "no pair: the row lacks a side"

    def __init__(
        self,
        sides: Sides,
        modalities: Mapping[str, str],
        anchor: str | None = None,
        loss: Loss = "info_nce",
        hardness: float = 0.0,
        margin: float = 0.2,
        align: Align = "anchor",
    ) -> None:
        self.sides = {name: list(columns) for name, columns in sides.items()}
        self.modalities = {name: modalities[name] for name in self.sides}
        if len(self.sides) < 2:
            raise RecipeError(
                f"retrieval needs two inputs or more, got {', '.join(self.sides) or 'none'}; name the columns under "
                "inputs, or say what one is with --type COLUMN=text"
            )
        anchors = [n for n, name in self.modalities.items() if name in MODALITIES and MODALITIES[name].anchors]
        self.anchor = anchor or (anchors or list(self.sides))[0]
        if self.anchor not in self.sides:
            raise RecipeError(f"task.anchor: {unknown('input', self.anchor, self.sides)}")
        if loss not in LOSSES:
            raise RecipeError(f"task.loss: {unknown('loss', loss, LOSSES)}")
        self.loss_name: Loss = loss
        self.hardness, self.margin = hardness, margin
        if align not in get_args(Align):
            raise RecipeError(f"task.align: {unknown('way', str(align), get_args(Align))}")
        self.align: Align = align

    @classmethod
    def from_table(
        cls,
        asked: Asked,
        *,
        anchor: str | None = None,
        loss: Loss = "info_nce",
        temperature: Annotated[float, Gt(0)] | None = None,
        hardness: Annotated[float, Ge(0)] = 0.0,
        margin: Annotated[float, Ge(0)] = 0.2,
        align: Align = "anchor",
    ) -> "Retrieval":
        """The task of a table's inputs; the logits' scale is learned and begins at `temperature`."""
        return cls(asked.sides, asked.modalities, anchor, loss, hardness, margin, align)

    def to_json(self) -> dict[str, Any]:
        return {
            "sides": self.sides,
            "modalities": self.modalities,
            "anchor": self.anchor,
            "loss": self.loss_name,
            "hardness": self.hardness,
            "margin": self.margin,
            **({"align": self.align} if self.align != "anchor" else {}),
        }

    space = None  # vectors are no distribution

    @property
    def out_dim(self) -> int:
        return len(self.sides)

    @property
    def names(self) -> list[str]:
        """The sides, in the order of the vectors."""
        return list(self.sides)

    @property
    def links(self) -> list[tuple[int, int]]:
        """Positions of the sides that are aligned: the anchor and each other side, then the others with each other."""
        names = self.names
        anchor = names.index(self.anchor)
        others = [other for other in range(len(names)) if other != anchor]
        rest = list(combinations(others, 2)) if self.align == "all" else []
        return [*((anchor, other) for other in others), *rest]

    @property
    def measures(self) -> dict[str, bool]:
        """Metric → higher is better."""
        recalls = [name for a, b in self.links for name in self._pair_names(a, b)]
        return {**dict.fromkeys([*recalls, "r_mean", "mrr", "ndcg", "map"], True), "median_rank": False}

    def _pair_names(self, a: int, b: int) -> list[str]:
        return [f"{name}_r{k}" for name in self._directions(a, b) for k in (1, 5, 10)]

    @property
    def directions(self) -> list[str]:
        """For a run of two sides, the names of both directions: the anchor finds the other, the other the anchor."""
        return self._directions(*self.links[0])

    def _directions(self, a: int, b: int) -> list[str]:
        """A name for each direction, after what is found: `txt` and `img`; of both inputs where that is not enough."""
        names = [self.names[b], self.names[a]]
        kinds = [MODALITIES.get(self.modalities[name]) for name in names]
        short = [(kind.short if kind is not None else "") or n for kind, n in zip(kinds, names, strict=True)]
        return (
            short
            if len(self.sides) == 2 and short[0] != short[1]
            else [f"{names[0]}_by_{names[1]}", f"{names[1]}_by_{names[0]}"]
        )

    def describe(self) -> str:
        """The anchor, the others and the loss."""
        others = ", ".join(name for name in self.names if name != self.anchor)
        each = ", all with each other" if len(self.links) >= len(self.names) else ""
        return f"retrieval: {self.anchor} with {others}{each}, loss {self.loss_name}"

    def needs(self, name: str) -> str:
        """Two sides."""
        return needs_two(self.sides)

    def read(self, table: Table, name: str = "pairs", lenient: bool = False) -> np.ndarray | None:
        """`[N, M]` int64 codes of the sides' values, -1 where a row lacks one; None where the table lacks two."""
        present = [name for name, columns in self.sides.items() if any(column in table for column in columns)]
        return side_codes(table, self.sides) if len(present) > 1 else None

    def unusable(self, encoded: np.ndarray) -> np.ndarray:
        """`[N]` bool: the row lacks the anchor, or all others."""
        has_side = encoded >= 0
        return ~np.any([has_side[:, a] & has_side[:, b] for a, b in self.links], axis=0)

    def loss(self, vectors: Tensor, codes: Tensor) -> Tensor:
        """The mean over aligned pairs of sides of their loss; `[B, M, D + 1]` and `[B, M]`."""
        losses = []
        for a, b in self.links:
            complete = (codes[:, [a, b]] >= 0).all(dim=1) & (vectors[:, [a, b], :-1] != 0).any(dim=2).all(dim=1)
            if int(complete.sum()) > 1:
                losses.append(self._pair_loss(vectors[complete], codes[complete], a, b))
        return torch.stack(losses).mean() if losses else vectors.sum() * 0.0

    def _pair_loss(self, vectors: Tensor, codes: Tensor, a: int, b: int) -> Tensor:
        same = (codes[:, a, None] == codes[None, :, a]) | (codes[:, b, None] == codes[None, :, b])
        x, y = vectors[:, a, :-1].float(), vectors[:, b, :-1].float()
        if self.loss_name == "info_nce":
            return info_nce(x, y, 1.0, same, self.hardness)
        if self.loss_name == "sigmoid":
            return sigmoid_loss(x, y, 1.0, vectors[:, 0, -1].float().mean(), same)
        unit = torch.nn.functional.normalize
        return triplet_loss(unit(x, dim=1), unit(y, dim=1), self.margin, same)

    def row_loss(self, vectors: Tensor, codes: Tensor) -> Tensor:
        """`[B]` one minus the mean cosine of the aligned pairs."""
        unit = torch.nn.functional.normalize(vectors[..., :-1].float(), dim=2)
        return 1 - torch.stack([(unit[:, a] * unit[:, b]).sum(dim=1) for a, b in self.links]).mean(dim=0)

    def predictions(self, vectors: Tensor) -> np.ndarray:
        """`[N, M, D]` float32 vectors of length one; zero where the row lacks the side."""
        return torch.nn.functional.normalize(vectors[..., :-1].float(), dim=2).numpy()

    def score(self, codes: np.ndarray, vectors: np.ndarray, names: Sequence[str] | None = None) -> dict[str, float]:
        """Recall and ranks in both directions of each pair of sides; every distinct value counts once."""
        scores: dict[str, float] = {}
        others: dict[str, list[float]] = {}
        for a, b in self.links:
            complete = (codes[:, [a, b]] >= 0).all(axis=1)
            if not complete.any():
                continue
            pair = codes[complete][:, [a, b]]
            (x, rows), (y, columns) = (_distinct(pair[:, i], vectors[complete, side]) for i, side in enumerate((a, b)))
            links = np.stack([rows, columns], axis=1)
            forth, back = directed_metrics(x, y, links), directed_metrics(y, x, links[:, ::-1])
            for name, direction in zip(self._directions(a, b), (forth, back), strict=True):
                scores |= {f"{name}_{key}": direction.pop(key) for key in ("r1", "r5", "r10")}
                for key, value in direction.items():
                    others.setdefault(key, []).append(value)
        if not scores:
            return {}
        scores["r_mean"] = float(np.mean(list(scores.values())))
        scores |= {key: float(np.mean(values)) for key, values in others.items()}
        return {key: value for key, value in scores.items() if names is None or key in names}

    def answers(self, vectors: np.ndarray) -> list[float]:
        """How well each row's sides belong together: the mean cosine of the anchor and the others that the row has."""
        return np.nanmean(self._similarities(vectors), axis=0).tolist() if len(vectors) else []

    def columns(self, name: str, vectors: np.ndarray) -> dict[str, Any]:
        """What a predictions file holds: the cosine of each aligned pair; NaN where the row lacks a side."""
        names = self.names
        return {
            f"similarity_{names[b]}" if names[a] == self.anchor else f"similarity_{names[a]}_{names[b]}": values
            for (a, b), values in zip(self.links, self._similarities(vectors), strict=True)
        }

    def _similarities(self, vectors: np.ndarray) -> np.ndarray:
        """`[links, N]` cosines of the anchor and each other side; NaN where the row lacks one."""
        has_side = (vectors != 0).any(axis=2)
        cosines = [np.einsum("nd,nd->n", vectors[:, a], vectors[:, b]) for a, b in self.links]
        lacking = [~(has_side[:, a] & has_side[:, b]) for a, b in self.links]
        return np.where(lacking, np.nan, cosines)


def _distinct(codes: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The vector of each distinct value, and which of them each row has."""
    _, first, place = np.unique(codes, return_index=True, return_inverse=True)
    return vectors[first], place
