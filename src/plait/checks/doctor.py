"""What this machine has: versions, devices, number formats, extras, network."""

import importlib.metadata
import os
import platform
import shutil
from pathlib import Path
from typing import Any

from plait.build.extras import EXTRAS, is_present

CORE = ("torch", "torchvision", "accelerate", "tokenizers", "pyarrow", "pandas", "scikit-learn", "pydantic")


def examine() -> dict[str, Any]:
    """Everything that a report of a problem should hold."""
    import torch

    from plait.encoders.weights import online
    from plait.training.precision import has_bfloat16

    devices = ["cpu"]
    if torch.cuda.is_available():
        devices += [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    best = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return {
        "plait": importlib.metadata.version("plait"),
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "versions": {name: _version(name) for name in CORE},
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "devices": devices,
        "bfloat16_units": has_bfloat16(best),
        "disk_free_gb": round(shutil.disk_usage(Path.cwd()).free / 1e9, 1),
        "extras": {name: all(is_present(module) for module in modules) for name, modules in EXTRAS.items()},
        "model_hub": "reachable" if online() else "offline",
    }


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
