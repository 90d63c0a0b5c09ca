"""The training of an ensemble: its members, one after the other, on the same rows."""

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from plait import console
from plait.build.ensemble import EnsembleModel, member_recipe, members_of
from plait.runs.calibrate import choosing
from plait.runs.folder import RunFolder
from plait.runs.prepare import Prepared
from plait.runs.threshold import without_chosen
from plait.training.checkpoint import Progress

Train = Callable[[Prepared, RunFolder], Progress]


def train_members(prepared: Prepared, run: RunFolder, train: Train, verbose: bool) -> Progress:
    """Train each member in place; the record has an entry a member.

    Args:
        prepared: of the whole run.
        run: its folder, whose checkpoints are the member's that trains.
        train: trains one.
        verbose: say which.
    """
    # Rows that calibrate the whole choose no member's weights; members get no temperature or threshold of
    # their own.
    chosen = choosing(prepared)
    parts = {**prepared.parts, **({} if chosen is None else {"val": chosen})}
    model, start = cast(EnsembleModel, prepared.model), time.monotonic()
    progress = Progress()
    for number, member in enumerate(members_of(prepared.recipe), 1):
        if verbose:
            console.say(f"member {number} of {len(model.members)}: {member.method}")
        recipe = without_chosen(member_recipe(prepared.recipe, member)).with_training(calibrate="off")
        own = replace(prepared, recipe=recipe, parts=parts, model=cast(Any, model.members[number - 1]))
        done = train(own, run)
        prepared.notes[:] = own.notes
        shutil.rmtree(run.checkpoints, ignore_errors=True)
        loss = next((record["loss"] for record in reversed(done.history) if "loss" in record), 0.0)
        record = {"epoch": number, "loss": loss, "learning_rate": 0.0, "train_seconds": done.seconds}
        progress.history.append(record)
    progress.epoch, progress.seconds = len(model.members), time.monotonic() - start
    return progress
