"""The rows of all processes as one batch."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.distributed.nn.functional import all_gather


def gather_rows(
    outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Outputs (gradients flow back to where they came from) and targets of every process, in order of rank.

    Processes may hold different numbers of rows: the shorter ones are filled up with rows that lack everything, whose
    targets are -1 (NaN where they are no whole numbers).

    A loss over them is the same in every process; averaging its gradients over processes, as data-parallel training
    does, gives the gradient of one process with all rows.
    """
    device = next(iter(outputs.values())).device
    count = torch.tensor([len(next(iter(outputs.values())))], device=device)
    counts = [torch.zeros_like(count) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(counts, count)
    most = int(torch.cat(counts).max())
    gathered = {
        name: torch.cat(all_gather(_filled(values, most, 0.0).contiguous())) for name, values in outputs.items()
    }
    truth = {}
    for name, values in targets.items():
        filled = _filled(values, most, float("nan") if values.is_floating_point() else -1).contiguous()
        parts = [torch.empty_like(filled) for _ in counts]
        torch.distributed.all_gather(parts, filled)
        truth[name] = torch.cat(parts)
    return gathered, truth


def _filled(values: Tensor, rows: int, value: float) -> Tensor:
    more = values.new_full((rows - len(values), *values.shape[1:]), value)
    return torch.cat([values, more])
