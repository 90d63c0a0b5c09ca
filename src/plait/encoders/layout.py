"""Which of an encoder's tokens are real, and where they lie, without running it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from plait.encoders.tuning import device_of

WHERE = "where"  # a processor's feature that says where its pieces lie; a layout reads it, the encoder does not need it


class Layout(NamedTuple):
    """What an encoder's `layout(features)` gives.

    Args:
        mask: `[U, T]` bool, True where a token is real; None where all are.
        where: `[U, T, 2]` start and end (seconds of sound and video, characters of a text), `[U, T, 4]` boxes, or None.
    """

    mask: Tensor | None = None
    where: Tensor | None = None


def layout_of(encoder: Any, features: Mapping[str, Tensor], length: int) -> Layout:
    """The layout of the tokens that an encoder gives for some features.

    An encoder says so itself by a method `layout(features) -> Layout`: its tokens may be fewer than its processor's
    pieces. One without it is taken to give a token for each of them, or else is run to see.

    Args:
        encoder: features of U values → Tokens `[U, T, D]`.
        features: what it reads.
        length: T.

    >>> features = {"ids": torch.ones(1, 2), "mask": torch.tensor([[True, False]])}
    >>> layout_of(None, features, length=2).mask.tolist()
    [[True, False]]
    """
    if hasattr(encoder, "layout"):
        layout: Layout = encoder.layout(features)
        return layout
    if length == 1:
        return Layout()
    mask = features.get("mask")
    if mask is not None and mask.shape[1] == length:
        return Layout(mask)
    device = device_of(encoder)
    with torch.inference_mode():
        tokens = encoder({name: tensor.to(device) for name, tensor in features.items()})
    return Layout(tokens.mask.cpu(), None if tokens.where is None else tokens.where.cpu())


def where_width(encoder: Any) -> int:
    """Numbers that say where a token of an encoder lies: 2 or 4; 0 where nothing does, or it has no `layout`."""
    if not hasattr(encoder, "layout"):
        return 0
    where = encoder.layout(encoder.processor.collate([encoder.processor.blank()])).where
    return 0 if where is None else int(where.shape[2])
