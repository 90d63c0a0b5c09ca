"""Any text encoder of transformers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from plait.encoders.layout import WHERE, Layout
from plait.encoders.tuning import blocks_of
from plait.encoders.weights import Weights, hash_weights, is_model_folder, require_hub
from plait.errors import RecipeError, RunError, import_extra
from plait.processors import TextProcessor
from plait.types import Tokens

RUNS_CODE = {
    "auto_map",
    "custom_pipelines",
    "quantization_config",
    *(f"{a}{part}_implementation{b}" for a in ("", "_") for part in ("attn", "experts") for b in ("", "_internal")),
}
Pool = Literal["mean", "cls", "none"]


class HfText(nn.Module):
    """A transformers encoder; of an encoder-decoder, the encoder.

    Args:
        processor: the model's own tokenizer; see `HfText.make_processor`.
        name: a hub name or a folder that `save_pretrained` wrote.
        pool: `mean` over real tokens or `cls` (the first) give one token, `none` gives all.
        layers: give each block's output too, pooled alike, for layer-wise fusion.
        config: build untrained from this configuration instead of loading `name` (a run's weights follow).

    Shapes: `{"ids": [U, T], "mask": [U, T]}` → Tokens `[U, 1 or T, D]`.

    Raises:
        RecipeError: the folder holds no model, or one that needs code from its folder.
        PlaitError: the weights are not here and can't be fetched.
    """

    modality = "text"

    def __init__(
        self,
        processor: TextProcessor,
        name: str,
        pool: Pool = "mean",
        layers: bool = False,
        config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.processor = processor
        self.pool = pool
        self.layers = layers
        self.weights: Weights | None = None
        if config is None:
            model = load_hf("AutoModel", name)
        else:
            model = model_of("AutoModel", config)
        model.float()
        self.config: dict[str, Any] = model.config.to_dict()
        self.backbone = model.get_encoder() if model.config.is_encoder_decoder else model
        self.out_dim: int = self.backbone.config.hidden_size
        if config is None:
            self.weights = Weights(name=f"hf:{name}", source=source_of(name), sha256=hash_weights(self.backbone))

    @staticmethod
    def make_processor(name: str, max_length: int = 128, offsets: bool = False) -> TextProcessor:
        """The model's tokenizer with its special tokens; `offsets` as in `TextProcessor`."""
        tokenizer = load_hf("AutoTokenizer", name)
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise RecipeError(f"hf:{name}: the tokenizer has no fast version (tokenizer.json)")
        length = min(max_length, tokenizer.model_max_length)
        return TextProcessor(backend.to_str(), length, tokenizer.pad_token_id or 0, offsets=offsets)

    def blocks(self) -> list[list[nn.Parameter]]:
        """Parameters by depth; see `blocks_of`."""
        return blocks_of(self.backbone)

    def layout(self, features: Mapping[str, Tensor]) -> Layout:
        """A token a piece of the text, and its characters where the processor gives them; or one of all."""
        mask = features["mask"]
        return Layout(mask, features.get(WHERE)) if self.pool == "none" else Layout(mask.any(dim=1, keepdim=True))

    def forward(self, features: dict[str, Tensor]) -> Tokens:
        mask = features["mask"]
        output = self.backbone(
            input_ids=features["ids"], attention_mask=mask.long(), output_hidden_states=self.layers or None
        )
        x = self._pooled(output.last_hidden_state, mask)
        layers = (*(self._pooled(layer, mask) for layer in output.hidden_states[1:-1]), x) if self.layers else ()
        real, where = self.layout(features)
        assert real is not None
        return Tokens(x, real, where, layers)

    def _pooled(self, x_UTD: Tensor, mask_UT: Tensor) -> Tensor:
        """`[U, 1 or T, D]`."""
        if self.pool == "none":
            return x_UTD
        if self.pool == "cls":
            return x_UTD[:, :1]
        weight = mask_UT.to(x_UTD.dtype).unsqueeze(-1)
        return (x_UTD * weight).sum(dim=1, keepdim=True) / weight.sum(dim=1, keepdim=True).clamp(min=1)


def source_of(name: str) -> str:
    """Where a model comes from, in words."""
    return str(Path(name).name) if is_model_folder(name) else f"hub:{name}"


def model_of(auto_class: str, config: dict[str, Any]) -> Any:
    """An untrained model of a run's configuration, by the name of transformers' class; its weights follow.

    A run folder may be a stranger's: what would fetch or run code (a repository's own classes, attention kernels of the
    hub) is left out of the configuration.
    """
    transformers = import_extra("transformers", "pretrained")
    try:
        shape = transformers.AutoConfig.for_model(**_without_code(config))
        return getattr(transformers, auto_class).from_config(shape, trust_remote_code=False)
    except Exception as error:  # as below
        raise RunError(
            f"the run's model of {auto_class[4:]} can't be made of its configuration ({_first(error)})"
        ) from error


def _without_code(config: dict[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in config.items() if key not in RUNS_CODE}
    return {key: _without_code(value) if isinstance(value, dict) else value for key, value in plain.items()}


def load_hf(auto_class: str, name: str) -> Any:
    """A part of a model, by the name of transformers' class; a repository's code is never run.

    It comes from a folder, else from the hub's cache, else from the hub if one answers.

    Raises:
        RecipeError: the folder holds no such part, or the hub has no such model.
        PlaitError: it is not here and no hub answers.
    """
    transformers = import_extra("transformers", "pretrained")
    transformers.utils.logging.disable_progress_bar()
    loader = getattr(transformers, auto_class)
    if Path(name).expanduser().is_dir() and not is_model_folder(name):
        raise RecipeError(f"{name}: expected a folder that save_pretrained wrote, found no config.json in it")
    options: dict[str, Any] = {"trust_remote_code": False}
    if auto_class.startswith("AutoModel"):
        options["use_safetensors"] = True  # pickled weights could run code
    place = Path(name).expanduser()
    if is_model_folder(name):
        if len(options) > 1 and not any(place.glob("*.safetensors")):
            raise RecipeError(
                f"{name}: expected weights in safetensors, found none; write it again with save_pretrained"
            )
        try:
            return loader.from_pretrained(str(place), local_files_only=True, **options)
        except Exception as error:  # a garbled folder may raise anything in transformers, from KeyError to Rust's own
            raise RecipeError(f"{name}: the model can't be loaded ({_first(error)})") from error
    try:
        return loader.from_pretrained(name, local_files_only=True, **options)
    except ValueError as error:
        raise RecipeError(f"{name}: the model can't be loaded ({_first(error)})") from error
    except OSError:
        require_hub(f"hf:{name}")
    try:
        return loader.from_pretrained(name, **options)
    except (OSError, ValueError) as error:
        raise RecipeError(f"hf:{name}: the hub has no such model ({_first(error)})") from error


def _first(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
