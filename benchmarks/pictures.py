"""The image pipeline, JPEG 640 x 480 → 224 x 224 normalised, one thread: against torchvision's transforms on PIL."""

import io
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision.transforms import v2

from benchmarks.measure import Row, interleaved, rate, row
from plait.encoders.pixels import Pixels
from plait.processors import ImageProcessor

COUNT, SIZE, SHORTER = 200, 224, 256
Pipeline = Callable[[list[bytes]], torch.Tensor]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def make_jpegs(count: int = COUNT, width: int = 640, height: int = 480) -> list[bytes]:
    """Smooth images with some grain, as photographs are: about 100 kB at 640 x 480."""
    random = np.random.default_rng(0)
    files = []
    for _ in range(count):
        coarse = Image.fromarray(random.integers(0, 255, (12, 16, 3), dtype=np.uint8))
        pixels = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
        grain = random.normal(0, 6, pixels.shape[:2])[..., None]
        picture = Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=90)
        files.append(buffer.getvalue())
    return files


def run() -> list[Row]:
    """Images a second, and how far the outputs are apart."""
    torch.set_num_threads(1)
    files = make_jpegs()
    normalise = Pixels(MEAN, STD)

    def on_pil(resize: list[nn.Module]) -> Pipeline:
        steps = [*resize, v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
        theirs = v2.Compose(steps)
        return lambda some: torch.stack([theirs(Image.open(io.BytesIO(data)).convert("RGB")) for data in some])

    def ours(processor: ImageProcessor) -> Pipeline:
        return lambda some: normalise(processor.collate([processor(data) for data in some])["pixels"])

    squash = {
        "torchvision on PIL": on_pil([v2.Resize((SIZE, SIZE), antialias=True)]),
        "plait": ours(ImageProcessor(SIZE)),
        "plait, fast": ours(ImageProcessor(SIZE, fast=True)),
    }
    crop = {
        "torchvision on PIL": on_pil([v2.Resize(SHORTER, antialias=True), v2.CenterCrop(SIZE)]),
        "plait": ours(ImageProcessor(SIZE, "crop", SIZE / SHORTER)),
        "plait, fast": ours(ImageProcessor(SIZE, "crop", SIZE / SHORTER, fast=True)),
    }
    large = make_jpegs(20, 2560, 1920)
    rows = []
    for label, some, pipelines in (
        ("640 x 480 to 224 x 224", files, squash),
        ("640 x 480 to 256, centre 224", files, crop),
        ("2560 x 1920 to 224 x 224", large, squash),
    ):
        rates = interleaved({name: partial(_rate, pipeline, some) for name, pipeline in pipelines.items()})
        base = rates["torchvision on PIL"]
        for name, value in rates.items():
            rows.append(row(f"images: {label}, {name}", value, "pictures/s", "torchvision on PIL", value / base))
    pipelines = squash
    reference = pipelines["torchvision on PIL"](files[:50])
    for name in ("plait", "plait, fast"):
        levels = (pipelines[name](files[:50]) - reference).abs() * torch.tensor(STD).view(3, 1, 1) * 255
        for what, value in (("mean", levels.mean()), ("largest", levels.max())):
            rows.append(row(f"images: {name}, {what} difference", float(value), "of 255", "torchvision on PIL", None))
    return rows


def _rate(pipeline: Callable[[list[bytes]], torch.Tensor], files: list[bytes]) -> float:
    def work() -> int:
        for start in range(0, len(files), 50):
            pipeline(files[start : start + 50])
        return len(files)

    return rate(work)
