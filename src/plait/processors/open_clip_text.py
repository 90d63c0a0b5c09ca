"""Text as tokens of open_clip's tokenizer."""

from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge, Le
from torch import Tensor

from plait.errors import import_extra


class OpenClipTextProcessor:
    """A string → token ids, all of one length.

    Args:
        context_length: tokens a text; longer ones are cut.
    """

    def __init__(self, context_length: Annotated[int, Ge(1), Le(1 << 20)] = 77) -> None:
        self.context_length = context_length
        self._tokenizer: Any = None

    def __getstate__(self) -> dict[str, Any]:
        # Workers make a tokenizer of their own when they need it.
        return {"context_length": self.context_length, "_tokenizer": None}

    def to_json(self) -> dict[str, Any]:
        return {"context_length": self.context_length}

    def __call__(self, value: str) -> dict[str, np.ndarray]:
        """A text → `{"ids": [T]}` int32."""
        if self._tokenizer is None:
            open_clip = import_extra("open_clip", "open_clip")
            self._tokenizer = open_clip.SimpleTokenizer(context_length=self.context_length)
        return {"ids": self._tokenizer([str(value)])[0].numpy().astype(np.int32)}

    def blank(self) -> dict[str, np.ndarray]:
        """An empty text."""
        return self("")

    def collate(self, values: list[dict[str, np.ndarray]]) -> dict[str, Tensor]:
        """U texts → `{"ids": [U, T] int64}`."""
        return {"ids": torch.from_numpy(np.stack([value["ids"] for value in values]).astype(np.int64))}
