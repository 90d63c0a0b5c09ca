"""The training loop on cached vectors, batch 64: against a bare DataLoader loop, a hand-written limit, and peers."""

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from benchmarks.measure import Row, interleaved, rate, row
from plait.data.batches import TensorSource
from plait.data.plan import BatchPlan
from plait.fusion import ConcatFusion
from plait.heads import PredictHead
from plait.model import MultimodalModel
from plait.training.loop import train
from plait.training.precision import choose_precision, products
from plait.training.settings import TrainSettings
from plait.types import Batch, Tokens

ROWS, BATCH, CLASSES = 12_800, 64, 10
WIDTHS = {"image": 2048, "text": 768}  # ResNet-50 and BERT
DIM = HIDDEN = 512


class Vector(nn.Module):
    """A cached vector as one token."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.out_dim = dim

    def forward(self, features: dict[str, torch.Tensor]) -> Tokens:
        return Tokens.single(features["x"])


def make_model() -> MultimodalModel:
    """Concatenation and an MLP head on two cached vectors: 2.5 M parameters."""
    torch.manual_seed(0)
    encoders = {name: Vector(width) for name, width in WIDTHS.items()}
    return MultimodalModel(encoders, ConcatFusion(WIDTHS, DIM), PredictHead(DIM, {"y": CLASSES}, HIDDEN, 0.1))


def make_data() -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = {name: torch.randn(ROWS, width, generator=generator) for name, width in WIDTHS.items()}
    return x, torch.randint(0, CLASSES, (ROWS,), generator=generator)


class AsModule(nn.Module):
    """The same model with the call that DataLoader loops and peers expect: tensors in, logits out."""

    def __init__(self) -> None:
        super().__init__()
        self.model = make_model()

    def forward(self, image: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        inputs = {"image": {"x": image}, "text": {"x": text}}
        tokens = {name: self.model.encoders[name](features) for name, features in inputs.items()}
        return self.model.head(self.model.fusion(tokens))["y"]


def loss_of(model: nn.Module, batch: Batch) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch).predictions["y"], batch.targets["y"])


def plait_loop(source: TensorSource, precision: str, clip: float = 1.0) -> Callable[[], int]:
    settings = TrainSettings(epochs=1, batch_size=BATCH, precision=precision, device="cpu", clip=clip)

    def run() -> int:
        plan = BatchPlan(np.arange(ROWS), BATCH)
        train(make_model(), source, plan, loss_of, settings)
        return ROWS

    return run


def bare_loop(x: dict[str, torch.Tensor], y: torch.Tensor) -> int:
    """What everyone writes first: DataLoader, AdamW, float32."""
    model = AsModule()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for image, text, target in DataLoader(TensorDataset(x["image"], x["text"], y), BATCH, shuffle=True):
        loss = nn.functional.cross_entropy(model(image, text), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return ROWS


def limit_loop(x: dict[str, torch.Tensor], y: torch.Tensor, precision: str) -> int:
    """Nothing that could be left out: index the tensors, fused AdamW, no clipping, no record of the loss."""
    model = AsModule()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    with products(precision):
        for rows in torch.randperm(ROWS).split(BATCH):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
                loss = nn.functional.cross_entropy(model(x["image"][rows], x["text"][rows]), y[rows])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    return ROWS


class Rows(Dataset):
    """Rows as dicts, as Trainer collates them."""

    def __init__(self, x: dict[str, torch.Tensor], y: torch.Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"image": self.x["image"][index], "text": self.x["text"][index], "labels": self.y[index]}


def trainer_loop(x: dict[str, torch.Tensor], y: torch.Tensor) -> int:
    """transformers' Trainer with its defaults."""
    import transformers

    class WithLoss(AsModule):
        def forward(self, image, text, labels):  # type: ignore[no-untyped-def]
            logits = super().forward(image, text)
            return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        arguments = transformers.TrainingArguments(
            output_dir=folder, num_train_epochs=1, per_device_train_batch_size=BATCH, use_cpu=True, report_to="none",
            save_strategy="no", disable_tqdm=True, remove_unused_columns=False, dataloader_pin_memory=False,
        )  # fmt: skip
        transformers.Trainer(WithLoss(), arguments, train_dataset=Rows(x, y)).train()
    return ROWS


def lightning_loop(x: dict[str, torch.Tensor], y: torch.Tensor) -> int:
    """Lightning's Trainer, without logger, checkpoints and bar."""
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = AsModule()

        def training_step(self, batch, index):  # type: ignore[no-untyped-def]
            return nn.functional.cross_entropy(self.net(batch[0], batch[1]), batch[2])

        def configure_optimizers(self):  # type: ignore[no-untyped-def]
            return torch.optim.AdamW(self.parameters(), lr=1e-3)

    loader = DataLoader(TensorDataset(x["image"], x["text"], y), BATCH, shuffle=True)
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Module(), loader)
    return ROWS


def run() -> list[Row]:
    """Rows a second of each loop."""
    warnings.filterwarnings("ignore")
    for name in ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero", "lightning.fabric", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)
    torch.set_num_threads(1)
    x, y = make_data()
    source = TensorSource({name: {"x": values} for name, values in x.items()}, {"y": y})
    first = source.batch(np.arange(BATCH))
    auto, reason = choose_precision(make_model(), first, loss_of, torch.device("cpu"))
    print(f"precision auto: {auto} ({reason})")
    contestants: dict[str, Callable[[], float]] = {
        "bare DataLoader loop, float32": lambda: rate(lambda: bare_loop(x, y)),
        "plait, float32": lambda: rate(plait_loop(source, "float32")),
        f"plait, precision auto ({auto})": lambda: rate(plait_loop(source, auto)),
        "transformers Trainer, float32": lambda: rate(lambda: trainer_loop(x, y)),
        "Lightning Trainer, float32": lambda: rate(lambda: lightning_loop(x, y)),
    }
    for precision in dict.fromkeys(["float32", auto]):  # like for like: the limit does not clip either
        contestants[f"hand-written limit, {precision}"] = partial(_limit_rate, x, y, precision)
        contestants[f"plait without clipping, {precision}"] = partial(_plait_rate, source, precision)
    rates = interleaved(contestants)
    base = rates["bare DataLoader loop, float32"]
    rows = [row(f"loop: {n}", v, "rows/s", "bare DataLoader loop, float32", v / base) for n, v in rates.items()]
    for precision in dict.fromkeys(["float32", auto]):
        ours, limit = rates[f"plait without clipping, {precision}"], rates[f"hand-written limit, {precision}"]
        rows.append(
            row(
                f"loop: plait without clipping, {precision}",
                ours,
                "rows/s",
                f"hand-written limit, {precision}",
                ours / limit,
            )
        )
    return rows


def _limit_rate(x: dict[str, torch.Tensor], y: torch.Tensor, precision: str) -> float:
    return rate(lambda: limit_loop(x, y, precision))


def _plait_rate(source: TensorSource, precision: str) -> float:
    return rate(plait_loop(source, precision, clip=0.0))
