"""A batch through an encoder a part at a time, so that its size is not bound by memory."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from plait.types import Tokens


def encode_in_chunks(encoder: Any, features: Mapping[str, Tensor], chunk: int) -> Tokens:
    """What `encoder(features)` gives, holding the activations of one part at a time (2101.06983).

    Each part is encoded without keeping activations, and once more when its gradient is due, with the same dropout.
    The gradients are those of the whole batch; batch norm, where there is one, sees a part.

    Args:
        encoder: features of U values → Tokens.
        features: every tensor has U as its first dimension.
        chunk: values a part.
    """
    count = len(next(iter(features.values())))
    shape: dict[str, Any] = {}

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        tokens = encoder(dict(zip(features, tensors, strict=True)))
        shape["where"] = tokens.where is not None
        return (tokens.x, tokens.mask, *([tokens.where] if shape["where"] else []), *tokens.layers)

    parts = []
    for start in range(0, count, chunk):
        part = [tensor[start : start + chunk] for tensor in features.values()]
        encoded = checkpoint(run, *part, use_reentrant=False, context_fn=lambda: (nullcontext(), _still(encoder)))
        parts.append(encoded)
    x, mask, *rest = (torch.cat(column) for column in zip(*parts, strict=True))
    return Tokens(x, mask, rest.pop(0) if shape["where"] else None, tuple(rest))


@contextmanager
def _still(encoder: nn.Module) -> Iterator[None]:
    """Moving statistics stay as they are: the second time a part is encoded is not to be counted."""
    norms: list[Any] = [module for module in encoder.modules() if getattr(module, "running_mean", None) is not None]
    kept = [norm.momentum for norm in norms]
    counts = [norm.num_batches_tracked.clone() for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum, count in zip(norms, kept, counts, strict=True):
            norm.momentum = momentum
            norm.num_batches_tracked.copy_(count)
