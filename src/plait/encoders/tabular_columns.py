"""Numbers and categories as columns of one scale, for linear models and kernels."""

import torch
from torch import Tensor, nn

from plait.processors import TabularProcessor
from plait.types import Tokens

MOST = 1_000  # known values of a category that have a column each, the most frequent ones
FAR = 8.0  # deviations beyond which a number counts as so far


class ScaledColumns(nn.Module):
    """One token a row: of each number its standard score, that of its logarithm and whether it is missing, of each
    category a column a value. Nothing to learn.

    A missing number has the mean's score. The logarithm, `sign(x) log(1 + |x| / m)` with m the median size of the
    training's quantiles, tells small values apart beside large ones.

    Args:
        processor: scales, quantiles and vocabularies.

    Shapes: `{"numbers": [B, N], "codes": [B, C]}` → Tokens `[B, 1, 3 N + columns of the categories]`.

    >>> processor = TabularProcessor.fit({"p": [1.0, 3.0], "c": ["a", "b"]}, ["p"], [], ["c"])
    >>> tokens = ScaledColumns(processor)(processor.collate([processor({"p": 3, "c": "b"}), processor({})]))
    >>> tokens.x[:, 0, [0, 2, 3, 4]].tolist()
    [[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0]]
    """

    modality = "tabular"
    mean: Tensor
    std: Tensor
    unit: Tensor
    log_mean: Tensor
    log_std: Tensor

    def __init__(self, processor: TabularProcessor) -> None:
        super().__init__()
        self.processor = processor
        names = processor.scalar_names
        stats = torch.tensor([processor.stats[name] for name in names], dtype=torch.float64).view(len(names), 2)
        logs = []
        units = []
        for name in names:  # quantiles stand for the values: each holds as many of them
            edges = torch.tensor(processor.edges[name], dtype=torch.float64)
            sizes = edges.abs()[edges != 0]
            units.append(float(sizes.median()) if len(sizes) else 1.0)
            log = edges.sign() * (edges.abs() / units[-1]).log1p()
            logs.append([float(log.mean()), float(log.std(unbiased=False)) or 1.0])
        scales = torch.tensor(logs, dtype=torch.float64).view(len(names), 2)
        for buffer, values in (
            ("mean", stats[:, 0]),
            ("std", stats[:, 1]),
            ("unit", torch.tensor(units, dtype=torch.float64)),
            ("log_mean", scales[:, 0]),
            ("log_std", scales[:, 1]),
        ):
            self.register_buffer(buffer, values.clone(), persistent=False)  # the processor holds them
        self.sizes = [min(len(values), MOST) for values in processor.categories.values()]
        self.out_dim = 3 * len(names) + sum(self.sizes)

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        numbers = features["numbers"].double()
        known = numbers.isfinite()
        plain = (numbers - self.mean) / self.std
        log = (numbers.sign() * (numbers.abs() / self.unit).log1p() - self.log_mean) / self.log_std
        columns = [scores.masked_fill(~known, 0).clamp(-FAR, FAR) for scores in (plain, log)]
        columns.append((~known).double())
        for position, size in enumerate(self.sizes):  # code 0 is a value that training never saw: no column
            code = features["codes"][:, position : position + 1]
            columns.append((code == torch.arange(1, size + 1, device=code.device)).double())
        return Tokens.single(torch.cat(columns, dim=1).float())
