"""One command of at most eight minutes for whoever has a CUDA device: `python -m benchmarks gpu`.

The frozen-encoder engine, the training loop in bfloat16 (its share of what large matrix products reach, and of the time
that it waits for data), generation, and the tests marked `gpu`. `python -m benchmarks.gpu --device cpu --quick` runs
the same code on tiny models, to know that it runs.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from rich.console import Console
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measure import Row, rate, row
from plait.console import table
from plait.data.batches import InputSpec, TableSource, TensorSource
from plait.data.loader import load
from plait.data.plan import BatchPlan
from plait.data.table import Table
from plait.decoders.text_transformer import TextTransformer
from plait.encoders import HfText, TimmImage
from plait.features.engine import FlatEncoder, choose_engine
from plait.fusion import ConcatFusion
from plait.generation.search import generate
from plait.generation.settings import GenerationSettings
from plait.heads import PredictHead
from plait.model import MultimodalModel
from plait.processors import ImageProcessor, TextProcessor
from plait.training import loop
from plait.training.precision import has_bfloat16
from plait.training.settings import TrainSettings
from plait.types import Batch, Tokens

LIMIT = 8 * 60.0  # seconds of everything
CLASSES = 10


@dataclass(frozen=True)
class Size:
    """How large the trials are."""

    matrix: int  # of the products that give the peak
    image: str  # timm's name
    side: int
    text: dict[str, int]  # of a BERT
    length: int  # tokens a text
    batch: int
    rows: int  # that the engine is told to expect
    pictures: int  # in the table that is decoded
    steps: int


FULL = Size(
    8192, "vit_base_patch16_224", 224,
    {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072},
    128, 128, 10_000_000, 2048, 40,
)  # fmt: skip
QUICK = Size(
    128, "test_vit", 160,
    {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64},
    8, 4, 10, 12, 3,
)  # fmt: skip


def run(device: str = "cuda", quick: bool = False, tests: bool = True) -> list[Row]:
    """All of it, as long as there is time.

    Args:
        device: `cuda`, or `cpu` to try the code.
        quick: tiny models.
        tests: run the tests that are marked `gpu` too.
    """
    if device == "cuda" and not torch.cuda.is_available():
        sys.exit("no CUDA device here; python -m benchmarks.gpu --device cpu --quick tries the code")
    start, where, size = time.monotonic(), torch.device(device), QUICK if quick else FULL
    peak = matrix_peak(where, size)
    what = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    rows = [row(f"gpu: matrix products in bfloat16, {what}", peak, "FLOP/s", "", None)]
    for trial in (training_rows, waiting_rows, generation_rows, engine_rows):
        if time.monotonic() - start < 0.6 * LIMIT:
            rows += trial(where, size, peak)
    return rows + (test_rows(device, LIMIT - (time.monotonic() - start)) if tests else [])


def matrix_peak(device: torch.device, size: Size) -> float:
    """Operations a second of large square products in bfloat16: what a library reaches here."""
    left, right = (torch.randn(size.matrix, size.matrix, device=device, dtype=torch.bfloat16) for _ in range(2))

    def products() -> int:
        for _ in range(20):
            left @ right
        _wait(device)
        return 20 * 2 * size.matrix**3

    products()
    return max(rate(products) for _ in range(3))


def training_rows(device: torch.device, size: Size, peak: float) -> list[Row]:
    """The loop on texts that stand in memory, a BERT that trains whole, bfloat16."""
    model = _model({"text": _text(size)}, device)
    count = size.batch * size.steps
    ids = torch.randint(1, 300, (count, size.length), generator=torch.Generator().manual_seed(0))
    inputs = {"text": {"ids": ids, "mask": torch.ones_like(ids, dtype=torch.bool)}}
    source = TensorSource(inputs, {"y": torch.arange(count) % CLASSES})
    seconds, waited = _trained(model, source, count, size, device)
    with FlopCounterMode(display=False) as counter:
        loss_of(model, source.batch(np.arange(size.batch)).to(device)).backward()
    reached = counter.get_total_flops() * size.steps / seconds
    return [
        row("gpu: loop, bfloat16, texts in memory", count / seconds, "rows/s", "", None),
        row("gpu: loop, bfloat16", reached, "FLOP/s", "matrix products in bfloat16", reached / peak),
        row("gpu: loop, waits for data in memory", waited / seconds, "share of the time", "", None),
    ]


def waiting_rows(device: torch.device, size: Size, peak: float) -> list[Row]:
    """The loop on JPEG files that are decoded as it goes."""
    from PIL import Image

    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(min(64, size.pictures)):
            pixels = random.integers(0, 255, (15, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((640, 480)).save(Path(folder) / f"{number}.jpg", quality=90)
        import pyarrow as pa

        names = [f"{number % 64 % size.pictures}.jpg" for number in range(size.pictures)]
        held = Table(pa.table({"image": names}), Path(folder), "pictures")
        encoder = TimmImage(ImageProcessor(size.side), size.image, pretrained=False)
        spec = InputSpec(("image",), encoder.processor, "image")
        source = TableSource(held, {"image": spec}, {"y": np.arange(size.pictures) % CLASSES})
        model = _model({"image": encoder}, device)
        seconds, waited = _trained(
            model, source, size.pictures, size, device, workers=max(1, min(8, (os.cpu_count() or 2) - 1))
        )
    return [
        row("gpu: loop, bfloat16, JPEG files", size.pictures / seconds, "rows/s", "", None),
        row("gpu: loop, waits for JPEG files", waited / seconds, "share of the time", "", None),
    ]


def generation_rows(device: torch.device, size: Size, peak: float) -> list[Row]:
    """Tokens a second of a decoder with cross-attention, in bfloat16."""
    width, length = size.text["hidden_size"], 2 * size.length // 2
    heads, layers = size.text["num_attention_heads"], size.text["num_hidden_layers"] // 2 or 1
    decoder = TextTransformer(10_000, 0, 1, width, width, layers, heads, max_length=length + 2)
    decoder = decoder.to(device, torch.bfloat16).eval()
    seen = torch.randn(size.batch, 49, width, device=device, dtype=torch.bfloat16)
    tokens = Tokens(seen, torch.ones(seen.shape[:2], dtype=torch.bool, device=device))
    found = []
    for beams in (1, 4):
        settings = GenerationSettings(max_length=length, min_length=length - 1, beams=beams)

        def work(settings: GenerationSettings = settings) -> int:
            with torch.inference_mode():
                generate(decoder, tokens, settings)
            _wait(device)
            return size.batch * length

        work()
        name = f"gpu: generation, {'greedy' if beams == 1 else f'{beams} beams'}, batch {size.batch}"
        found.append(row(name, rate(work), "tokens/s", "", None))
    return found


def engine_rows(device: torch.device, size: Size, peak: float) -> list[Row]:
    """Frozen encoders: the engine that plait picks against eager float32."""
    pixels = torch.randint(0, 255, (size.batch, size.side, size.side, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    ids = torch.randint(1, 300, (size.batch, size.length))
    encoders: dict[str, tuple[Any, dict[str, torch.Tensor]]] = {
        size.image: (TimmImage(ImageProcessor(size.side), size.image, pretrained=False), {"pixels": pixels}),
        "BERT": (_text(size), {"ids": ids, "mask": torch.ones_like(ids, dtype=torch.bool)}),
    }
    found = []
    for name, (encoder, features) in encoders.items():
        encoder = encoder.to(device).eval()
        flat = FlatEncoder(encoder, list(features))
        there = [values.to(device) for values in features.values()]
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            flat(*there)
        engine = choose_engine(encoder, features, size.rows, has_bfloat16(device))

        def eager(flat: nn.Module = flat, features: Any = features) -> int:
            with torch.inference_mode():
                flat(*(values.to(device) for values in features.values())).float().cpu()
            return size.batch

        def ours(engine: Any = engine, features: Any = features) -> int:
            engine.run(features)
            return size.batch

        eager()
        peers, plait = (max(rate(work) for _ in range(3)) for work in (eager, ours))
        reached = plait * counter.get_total_flops() / size.batch
        found.append(row(f"gpu: engine, {name}, eager float32", peers, "rows/s", "", None))
        found.append(row(f"gpu: engine, {name} ({engine.name})", plait, "rows/s", "eager float32", plait / peers))
        against = "matrix products in bfloat16"
        found.append(row(f"gpu: engine, {name}", reached, "FLOP/s", against, reached / peak))
        for candidate, said in engine.tried.items():
            print(f"  engine {name}: {candidate}: {said}")
    return found


def test_rows(device: str, seconds: float) -> list[Row]:
    """The tests marked `gpu`, in a process of their own."""
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "-m", "gpu", "tests/test_gpu.py"]
    start = time.monotonic()
    env = {**os.environ, "PLAIT_TEST_DEVICE": device}
    root = Path(__file__).parent.parent
    try:
        done = subprocess.run(command, env=env, cwd=root, timeout=max(30, seconds), capture_output=True, text=True)
        passed, said = done.returncode == 0, done.stdout[-2000:]
    except subprocess.TimeoutExpired as error:
        passed, said = False, f"more than {error.timeout:.0f} seconds"
    if not passed:
        print(said)
    name = f"gpu: the tests marked gpu {'pass' if passed else 'FAIL'}"
    return [row(name, time.monotonic() - start, "s", "", None)]


def loss_of(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Cross-entropy of the one target."""
    return nn.functional.cross_entropy(model(batch).predictions["y"].float(), batch.targets["y"])


def _text(size: Size) -> HfText:
    processor = TextProcessor.train(["a text of some words"], vocab_size=300)
    return HfText(processor, "bert", config={"model_type": "bert", **size.text})


def _model(encoders: dict[str, Any], device: torch.device) -> MultimodalModel:
    widths = {name: encoder.out_dim for name, encoder in encoders.items()}
    head = PredictHead(256, {"y": CLASSES})
    return MultimodalModel(encoders, ConcatFusion(widths, 256), head).to(device)


def _trained(
    model: MultimodalModel, source: Any, count: int, size: Size, device: torch.device, workers: int = 0
) -> tuple[float, float]:
    """Seconds of an epoch, after a short one that warms up, and those that the loop waited for batches."""
    waited = 0.0

    def timed(*given: Any) -> Iterator[Batch]:
        nonlocal waited
        batches = iter(load(*given))
        while True:
            start = time.perf_counter()
            batch = next(batches, None)
            waited += time.perf_counter() - start
            if batch is None:
                return
            yield batch

    settings = TrainSettings(epochs=1, batch_size=size.batch, precision="bfloat16", device=device.type)  # type: ignore[arg-type]
    warm: Callable[[int], BatchPlan] = lambda rows: BatchPlan(np.arange(rows), size.batch, seed=0)  # noqa: E731
    loop.train(model, source, warm(min(count, 3 * size.batch)), loss_of, settings, workers=workers)
    with mock.patch.object(loop, "load", timed):
        start = time.perf_counter()
        loop.train(model, source, warm(count), loss_of, settings, workers=workers)
        _wait(device)
    return time.perf_counter() - start, waited


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    """Run it and print a table."""
    parser = argparse.ArgumentParser(description="plait on a CUDA device, in at most eight minutes")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny models, to try the code")
    chosen = parser.parse_args()
    rows = run(chosen.device, chosen.quick)
    columns = ["name", "value", "unit", "against", "ratio"]
    cells = [[f"{r['value']:,.6g}" if c == "value" else "" if r[c] is None else r[c] for c in columns] for r in rows]
    Console(width=140).print(table("", columns, cells, ["value", "ratio"]))


if __name__ == "__main__":
    main()
