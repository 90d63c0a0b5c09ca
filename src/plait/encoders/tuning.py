"""Which parameters of an encoder train."""

from typing import Any

import torch
from torch import nn

from plait.errors import RecipeError


def stored_part(encoder: Any) -> Any:
    """The part of an encoder whose outputs are stored where it is frozen: all of it, or what comes `before` a part that
    trains all the same and reads them `after`.
    """
    return getattr(encoder, "before", encoder)


def set_trainable(encoder: Any, frozen: bool = False, tune_last: int | None = None) -> None:
    """Train all of an encoder, none of it, or its last n blocks; what comes after a part that is stored always trains.

    Args:
        encoder: for `tune_last` it has `blocks()`, its parameters by depth, shallow first.
        frozen: train nothing.
        tune_last: train this many of the deepest blocks and nothing else; 0 is the same as `frozen`.

    Raises:
        RecipeError: the encoder has no blocks, or fewer than `tune_last`.
    """
    encoder = stored_part(encoder)
    if frozen or tune_last is not None:
        encoder.requires_grad_(False)
    if frozen or not tune_last:
        return
    if not hasattr(encoder, "blocks"):
        raise RecipeError(f"tune_last works with timm: and hf: encoders, not with {type(encoder).__name__}")
    blocks = encoder.blocks()
    if tune_last > len(blocks):
        raise RecipeError(f"tune_last is {tune_last}, but {type(encoder).__name__} has {len(blocks)} blocks")
    for block in blocks[-tune_last:]:
        for parameter in block:
            parameter.requires_grad_(True)


def blocks_of(backbone: nn.Module) -> list[list[nn.Parameter]]:
    """Parameters by depth, shallow first: what stands before the blocks, each block, and with the last all after it.

    The blocks are the list of modules that holds the most parameters, as transformers' models keep theirs.
    """
    lists = [module for module in backbone.modules() if isinstance(module, nn.ModuleList)]
    if not lists:
        return [list(backbone.parameters())]
    stack = max(lists, key=lambda one: sum(parameter.numel() for parameter in one.parameters()))
    depth_of = {id(p): depth for depth, block in enumerate(stack, 1) for p in block.parameters()}
    groups: list[list[nn.Parameter]] = [[] for _ in range(len(stack) + 1)]
    depth = 0
    for parameter in backbone.parameters():
        depth = depth_of.get(id(parameter), depth)
        groups[depth].append(parameter)
    return groups


def is_frozen(encoder: Any) -> bool:
    """Nothing of its stored part trains, and its outputs are worth keeping: without parameters it says so (`fixed`)."""
    part = stored_part(encoder)
    parameters = list(part.parameters())
    return not any(p.requires_grad for p in parameters) if parameters else getattr(part, "fixed", False)


def device_of(module: nn.Module) -> torch.device:
    """Where a module's weights lie; the CPU where it has none."""
    return next((tensor.device for tensor in (*module.parameters(), *module.buffers())), torch.device("cpu"))


def frozen_parts_to_eval(module: nn.Module) -> None:
    """Put every part without a trainable parameter in evaluation mode: no dropout, no moving batch statistics."""
    parameters = list(module.parameters())
    if parameters and not any(parameter.requires_grad for parameter in parameters):
        module.eval()
        return
    for child in module.children():
        frozen_parts_to_eval(child)
