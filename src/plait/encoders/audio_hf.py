"""Sound encoders of transformers: Wav2Vec2, HuBERT, WavLM and their kin, AST, Whisper's encoder."""

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plait.encoders.layout import Layout
from plait.encoders.text_pretrained import load_hf, model_of, source_of
from plait.encoders.tuning import blocks_of
from plait.encoders.weights import Weights, hash_weights
from plait.errors import RecipeError
from plait.processors.audio import RATE, AudioProcessor, Channel, Seconds
from plait.processors.spectrum import kaldi_bank, whisper_mel
from plait.types import Tokens

READ = 600.0  # seconds that pretrained encoders read, window by window
WAVE_WINDOW = 30.0  # seconds that a model of waves sees at once: its attention grows with the square
SHORTEST = 2.0  # seconds that Whisper sees at least; shorter sounds are followed by silence
# Model types that read waves and give a vector every 20 ms or so.
WAVES = (
    *("wav2vec2", "hubert", "wavlm", "data2vec-audio", "unispeech", "unispeech-sat", "wav2vec2-conformer"),
    *("sew", "sew-d"),
)
WHISPER, AST = "whisper", "audio-spectrogram-transformer"
Pool = Literal["mean", "mean_std", "none"]


class Window(NamedTuple):
    """A stretch of a sound that goes through a model at once."""

    sound: int
    start: int
    samples: int


class HfAudio(nn.Module):
    """A transformers encoder of sound, in its own length: nothing is padded to 30 seconds.

    Sounds of one length go through the model together and others apart, so that none sees another's padding; long ones
    go window by window. A full window gives what transformers gives; Whisper and AST pad shorter ones to it, which is
    silence that answers are diluted with, and slower. Whisper sees 2 seconds at least.

    Args:
        processor: prepares the sounds; see `HfAudio.make_processor`.
        name: a hub name, a folder that `save_pretrained` wrote (with its feature extractor), or nothing with `config`.
        pool: `mean` gives one token, of AST its own pooled vector; `mean_std` the mean and the deviation over time side
            by side, which tells more of what was said; `none` a token every 20 ms (AST: 100 ms).
        config: build untrained from this configuration instead of loading `name` (a run's weights follow).

    Shapes: `{"wave": [U, N], "length": [U]}` → Tokens `[U, 1 or T, D or 2 D]`, of `none` with their seconds.

    Raises:
        RecipeError: the folder holds no model of sound that is known here.
        PlaitError: the weights are not here and can't be fetched.
    """

    modality = "audio"
    eager_only = True

    def __init__(
        self, processor: AudioProcessor, name: str, pool: Pool = "mean", config: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        if pool not in get_args(Pool):
            raise ValueError(f"pool: expected mean, mean_std or none, got {pool!r}")
        self.processor = processor
        self.pool = pool
        self.weights: Weights | None = None
        if config is None:
            model = load_hf("AutoModel", name)
            extractor = load_hf("AutoFeatureExtractor", name)
            kept = {key: getattr(extractor, key, None) for key in ("do_normalize", "mean", "std")}
        else:
            model, kept = model_of("AutoModel", config["sound"]), config["extractor"]
        model.float()
        self.kind: str = model.config.model_type
        if self.kind not in (*WAVES, WHISPER, AST):
            known = ", ".join((*WAVES, WHISPER, AST))
            raise RecipeError(f"hf:{name}: a model of the kind {self.kind} reads no sound; known: {known}")
        self.config: dict[str, Any] = {"sound": model.config.to_dict(), "extractor": kept}
        self.normalise = bool(kept["do_normalize"])
        self.mean, self.deviation = float(kept.get("mean") or 0.0), float(kept.get("std") or 1.0)
        self.backbone: Any = model.get_encoder() if self.kind == WHISPER else model
        shape = self.backbone.config
        width: int = shape.d_model if self.kind == WHISPER else shape.hidden_size
        self.out_dim = 2 * width if pool == "mean_std" else width
        if config is None:
            self.weights = Weights(name=f"hf:{name}", source=source_of(name), sha256=hash_weights(self.backbone))
        rate = processor.rate
        self.window = rate * 30 if self.kind == WHISPER else round(WAVE_WINDOW * rate)
        if self.kind == AST:
            self.window = (shape.max_length - 1) * (rate // 100) + rate // 40

    @staticmethod
    def make_processor(name: str, seconds: Seconds = READ, channel: Channel = "mean") -> AudioProcessor:
        """The rate that the model was trained with."""
        packaged = name.startswith("packaged:")
        rate = RATE if packaged else int(load_hf("AutoFeatureExtractor", name).sampling_rate)
        return AudioProcessor(rate, seconds, channel)

    def blocks(self) -> list[list[nn.Parameter]]:
        """Parameters by depth; see `blocks_of`."""
        return blocks_of(self.backbone)

    def layout(self, features: Mapping[str, Tensor]) -> Layout:
        """One vector of the whole sound; else which tokens are real, and from which second to which."""
        if self.pool != "none":
            return Layout()
        lengths = features["length"].tolist()
        starts: list[list[float]] = [[] for _ in lengths]
        for window in self._windows(lengths):
            begin, step = window.start / self.processor.rate, self._step
            starts[window.sound] += [begin + place * step for place in range(self._tokens(window.samples))]
        longest = max(map(len, starts))
        mask = torch.tensor([[place < len(one) for place in range(longest)] for one in starts])
        start = torch.tensor([one + [0.0] * (longest - len(one)) for one in starts])
        end = torch.minimum(start + self._step, (features["length"].cpu() / self.processor.rate).unsqueeze(1))
        device = features["length"].device
        return Layout(mask.to(device), torch.stack([start, torch.maximum(start, end)], dim=2).to(device))

    @property
    def _step(self) -> float:
        """Seconds from a token to the next."""
        if self.kind == WHISPER:
            return 0.02
        config = self.backbone.config
        return config.time_stride * 0.01 if self.kind == AST else math.prod(config.conv_stride) / self.processor.rate

    def _tokens(self, samples: int) -> int:
        """Real tokens of a window."""
        if self.kind == WHISPER:
            return -(-samples // 320)
        if self.kind == AST:
            frames = max(1, (samples - self.processor.rate // 40) // (self.processor.rate // 100) + 1)
            return min(-(-frames // self.backbone.config.time_stride), self._patches[1])
        return int(self.backbone._get_feat_extract_output_lengths(max(samples, self._least)))

    def _windows(self, lengths: list[int]) -> list[Window]:
        return [
            Window(sound, start, min(self.window, length - start))
            for sound, length in enumerate(lengths)
            for start in range(0, length, self.window)
        ]

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        waves = features["wave"].to(next(self.backbone.parameters()).dtype)
        windows = self._windows(features["length"].tolist())
        by_length: dict[int, list[int]] = {}
        for place, window in enumerate(windows):
            by_length.setdefault(self._padded(window.samples), []).append(place)
        encoded: dict[int, Tensor] = {}
        for samples, places in by_length.items():
            chosen = [windows[place] for place in places]
            cut = [waves[one.sound, one.start : one.start + one.samples] for one in chosen]
            together = torch.stack([F.pad(wave, (0, samples - len(wave))) for wave in cut])
            encoded |= zip(places, self._encoded(together, [one.samples for one in chosen]), strict=True)
        of_sound: list[list[Tensor]] = [[] for _ in range(len(waves))]
        for place, window in enumerate(windows):
            of_sound[window.sound].append(encoded[place])
        whole = [torch.cat(parts) for parts in of_sound]
        if self.pool != "none":
            x = torch.stack([tokens.mean(dim=0) for tokens in whole])
            if self.pool == "mean_std":
                x = torch.cat([x, torch.stack([tokens.std(dim=0, correction=0) for tokens in whole])], dim=1)
            return Tokens.single(x)
        mask, where = self.layout(features)
        assert mask is not None
        return Tokens(nn.utils.rnn.pad_sequence(whole, batch_first=True), mask, where)

    @property
    def _least(self) -> int:
        """Samples that a model of waves needs for one vector."""
        least = 1
        for kernel, stride in zip(
            reversed(self.backbone.config.conv_kernel), reversed(self.backbone.config.conv_stride), strict=True
        ):
            least = (least - 1) * stride + kernel
        return int(least)

    def _padded(self, samples: int) -> int:
        """What a window is padded to with silence, so that the model can read it."""
        if self.kind == WHISPER:
            return max(-(-samples // 320) * 320, round(SHORTEST * self.processor.rate))
        return self.window if self.kind == AST else max(samples, self._least)

    def _encoded(self, waves: Tensor, samples: list[int]) -> list[Tensor]:
        """The tokens of windows of one padded length."""
        if self.kind == AST and self.pool == "mean":
            return list(self._ast(waves, samples).pooler_output.unsqueeze(1))
        if self.kind == AST:
            patches = self._ast(waves, samples).last_hidden_state[:, 2:]
            x = patches.view(len(patches), *self._patches, -1).mean(dim=1)  # over frequency
        else:
            x = self._whisper(waves) if self.kind == WHISPER else self._waves(waves)
        return [tokens[: self._tokens(count)] for tokens, count in zip(x, samples, strict=True)]

    def _waves(self, waves: Tensor) -> Tensor:
        if self.normalise:  # as the model's feature extractor does
            mean = waves.mean(dim=1, keepdim=True)
            waves = (waves - mean) / (waves.var(dim=1, keepdim=True, unbiased=False) + 1e-7).sqrt()
        x: Tensor = self.backbone(waves).last_hidden_state
        return x

    def _whisper(self, waves: Tensor) -> Tensor:
        """Whisper's encoder with as many positions as there are frames; transformers' own insists on 30 seconds."""
        model = self.backbone
        with torch.autocast(waves.device.type, enabled=False):
            mel = whisper_mel(waves.float(), model.config.num_mel_bins).to(waves.dtype)
        x = F.gelu(model.conv2(F.gelu(model.conv1(mel)))).transpose(1, 2)
        x = F.dropout(x + model.embed_positions.weight[: x.shape[1]], model.dropout, self.training)
        for layer in model.layers:
            x = layer(x, None)
        return model.layer_norm(x)

    @property
    def _patches(self) -> tuple[int, int]:
        """AST's patches in frequency and in time."""
        config = self.backbone.config
        high = (config.num_mel_bins - config.patch_size) // config.frequency_stride + 1
        return high, (config.max_length - config.patch_size) // config.time_stride + 1

    def _ast(self, waves: Tensor, samples: list[int]) -> Any:
        """What AST says of windows, each of its own sound and then of nothing."""
        most = self.backbone.config.max_length
        banks = []
        with torch.autocast(waves.device.type, enabled=False):
            for wave, count in zip(waves.float(), samples, strict=True):
                bank = kaldi_bank(wave[None, :count], self.processor.rate, self.backbone.config.num_mel_bins)[0, :most]
                banks.append(F.pad(bank, (0, 0, 0, most - len(bank))))
        bank = torch.stack(banks)
        if self.normalise:
            bank = (bank - self.mean) / (2 * self.deviation)
        return self.backbone(bank.to(waves.dtype))
