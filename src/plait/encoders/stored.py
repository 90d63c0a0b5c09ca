"""The place of a frozen encoder whose outputs are stored."""

from torch import Tensor, nn

from plait.types import Tokens


class StoredEncoder(nn.Module):
    """Holds a modality's width and no weights: the model reads the stored outputs instead of calling it.

    Args:
        out_dim: D of the tokens.
        modality: of the encoder that it stands for.
    """

    def __init__(self, out_dim: int, modality: str) -> None:
        super().__init__()
        self.out_dim = out_dim
        self.modality = modality

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        raise RuntimeError("this encoder's outputs are stored; give the model stored features")
