"""Facts about a run: versions, sizes, seconds."""

import platform
import time
from importlib.metadata import PackageNotFoundError, version

from plait.model import MultimodalModel


def environment() -> dict[str, str]:
    """Versions that a run's numbers depend on."""
    versions = {"python": platform.python_version()}
    for name in ("plait", "torch", "torchvision", "timm", "transformers", "tokenizers", "numpy"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def parameter_rows(model: MultimodalModel) -> list[tuple[str, int, int]]:
    """Of each part of the model: its name, its parameters, and how many of them train."""
    parts = {f"encoder {name}": encoder for name, encoder in model.encoders.items()}
    if len(model.missing_tokens):
        parts["missing tokens"] = model.missing_tokens
    parts |= {"fusion": model.fusion, "head": model.head}
    rows = []
    for name, module in parts.items():
        parameters = list(module.parameters())
        rows.append((name, sum(p.numel() for p in parameters), sum(p.numel() for p in parameters if p.requires_grad)))
    return [*rows, ("all", sum(row[1] for row in rows), sum(row[2] for row in rows))]


class Stopwatch:
    """Seconds of each stage, for the report."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def lap(self, name: str) -> None:
        """Add the seconds since the last call to those of a stage."""
        now = time.monotonic()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now
