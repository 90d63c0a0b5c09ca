"""End to end, from files or texts to stored features, set-up included: against what peers run (eager float32)."""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config
from torch.utils.data import DataLoader, Dataset

from benchmarks.measure import Row, row
from plait.data.readers import open_table
from plait.encoders import TimmImage
from plait.features.column import ColumnEncoder
from plait.training.precision import has_bfloat16

PICTURES, BATCH, WORKERS = 800, 32, 2
NAME = "resnet50"


def run() -> list[Row]:
    """Images a second, both ways, once each: the files are new to both."""
    torch.manual_seed(0)
    encoder = TimmImage(TimmImage.make_processor(NAME), NAME, pretrained=False).eval()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = _photos(folder)
        peers, theirs = _timed(lambda: _peers(encoder.backbone, folder))
        engine = ""

        def ours() -> np.ndarray:
            nonlocal engine
            made = ColumnEncoder(
                "photo", "image", encoder, encoder.processor, half=has_bfloat16(torch.device("cpu")), workers=1,
                root=folder / "store",
            )  # fmt: skip
            column = made.encode(open_table(table), np.arange(PICTURES))
            engine = made.engine.name if made.engine else ""
            return column.take(np.arange(PICTURES)).features["stored"][:, 0].float().numpy()

        seconds, found = _timed(ours)
    close = float(np.median((found * theirs).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(theirs, axis=1)))
    assert close > 0.99, f"not the same features: median cosine {close:.4f}"
    what = "features: 640 x 480 JPEG files to stored ResNet-50"
    return [
        row(f"{what}, timm + DataLoader", PICTURES / peers, "pictures/s", "", None),
        row(f"{what}, plait ({engine})", PICTURES / seconds, "pictures/s", "timm + DataLoader", peers / seconds),
    ]


def _timed(work: Any) -> tuple[float, np.ndarray]:
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def _photos(folder: Path) -> Path:
    """JPEG files with shapes and noise, as hard to decode as photographs, and a table of them."""
    random = np.random.default_rng(0)
    names = []
    for number in range(PICTURES):
        small = random.integers(0, 255, (12, 16, 3), dtype=np.uint8)
        large = np.asarray(Image.fromarray(small).resize((640, 480), Image.Resampling.BICUBIC)).astype(np.int16)
        pixels = np.clip(large + random.integers(-12, 12, large.shape), 0, 255).astype(np.uint8)
        names.append(f"{number}.jpg")
        Image.fromarray(pixels).save(folder / names[-1], quality=88)
    pd.DataFrame({"photo": names}).to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


class _Files(Dataset):
    def __init__(self, folder: Path, transform: Any) -> None:
        self.folder, self.transform = folder, transform

    def __len__(self) -> int:
        return PICTURES

    def __getitem__(self, number: int) -> Any:
        return self.transform(Image.open(self.folder / f"{number}.jpg").convert("RGB"))


def _peers(backbone: Any, folder: Path) -> np.ndarray:
    """timm's transform in DataLoader workers, the model in eager float32: what AutoGluon and most scripts run."""
    transform = create_transform(**resolve_model_data_config(timm.create_model(NAME)), is_training=False)
    model = backbone.to(memory_format=torch.contiguous_format).eval()
    found = []
    with torch.inference_mode():
        for pixels in DataLoader(_Files(folder, transform), BATCH, num_workers=WORKERS):
            found.append(model(pixels).numpy())
    return np.concatenate(found)
