"""Frozen encoders: the engine that plait picks against eager float32, which is what peers run; and the store."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measure import Row, interleaved, rate, row
from plait.encoders import HfText, TimmImage
from plait.features.engine import FlatEncoder, choose_engine
from plait.features.store import FeatureStore
from plait.modalities.media import content_key
from plait.processors import ImageProcessor, TextProcessor
from plait.training.precision import has_bfloat16

BATCH, TO_COME = 32, 10_000  # values a batch; rows that the engine is told to expect
PICTURES = {
    "ResNet-50": "resnet50",
    "ViT-small": "vit_small_patch16_224",
    "EfficientNet-Lite0": "tf_efficientnet_lite0",
}
TEXTS = {"MiniLM": (384, 6, 12), "BERT-base": (768, 12, 12)}  # width, blocks, heads; random weights are as fast
ROWS, WIDTH, READ = 50_000, 2048, 256


def run() -> list[Row]:
    """Rows a second of each encoder, and of reading stored rows."""
    half = has_bfloat16(torch.device("cpu"))
    kind = "bfloat16" if half else "float32"
    product = _matrix_product(torch.bfloat16 if half else torch.float32)
    found = []
    for name, (encoder, features) in {**_pictures(), **_texts()}.items():
        engine = choose_engine(encoder, features, TO_COME, half)
        peer = FlatEncoder(encoder.to(memory_format=torch.contiguous_format), list(features))

        def eager(peer: nn.Module = peer, features: Any = features) -> int:
            with torch.inference_mode():
                return len(peer(*features.values()))

        def ours(engine: Any = engine, features: Any = features) -> int:
            return len(engine.run(features))

        timed = {"peers": partial(rate, eager), "plait": partial(rate, ours), "peak": partial(rate, product)}
        rates = interleaved(timed)
        ratio = rates["plait"] / rates["peers"]
        found.append(row(f"engine: {name}, eager float32", rates["peers"], "rows/s", "", None))
        found.append(row(f"engine: {name}, plait ({engine.name})", rates["plait"], "rows/s", "eager float32", ratio))
        reached = rates["plait"] * _flops(peer, features) / BATCH
        found.append(
            row(f"engine: {name}, plait", reached, "FLOP/s", f"matrix products in {kind}", reached / rates["peak"])
        )
    return found + _store()


def _matrix_product(dtype: torch.dtype, size: int = 2048, times: int = 5) -> Callable[[], int]:
    """Large square products, the most that this machine gives a library; each call gives its operations."""
    left, right = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)

    def product() -> int:
        return sum(2 * len(left @ right) ** 3 for _ in range(times))

    return product


def _flops(encoder: nn.Module, features: Any) -> int:
    """Floating-point operations of one batch: matrix products and convolutions, as torch counts them."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        encoder(*features.values())
    return int(counter.get_total_flops())


def _pictures() -> dict[str, Any]:
    pixels = torch.randint(0, 255, (BATCH, 224, 224, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    made = {name: TimmImage(ImageProcessor(224), timm, pretrained=False).eval() for name, timm in PICTURES.items()}
    return {name: (encoder, {"pixels": pixels}) for name, encoder in made.items()}


def _texts() -> dict[str, Any]:
    processor = TextProcessor.train(["a text of some words"], vocab_size=300)
    ids = torch.randint(1, 300, (BATCH, 32))
    features = {"ids": ids, "mask": torch.ones_like(ids, dtype=torch.bool)}
    made = {}
    for name, (width, blocks, heads) in TEXTS.items():
        config = {"model_type": "bert", "hidden_size": width, "num_hidden_layers": blocks}
        config |= {"num_attention_heads": heads, "intermediate_size": 4 * width}
        made[name] = (HfText(processor, name, config=config).eval(), features)
    return made


def _store() -> list[Row]:
    """Random batches of stored rows against the same rows in memory."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(ROWS, 1, WIDTH)).astype(np.float16)
    in_memory = torch.from_numpy(rows[:, 0])
    batches = [random.integers(0, ROWS, READ) for _ in range(100)]
    with tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(Path(folder) / "store", {"width": WIDTH, "dtype": "float16"})
        store.add([content_key(str(i).encode()) for i in range(ROWS)], list(rows))

        def ram() -> int:
            return sum(len(in_memory[torch.from_numpy(batch)]) for batch in batches)

        def stored() -> int:
            return sum(len(torch.from_numpy(store.read(batch)[0])) for batch in batches)

        rates = interleaved({"ram": partial(rate, ram), "store": partial(rate, stored)})
    ratio = rates["store"] / rates["ram"]
    return [row("store: random rows of 2,048", rates["store"], "rows/s", "a tensor in memory", ratio)]
