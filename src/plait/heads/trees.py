"""Boosted trees as tensors, which run, save and load like any module, whichever library grew them.

LightGBM's own text model answers many rows at once about ten times as fast. But a run would then need LightGBM to be
opened, and the trees of scikit-learn, which grow where LightGBM is missing, can be kept by pickle only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from plait.types import Fused


@dataclass
class Trees:
    """The nodes of many trees in one list; a leaf points to itself.

    Args:
        feature: `[N]` int64, which feature a node compares.
        threshold: `[N]` float64; a value up to it goes left.
        left, right: `[N]` int64 nodes.
        missing_left: `[N]` bool, where NaN goes.
        value: `[N]` float64, of a leaf.
        roots: `[T]` int64.
        output: `[T]` int64, the column that a tree adds to.
        base: `[O]` float64, to which trees add.
        depth: of the deepest leaf.
    """

    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    missing_left: Tensor
    value: Tensor
    roots: Tensor
    output: Tensor
    base: Tensor
    depth: Tensor


class TreeHead(nn.Module):
    """Sums of decision trees over the fused vector, split by target.

    Args:
        out_dims: target → how many numbers.
        in_dim: F of the fused vector, to check the features of trees that are loaded; None where it is not known.

    Its buffers are those of `Trees`. The answer is zero before `take`, and for a target without trees.
    """

    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    missing_left: Tensor
    value: Tensor
    roots: Tensor
    output: Tensor
    base: Tensor
    depth: Tensor

    def __init__(self, out_dims: Mapping[str, int], in_dim: int | None = None) -> None:
        super().__init__()
        self.out_dims, self.in_dim = dict(out_dims), in_dim
        empty = torch.zeros(0, dtype=torch.int64)
        width = sum(out_dims.values())
        zero = torch.zeros(0, dtype=torch.float64)
        flags = torch.zeros(0, dtype=torch.bool)
        base, depth = torch.zeros(width, dtype=torch.float64), torch.zeros((), dtype=torch.int64)
        self.take(Trees(empty, zero, empty, empty, flags, zero, empty, empty, base, depth))

    def take(self, trees: Trees) -> None:
        """Use these trees from now on."""
        for name, tensor in vars(trees).items():
            self.register_buffer(name, tensor)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        for name in Trees.__dataclass_fields__:  # of the sizes that were saved; here they are not known yet
            if f"{prefix}{name}" in state_dict:
                self.register_buffer(name, torch.empty_like(state_dict[f"{prefix}{name}"]))
        super()._load_from_state_dict(state_dict, prefix, *rest)
        if not self._is_sound():  # the file may be a stranger's: nodes beyond the end, or a depth without one
            rest[-1].append(f"{prefix}: these are no trees of this table")

    def _is_sound(self) -> bool:
        """Whether every walk down a tree ends at a node, and adds to an output, that is there."""
        nodes, width = self.feature.numel(), self.base.numel()
        columns = (self.feature, self.threshold, self.left, self.right, self.missing_left, self.value)
        if any(column.shape != (nodes,) for column in columns) or self.roots.shape != self.output.shape:
            return False
        if (
            self.roots.ndim != 1
            or self.base.shape != (sum(self.out_dims.values()),)
            or self.depth.ndim
            or not 0 <= int(self.depth) <= nodes
        ):
            return False
        limits = [(self.left, nodes), (self.right, nodes), (self.roots, nodes), (self.output, width)]
        limits.append((self.feature, self.in_dim or torch.iinfo(torch.int64).max))
        return all(not len(index) or (int(index.min()) >= 0 and int(index.max()) < most) for index, most in limits)

    def forward(self, fused: Fused) -> dict[str, Tensor]:
        x_BF = fused.pooled.double()
        rows, trees = len(x_BF), len(self.roots)
        answer_BO = self.base.expand(rows, -1).clone()
        if trees:
            # All rows walk down all trees at once; who arrives early waits, as a leaf points to itself.
            node_BT = self.roots.expand(rows, trees)
            for _ in range(int(self.depth)):
                x_BT = x_BF.gather(1, self.feature[node_BT])
                is_left = torch.where(x_BT.isnan(), self.missing_left[node_BT], x_BT <= self.threshold[node_BT])
                node_BT = torch.where(is_left, self.left[node_BT], self.right[node_BT])
            answer_BO.index_add_(1, self.output, self.value[node_BT])
        answer = answer_BO.float().split(list(self.out_dims.values()), dim=1)
        return dict(zip(self.out_dims, answer, strict=True))


class TreeBuilder:
    """Collects trees node by node."""

    def __init__(self, width: int) -> None:
        self.nodes: list[tuple[int, float, int, int, bool, float]] = []
        self.roots: list[int] = []
        self.output: list[int] = []
        self.base = [0.0] * width
        self.depth = 0

    def add(self) -> int:
        """A new node's number; a leaf of zero until it is set."""
        number = len(self.nodes)
        self.nodes.append((0, 0.0, number, number, False, 0.0))
        return number

    def split(self, node: int, feature: int, threshold: float, left: int, right: int, missing_left: bool) -> None:
        self.nodes[node] = (feature, threshold, left, right, missing_left, 0.0)

    def leaf(self, node: int, value: float, depth: int) -> None:
        self.nodes[node] = (0, 0.0, node, node, False, value)
        self.depth = max(self.depth, depth)

    def tree(self, root: int, output: int) -> None:
        self.roots.append(root)
        self.output.append(output)

    def build(self) -> Trees:
        columns = list(zip(*self.nodes, strict=True)) or [()] * 6
        whole, real = torch.int64, torch.float64
        return Trees(
            torch.tensor(columns[0], dtype=whole),
            torch.tensor(columns[1], dtype=real),
            torch.tensor(columns[2], dtype=whole),
            torch.tensor(columns[3], dtype=whole),
            torch.tensor(columns[4], dtype=torch.bool),
            torch.tensor(columns[5], dtype=real),
            torch.tensor(self.roots, dtype=whole),
            torch.tensor(self.output, dtype=whole),
            torch.tensor(self.base, dtype=real),
            torch.tensor(self.depth, dtype=whole),
        )
