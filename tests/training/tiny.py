"""A linear problem of 64 rows, and the loop on it."""

from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from plait.data.batches import TensorSource
from plait.data.plan import BatchPlan
from plait.training.loop import train
from plait.training.settings import TrainSettings

ROWS = 64
GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(ROWS, 5, generator=GENERATOR)
Y = X @ torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0]) + 0.1
SOURCE = TensorSource({"a": {"x": X}}, {"y": Y})
CPU = {"device": "cpu", "precision": "float32"}


def make_model(dropout: float = 0.2) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 1))


def loss_of(model: nn.Module, batch) -> torch.Tensor:
    return (model(batch.inputs["a"].features["x"])[:, 0] - batch.targets["y"]).square().mean()


def validate(model: nn.Module) -> dict[str, float]:
    model.eval()
    with torch.no_grad():
        return {"loss": float((model(X)[:, 0] - Y).square().mean())}


def run(model: nn.Module, folder: Path | None = None, resume: bool = False, listener=None, **options):
    settings = TrainSettings(**{"epochs": 4, "batch_size": 8, "learning_rate": 0.02, **CPU, **options})
    plan = BatchPlan(np.arange(ROWS), settings.batch_size, seed=settings.seed)
    torch.manual_seed(settings.seed)
    return train(
        model, SOURCE, plan, loss_of, settings, validate=validate, folder=folder, resume=resume, listener=listener,
        accelerator=Accelerator(cpu=True),
    )  # fmt: skip
