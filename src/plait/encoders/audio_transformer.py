"""A small transformer over patches of log-mel frames, trained from scratch."""

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from plait.encoders.layout import Layout
from plait.encoders.log_mel import LogMel
from plait.encoders.sound_augment import SoundAugment
from plait.layers import TransformerBlock, sinusoidal_positions
from plait.processors.audio import AudioProcessor
from plait.types import Tokens


class AudioTransformer(nn.Module):
    """Transformer encoder (1706.03762, pre-norm) over patches that span all mel bands, as in AST (2104.01778) but for
    their shape.

    Args:
        processor: prepares the sounds.
        dim: D of the tokens, even and a multiple of `heads`.
        layers, heads, dropout: as in the paper.
        mels: bands.
        patch: frames of 10 ms a token.
        shift, gain, noise, time_mask, freq_mask: augmentation, see `SoundAugment`.

    Shapes: `{"wave": [U, N], "length": [U]}` → Tokens `[U, T, dim]`, with their seconds.

    >>> import torch
    >>> encoder = AudioTransformer(AudioProcessor(), dim=8, layers=1, heads=2)
    >>> encoder({"wave": torch.zeros(2, 16_000), "length": torch.tensor([16_000, 800])}).mask.sum(dim=1).tolist()
    [13, 1]
    """

    modality = "audio"
    fit_processor = AudioProcessor.fit
    eager_only = True

    def __init__(
        self,
        processor: AudioProcessor,
        dim: int = 128,
        layers: int = 3,
        heads: int = 4,
        dropout: float = 0.1,
        mels: int = 64,
        patch: int = 8,
        shift: float = 0.0,
        gain: float = 6.0,
        noise: float = 0.0,
        time_mask: float = 0.1,
        freq_mask: int = 8,
    ) -> None:
        super().__init__()
        if patch < 1:
            raise ValueError(f"patch: expected one frame at least, got {patch}")
        self.processor = processor
        self.out_dim = dim
        self.patch = patch
        self.log_mel = LogMel(processor, mels, SoundAugment(shift, gain, noise, time_mask, freq_mask))
        self.embed = nn.Linear(patch * mels, dim)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList([TransformerBlock(dim, heads, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(dim)

    def layout(self, features: Mapping[str, Tensor]) -> Layout:
        """Which tokens hold sound, and from which second to which."""
        length = features["length"]
        mask = self._patched(self.log_mel.mask(length, features["wave"].shape[1]))
        return Layout(mask, self.log_mel.where(length, mask.shape[1], self.patch))

    def _patched(self, mask_UT: Tensor) -> Tensor:
        padded = F.pad(mask_UT, (0, -mask_UT.shape[1] % self.patch))
        return padded.view(len(mask_UT), -1, self.patch).any(dim=2)

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        frames, mask = self.log_mel(features)
        mask = self._patched(mask)
        frames = F.pad(frames, (0, 0, 0, -frames.shape[1] % self.patch))
        x = self.embed(frames.reshape(len(frames), mask.shape[1], -1).to(self.embed.weight.dtype))
        x = self.dropout(x + sinusoidal_positions(x.shape[1], x.shape[2]).to(x))
        layers = []
        for block in self.blocks:
            x = block(x, mask)
            layers.append(x)
        x = self.norm(x)
        where = self.log_mel.where(features["length"], mask.shape[1], self.patch)
        return Tokens(x, mask, where, (*layers[:-1], x))
