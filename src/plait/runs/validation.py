"""Validation: how good a model is, epoch by epoch, on rows that it does not learn from."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from PIL import Image

from plait.data.batches import TableSource
from plait.data.plan import BatchPlan
from plait.layers.ragged import joined
from plait.modalities import show_cell
from plait.runs.prepare import Prepared, plan_for
from plait.tasks import Targets
from plait.training.evaluate import outputs_of

GENERATED = 200  # rows whose texts are generated at each validation, unless train.validation_rows says otherwise
NOTED = 5  # of them go into the log
SHOWN = 128  # pixels a side of their images, for trackers


def make_validation(
    prepared: Prepared,
    name: str,
    accelerator: Accelerator,
    precision: str,
    workers: int,
    note: Callable[[list[dict[str, Any]], list[Any]], None] | None = None,
) -> Any:
    """A function from the model to its metrics (and loss) on a part; each process takes its share of the rows.

    Where texts are generated, `note` is called with some of them and with their images, `[H, W, 3]` uint8 or None.
    """
    part, targets = prepared.parts[name], prepared.targets
    ranks = accelerator.num_processes
    plan = plan_for(prepared, name, shuffle=False)
    most = prepared.recipe.train.validation_rows
    most = (GENERATED if targets.slow else 0) if most is None else most
    if most and len(part.rows) > most:
        drawn = np.random.default_rng(0).choice(
            part.rows, most, replace=False
        )  # a stride may hit a pattern in the order of rows
        plan = BatchPlan(np.sort(drawn), plan.batch_size, shuffle=False)
    if ranks > 1:  # the same number of rows for each, so that sharded models run in step; duplicates are dropped below
        share = -(-len(plan.rows) // ranks)
        rows = np.resize(plan.rows, share * ranks)[accelerator.process_index :: ranks]
        plan = BatchPlan(rows, plan.batch_size, shuffle=False)

    def validate(model: torch.nn.Module) -> dict[str, float]:
        outputs = outputs_of(model, part.source, plan, precision, accelerator.device, workers)
        local = (outputs, plan.rows)  # of this process
        gathered = gather_object([local]) if ranks > 1 else [local]
        merged = {key: joined([outs[key] for outs, _ in gathered]) for key in outputs}
        order, first = np.unique(np.concatenate([rows for _, rows in gathered]), return_index=True)
        merged = {key: values[torch.from_numpy(first)] for key, values in merged.items()}
        truth = {key: values[torch.from_numpy(order)] for key, values in part.source.targets.items()}
        loss = targets.loss(merged, truth)
        numbers = {key: values.numpy() for key, values in truth.items()}
        predictions = targets.predictions(merged)
        if note is not None and accelerator.is_main_process:
            records, images = _samples(targets, part.source, order, predictions, numbers)
            if records:
                note(records, images)
        return targets.metrics(predictions, numbers) | {"loss": float(loss)}

    return validate


def _samples(
    targets: Targets, source: TableSource, rows: np.ndarray, predictions: Mapping[str, Any], truth: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[Any]]:
    """Some evenly spaced rows, each with its generated text and the right ones; and their images."""
    chosen = np.unique(np.linspace(0, len(rows) - 1, NOTED).astype(int))
    name, task = next(iter(targets.tasks.items()))
    pictured_columns = [
        (spec.columns[0], spec.kind)
        for spec in source.inputs.values()
        if spec.kind is not None and spec.kind.pictured and spec.columns[0] in source.table
    ]
    noted, images = [], []
    for i in chosen:
        sample = task.sample(predictions[name][i : i + 1], truth[name][i : i + 1])
        if sample is None:
            continue
        record = {"row": int(rows[i]) + 1, "written": sample.answer, "right": list(sample.right)}
        picture = None
        for column, modality in pictured_columns[:1]:
            for view in show_cell(modality, source.table.cells(column, [rows[i]])[0], source.media, SHOWN, 1):
                record |= {"picture": view.text} if view.text else {}
                picture = None if view.image is None else _on_white(view.image)
        noted.append(record)
        images.append(picture)
    return noted, images


def _on_white(image: Image.Image) -> np.ndarray:
    """`[SHOWN, SHOWN, 3]` uint8: a small image in the middle of a white square."""
    square = Image.new("RGB", (SHOWN, SHOWN), "white")
    square.paste(image, ((SHOWN - image.width) // 2, (SHOWN - image.height) // 2))
    return np.asarray(square)
