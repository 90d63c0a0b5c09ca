"""MiniRocket's features as a vector, with nothing to train."""

from torch import Tensor, nn

from plait.processors.minirocket import MiniRocketProcessor
from plait.types import Tokens


class MiniRocket(nn.Module):
    """The features that `MiniRocketProcessor` computes (2012.08791), for linear models, kernels, trees and networks.

    Args:
        processor: fitted to training series.

    Shapes: `{"shares": [U, F]}` → Tokens `[U, 1, F]`.
    """

    modality = "series"
    fit_processor = MiniRocketProcessor.fit
    fixed = True

    def __init__(self, processor: MiniRocketProcessor) -> None:
        super().__init__()
        self.processor = processor
        self.out_dim = processor.size

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        return Tokens.single(features["shares"])
