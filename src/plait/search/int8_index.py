"""A copy of the vectors in one byte per number: a quarter of the memory to read per query, and the same answers."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

GROUP = 64  # vectors whose best score is looked at before their own
MOST = 8  # the share of the vectors, as 1 / MOST, that may have to be scored again; beyond it the copy does not pay
BLOCK = 64  # numbers, and vectors, that the product may take at once: it can read past an end that is no multiple
CHECKED = 4  # questions that a new copy is tried on
ROUNDED = 2.0**-8  # relative error of a score that comes in bfloat16
SUMMED = 2.0**-23  # the same of each number of a row that float32 adds, twice what it can be


class Int8Index:
    """Vectors in 8 bits with a scale each, which find the candidates of a question.

    How wrong a score can be is known from what rounding took from the vectors, from the question, and from the score
    itself. So whatever may belong to the k best is among the candidates, and scoring these again in float32 gives
    the answer that all of the vectors would give.

    Args:
        vectors: `[N, D]` float32.

    Raises:
        RuntimeError: this version of torch, on this machine, has no such product, or not of these numbers.
    """

    def __init__(self, vectors: Tensor) -> None:
        self.vectors = vectors
        largest = vectors.norm(float("inf"), dim=1).clamp(min=1e-30)
        scale = (largest / 127).to(torch.bfloat16)[:, None]
        rows, width = (-(-size // BLOCK) * BLOCK for size in vectors.shape)
        self.scale = F.pad(scale[:, 0], (0, rows - len(vectors)))
        self.codes = torch.zeros(rows, width, dtype=torch.int8)
        self.lost, self.size = 0.0, 0.0  # largest norms: of what was rounded away, of what is left
        for start in range(0, len(vectors), 8192):
            part = slice(start, start + 8192)
            codes = (vectors[part] / scale[part].float()).round_().clamp_(-127, 127)
            self.codes[start : start + len(codes), : vectors.shape[1]] = codes
            rounded = codes * scale[part].float()
            self.lost = max(self.lost, float((vectors[part] - rounded).norm(dim=1).max()))
            self.size = max(self.size, float(rounded.norm(dim=1).max()))
        # Not every machine's product gives what it should, so it is tried out first.
        for place in np.linspace(0, len(vectors) - 1, CHECKED, dtype=np.int64).tolist():
            scores, error = self.scores(vectors[place])
            if not float((scores - vectors @ vectors[place]).abs().max()) <= error:
                raise RuntimeError("products of 8-bit weights are not what they should be here")

    @property
    def deepest(self) -> int:
        """The most vectors that may be asked for."""
        return len(self.vectors) // GROUP

    def scores(self, query_D: Tensor) -> tuple[Tensor, float]:
        """`[N]` scores, and the most that one of them can be wrong by."""
        short = query_D.to(torch.bfloat16)
        padded = F.pad(short, (0, self.codes.shape[1] - len(short)))[None]
        scores = torch._weight_int8pack_mm(padded, self.codes, self.scale)[0, : len(self.vectors)].float()
        error = self.lost * float(query_D.norm()) + self.size * float((query_D - short.float()).norm())
        error += ROUNDED * float(scores.abs().max()) + SUMMED * len(query_D) * self.size * float(query_D.norm())
        return scores, error

    def candidates(self, query_D: Tensor, k: int) -> Tensor | None:
        """Places that hold the k best, up to `deepest`; None where these are too many, or a score is no number."""
        whole = self.deepest
        scores, error = self.scores(query_D)
        largest = scores[: whole * GROUP].view(whole, GROUP).amax(dim=1).numpy()
        least = np.partition(largest, whole - k)[whole - k]  # at least k vectors score this high
        places = (scores >= float(least) - 2 * error).nonzero()[:, 0]
        return places if k <= len(places) <= len(scores) // MOST else None
