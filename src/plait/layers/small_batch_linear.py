"""A linear map of few rows, as writing a token at a time needs it: bound by reading the weights."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MOST = 128  # rows; from there on the usual order of factors is as fast
SMALL = 1 << 16  # weights below which nothing is gained


def small_batch_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`F.linear`, up to twice as fast for a few rows on a processor, where the same product is asked for otherwise.

    The weights stand on the left, `(W x^T)^T`, so that their many rows and not the few of x are spread over the
    cores; for one row they are cut into a block of rows a core. Where there are many rows, gradients, another device,
    another type of number or a compiler that looks on, it is `F.linear`.

    Shapes: `[..., I]`, `[O, I]` and `[O]` → `[..., O]`.

    >>> with torch.no_grad():
    ...     small_batch_linear(torch.ones(2, 1, 3), torch.eye(3), torch.ones(3))[0].tolist()
    [[2.0, 2.0, 2.0]]
    """
    out_dim, width = weight.shape
    rows = x.numel() // max(1, width)
    if not 0 < rows <= MOST or weight.numel() < SMALL or torch.is_grad_enabled() or not _plain(x, weight):
        return F.linear(x, weight, bias)
    if rows == 1:
        blocks = next(n for n in range(torch.get_num_threads(), 0, -1) if out_dim % n == 0)
        cut = weight.view(blocks, out_dim // blocks, width).transpose(1, 2)
        output = torch.bmm(x.reshape(1, 1, width).expand(blocks, 1, width), cut).view(out_dim)
        output = output if bias is None else output.add_(bias)
    else:
        columns = torch.mm(weight, x.reshape(rows, width).T).T
        output = columns.contiguous() if bias is None else torch.add(columns, bias, out=torch.empty(rows, out_dim))
    return output.view(*x.shape[:-1], out_dim)


class SmallBatchLinear(nn.Linear):
    """A linear layer that is fast on few rows; everything else about it is a linear layer's."""

    @classmethod
    def of(cls, layer: nn.Linear) -> "SmallBatchLinear":
        """One that shares a layer's weights: the same tensors under the same names."""
        twin = cls(layer.in_features, layer.out_features, layer.bias is not None, device="meta")
        twin.weight, twin.bias = layer.weight, layer.bias
        return twin.train(layer.training)

    def forward(self, x: Tensor) -> Tensor:
        return small_batch_linear(x, self.weight, self.bias)


def use_fast_linear(model: nn.Module) -> None:
    """Put fast layers where a model, ours or somebody else's, has linear ones; its weights and their names stay.

    A layer with hooks keeps its place: they are its owner's.
    """
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is nn.Linear and not layer._forward_hooks and not layer._forward_pre_hooks:
                setattr(parent, name, SmallBatchLinear.of(layer))


def _plain(x: Tensor, weight: Tensor) -> bool:
    """Whether these are numbers that a processor multiplies as they are, here and now."""
    watched = torch.jit.is_tracing() or torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu")
    return x.dtype == weight.dtype == torch.float32 and x.device.type == "cpu" and not watched
