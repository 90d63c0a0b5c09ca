"""Several inputs on one clock: what each says within the same stretch of time."""

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from plait.errors import DataError
from plait.layers import masked_mean, temporal_maker
from plait.types import Fused, Tokens

MOST_TICKS = 10_000


def segments(tokens: Tokens, clock: float, count: int) -> Tokens:
    """Tokens of a recording, pooled to equal stretches of time.

    A stretch is the mean of the tokens that lie in it, each by how long it does; a token without a length counts where
    it is. A stretch with no token is no token: nothing is filled in.

    Args:
        tokens: `[B, T, D]`, with their seconds in `where` `[B, T, 2]`.
        clock: seconds of a stretch.
        count: stretches.

    Returns:
        Tokens `[B, count, D]`.

    Raises:
        ValueError: the tokens lie nowhere in time.

    >>> x, where = torch.tensor([[[2.0], [4.0]]]), torch.tensor([[[0.0, 1.0], [1.0, 2.0]]])
    >>> segments(Tokens(x, torch.ones(1, 2, dtype=torch.bool), where), clock=1.5, count=2).x.flatten().tolist()
    [2.6666667461395264, 4.0]
    """
    if tokens.where is None or tokens.where.shape[2] != 2:
        raise ValueError("expected tokens with their seconds, [B, T, 2] in where")
    start, end = tokens.where.float().unbind(dim=2)
    edges = clock * torch.arange(count + 1, device=tokens.device)
    low = torch.maximum(start.unsqueeze(1), edges[:-1].unsqueeze(1))  # [B, count, T]
    high = torch.minimum(end.unsqueeze(1), edges[1:].unsqueeze(1))
    # Rounding leaves slivers in the next stretch: what is shorter than a thousandth of one is none.
    overlap = (high - low).clamp(min=0)
    overlap = overlap.masked_fill(overlap < 1e-3 * torch.minimum(end - start, end.new_tensor(clock)).unsqueeze(1), 0)
    is_point = (end <= start).unsqueeze(1)
    at = (start.unsqueeze(1) >= edges[:-1].unsqueeze(1)) & (start.unsqueeze(1) < edges[1:].unsqueeze(1))
    weight = torch.where(is_point, at.float(), overlap).masked_fill(~tokens.mask.unsqueeze(1), 0)
    total = weight.sum(dim=2, keepdim=True)
    x = tokens.x.masked_fill(~tokens.mask.unsqueeze(2), 0)
    pooled = (weight / total.clamp(min=1e-12)).to(x.dtype) @ x
    where = torch.stack([edges[:-1], edges[1:]], dim=1).expand(len(x), -1, -1)
    return Tokens(pooled, total.squeeze(2) > 0, where)


def tick_count(recordings: Iterable[Tokens], clock: float) -> int:
    """Ticks of so many seconds up to the end of the longest recording of a batch; one at least.

    Raises:
        DataError: there are more than 10,000.
    """
    ends = [given.where[..., 1].masked_fill(~given.mask, 0) for given in recordings if given.where is not None]
    longest = max((float(end.max()) for end in ends if end.numel()), default=0.0)
    count = max(1, math.ceil(longest / clock - 1e-3))
    if count > MOST_TICKS:
        raise DataError(
            f"a clock of {clock:g} s: a recording of {longest:g} s would take {count:,} ticks, more than "
            f"{MOST_TICKS:,}; take a slower clock, or read less of it (the input's seconds)"
        )
    return count


def timed(tokens: Tokens) -> Tokens:
    """Tokens with seconds: of a batch in which nobody has an input, a learned stand-in lies at the beginning."""
    where = tokens.x.new_zeros(*tokens.mask.shape, 2) if tokens.where is None else tokens.where
    return Tokens(tokens.x, tokens.mask, where)


class ClockFusion(nn.Module):
    """Any fusion at each tick of one clock, and what reads the ticks in order.

    Inputs with seconds are pooled to the ticks; at each tick the fusion sees what they say at that time, and what
    inputs without a time say. So what happens at once meets, as a bounce and its sound, which fusions of whole
    recordings can't see. A tick at which no timed input says anything is left out.

    Args:
        fusion: of one token an input; its pooled vector is a tick's.
        timed: the inputs whose `where` is in seconds.
        out_dim: H.
        clock: seconds of a tick.
        reader: `gru`, which learns from few rows what comes right after what, or `transformer`, which wants many.
        layers, heads, dropout: of it; None for its own defaults.

    Raises:
        ValueError: no input has a time, or the reader does not read a setting.
        DataError: a recording takes more than 10,000 ticks.

    Shapes: Tokens `[B, T, D]` by input → `Fused` whose tokens are the ticks, `[B, ticks, H]`, with their seconds.

    >>> from plait.fusion import ConcatFusion
    >>> fusion = ClockFusion(ConcatFusion({"clip": 4, "title": 2}, 8), ["clip"], 8, clock=0.5)
    >>> where = torch.tensor([[[0.0, 0.5], [0.5, 1.0], [1.0, 1.5]]])
    >>> clip = Tokens(torch.zeros(1, 3, 4), torch.ones(1, 3, dtype=torch.bool), where)
    >>> fusion({"clip": clip, "title": Tokens.missing(1, 2)}).tokens.x.shape
    torch.Size([1, 3, 8])
    """

    def __init__(
        self,
        fusion: nn.Module,
        timed: list[str],
        out_dim: int,
        clock: float,
        reader: str = "gru",
        layers: int | None = None,
        heads: int | None = None,
        dropout: float | None = None,
    ) -> None:
        super().__init__()
        if not timed:
            raise ValueError("a clock needs an input with seconds: video, sound or series")
        self.fusion, self.timed, self.clock = fusion, list(timed), clock
        self.stage = getattr(fusion, "stage", "mid")
        self.reader = temporal_maker(reader, out_dim, dim=out_dim, layers=layers, heads=heads, dropout=dropout)()

    def forward(self, tokens: Mapping[str, Tokens]) -> Fused:
        ticks = self.ticks(tokens)
        return Fused(masked_mean(ticks), lambda: ticks)

    def ticks(self, tokens: Mapping[str, Tokens]) -> Tokens:
        """What the fusion says at each tick, read in order."""
        count = tick_count([tokens[name] for name in self.timed if name in tokens], self.clock)
        on_clock = {name: self._at_ticks(name, given, count) for name, given in tokens.items()}
        heard = torch.stack([on_clock[name].mask for name in self.timed if name in on_clock]).any(dim=0)
        # A row with no timed input at all has one tick, at which the others speak.
        alone = ~heard.any(dim=1)
        heard = heard | (alone.unsqueeze(1) & (torch.arange(count, device=heard.device) == 0))
        rows = len(heard)
        folded = {
            name: Tokens(x.x.flatten(0, 1).unsqueeze(1), x.mask.flatten().unsqueeze(1)) for name, x in on_clock.items()
        }
        pooled = self.fusion(folded).pooled
        edges = self.clock * torch.arange(count + 1, device=heard.device)
        where = torch.stack([edges[:-1], edges[1:]], dim=1).expand(rows, -1, -1)
        read = self.reader(Tokens(pooled.unflatten(0, (rows, count)), heard, where))
        present = torch.stack([given.present for given in tokens.values()]).any(dim=0)
        return Tokens(read.x, heard & present.unsqueeze(1), where)

    def _at_ticks(self, name: str, tokens: Tokens, count: int) -> Tokens:
        if name in self.timed:
            return segments(timed(tokens), self.clock, count)
        whole: Tensor = masked_mean(tokens)
        return Tokens(whole.unsqueeze(1).expand(-1, count, -1), tokens.present.unsqueeze(1).expand(-1, count))
