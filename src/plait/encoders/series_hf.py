"""Series encoders of transformers: PatchTST."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from plait.encoders.layout import Layout
from plait.encoders.text_pretrained import load_hf, model_of, source_of
from plait.encoders.tuning import blocks_of
from plait.encoders.weights import Weights, hash_weights
from plait.errors import RecipeError
from plait.processors.series import SeriesProcessor
from plait.types import Tokens

PATCHTST = "patchtst"
Pool = Literal["mean", "none"]
Channels = Literal["mean", "concat"]


class HfSeries(nn.Module):
    """PatchTST (2211.14730) as transformers has it: patches of each channel through one transformer.

    The model reads the last `context_length` steps of a series; before the first step of a shorter one it sees nothing
    observed. It counts steps and does not see the time between them: bring irregular series to a `clock`. What masking
    it was pre-trained with is left out.

    Args:
        processor: prepares the series.
        name: a hub name, a folder that `save_pretrained` wrote, or nothing with `config`.
        pool: `mean` of the patches (or the model's own summary token, where it has one), or `none` for a token a patch.
        channels: their `mean`, or side by side (`concat`), which keeps them apart.
        config: build untrained from this configuration instead of loading `name` (a run's weights follow).

    Shapes: `{"values": [U, T, C], "there": …, "times": …, "mask": …}` → Tokens `[U, 1 or P, D or C D]`, of `none` with
    their seconds.

    Raises:
        RecipeError: the folder holds another model, or one of another number of channels.
        PlaitError: the weights are not here and can't be fetched.
    """

    modality = "series"
    eager_only = True
    fit_processor = SeriesProcessor.fit

    def __init__(
        self,
        processor: SeriesProcessor,
        name: str,
        pool: Pool = "mean",
        channels: Channels = "mean",
        config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if pool not in get_args(Pool):
            raise ValueError(f"pool: expected mean or none, got {pool!r}")
        if channels not in get_args(Channels):
            raise ValueError(f"channels: expected mean or concat, got {channels!r}")
        self.processor, self.pool, self.channels = processor, pool, channels
        self.weights: Weights | None = None
        self.backbone: Any = load_hf("AutoModel", name) if config is None else model_of("AutoModel", config["series"])
        shape = self.backbone.config
        if shape.model_type != PATCHTST:
            raise RecipeError(f"hf:{name}: a model of the kind {shape.model_type} reads no series; known: {PATCHTST}")
        count = len(processor.means)
        if shape.num_input_channels != count:
            raise RecipeError(f"hf:{name}: reads {shape.num_input_channels} channels, and the series have {count}")
        self.backbone.float()
        self.backbone.do_mask_input, self.backbone.masking = False, nn.Identity()
        self.config: dict[str, Any] = {"series": shape.to_dict()}
        self.out_dim: int = shape.d_model * (count if channels == "concat" else 1)
        if config is None:
            self.weights = Weights(name=f"hf:{name}", source=source_of(name), sha256=hash_weights(self.backbone))

    def blocks(self) -> list[list[nn.Parameter]]:
        """Parameters by depth; see `blocks_of`."""
        return blocks_of(self.backbone)

    def _window(self, features: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """`[U, L]` step of each place of the model's window, and whether there is one."""
        length = self.backbone.config.context_length
        steps = features["mask"].sum(dim=1, keepdim=True)
        place = steps - length + torch.arange(length, device=steps.device)
        return place.clamp(min=0), place >= 0

    def layout(self, features: Mapping[str, Tensor]) -> Layout:
        """One vector of the whole series; else which patches hold steps, and from which second to which."""
        if self.pool == "mean":
            return Layout()
        place, real = self._window(features)
        held, seconds = self._patched(real), self._patched(features["times"].gather(1, place))
        first = torch.where(held, seconds, torch.inf).amin(dim=2)
        last = torch.where(held, seconds, -torch.inf).amax(dim=2) + self.processor.step
        mask = held.any(dim=2)
        return Layout(mask, torch.stack([first, last], dim=2).masked_fill(~mask.unsqueeze(2), 0.0))

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        place, real = self._window(features)
        channels = features["values"].shape[2]
        index = place.unsqueeze(2).expand(-1, -1, channels)
        there = features["there"].gather(1, index) & real.unsqueeze(2)
        values = features["values"].gather(1, index) * there
        dtype = next(self.backbone.parameters()).dtype
        said = self.backbone(past_values=values.to(dtype), past_observed_mask=there)
        x_UCPD = said.last_hidden_state
        if self.backbone.config.use_cls_token:
            x_UCPD = x_UCPD[:, :, :1] if self.pool == "mean" else x_UCPD[:, :, 1:]
        x = x_UCPD.mean(dim=1) if self.channels == "mean" else x_UCPD.permute(0, 2, 1, 3).flatten(2)
        if self.pool == "none":
            mask, where = self.layout(features)
            assert mask is not None
            return Tokens(x, mask, where)
        if self.backbone.config.use_cls_token:
            return Tokens.single(x[:, 0])
        held = self._patched(real).any(dim=2).to(x.dtype).unsqueeze(2)
        return Tokens.single((x * held).sum(dim=1) / held.sum(dim=1).clamp(min=1))

    def _patched(self, x_UL: Tensor) -> Tensor:
        """`[U, P, patch_length]`: what the model's patches hold; they end with the window."""
        config = self.backbone.config
        count = (config.context_length - config.patch_length) // config.patch_stride + 1
        start = config.context_length - config.patch_length - config.patch_stride * (count - 1)
        return x_UL[:, start:].unfold(1, config.patch_length, config.patch_stride)
