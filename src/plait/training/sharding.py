"""One model over several processes: FSDP2, and the way between whole tensors and each process's part."""

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

UNIT = 1_000_000  # parameters from which a block is gathered by itself, just before it runs


def sharded_copy(model: nn.Module, device: torch.device, unit: int = UNIT) -> nn.Module:
    """A copy of a model whose parameters lie in shards over all processes (FSDP2, 2304.11277).

    Weights, gradients and optimizer state take a share of the memory in each process; a block's weights are whole
    only while it runs. The model itself stays as it is, on the host: it takes the trained weights at the end.

    Args:
        model: the same in every process.
        device: where the shards lie.
        unit: parameters from which a block is a unit of its own.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    twin = copy.deepcopy(model)
    for parameter in twin.parameters():  # FSDP2 refuses channels-last weights
        parameter.data = parameter.data.contiguous()
    twin.to(device)
    if hasattr(twin, "encode_blanks"):
        setattr(twin, "encode_blanks", True)  # noqa: B010 (a plain flag, which nn.Module's types do not know)
    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    _shard_blocks(twin, mesh, unit)
    fully_shard(twin, mesh=mesh)
    return twin


def _shard_blocks(module: nn.Module, mesh: Any, unit: int) -> int:
    """Shard large blocks, the deepest first; returns the parameters that no unit holds yet."""
    from torch.distributed.fsdp import fully_shard

    rest = sum(parameter.numel() for parameter in module.parameters(recurse=False))
    for child in module.children():
        left = _shard_blocks(child, mesh, unit)
        if left >= unit and _runs(child):
            fully_shard(child, mesh=mesh)
            left = 0
        rest += left
    return rest


def _runs(module: nn.Module) -> bool:
    """Whether a module is called itself; a list of modules only holds others."""
    return type(module).forward is not nn.Module.forward


def _is_shard(tensor: Tensor) -> "TypeGuard[DTensor]":
    """Whether it is a DTensor, by what only such a tensor has: importing the class takes most of a second."""
    return hasattr(tensor, "full_tensor")


def share_buffers(model: nn.Module) -> None:
    """Give every process the first one's buffers, such as running statistics, as DDP does; all call it together."""
    for buffer in model.buffers():
        torch.distributed.broadcast(buffer, 0)


def whole(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Full tensors of shards, on every process; all processes call it together. Others pass through."""
    return {name: tensor.full_tensor() if _is_shard(tensor) else tensor for name, tensor in tensors.items()}


def local(tensor: Tensor) -> Tensor:
    """The part that lies in this process, as a view."""
    return tensor.to_local().detach() if _is_shard(tensor) else tensor


def laid_out_as(full: Tensor, like: Tensor) -> Tensor:
    """A full tensor in another's layout; all processes call it together."""
    if _is_shard(like):
        from torch.distributed.tensor import distribute_tensor

        return distribute_tensor(full.to(like.device), like.device_mesh, like.placements)
    return full
