"""The place of a frozen encoder whose outputs are stored."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from plait.encoders.tuning import stored_part
from plait.types import Tokens


class StoredEncoder(nn.Module):
    """Holds a modality's width and no weights: the model reads the stored outputs instead of calling it.

    Args:
        out_dim: D of the stored tokens.
        modality: of the encoder that it stands for.
        make_after: makes what reads the stored outputs and trains, where there is such a part; D is then its own.
    """

    def __init__(self, out_dim: int, modality: str, make_after: Callable[[], Any] | None = None) -> None:
        super().__init__()
        self.stored_dim = self.out_dim = out_dim
        self.modality, self.make_after = modality, make_after
        if make_after is not None:
            self.after = make_after()
            self.out_dim = self.after.out_dim

    @classmethod
    def of(cls, encoder: Any) -> "StoredEncoder":
        """In the place of an encoder."""
        return cls(stored_part(encoder).out_dim, encoder.modality, getattr(encoder, "make_after", None))

    def again(self, fitted: bool) -> "StoredEncoder":
        """One whose weights are drawn anew; without any where what reads it is `fitted`, and trains nothing."""
        return StoredEncoder(self.stored_dim, self.modality, None if fitted else self.make_after)

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        raise RuntimeError("this encoder's outputs are stored; give the model stored features")
