"""Before and around training: the recipe that is trained, the folder, the precision."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from fakes import frame
from plait.data.table import Table
from plait.errors import DataError, RecipeError, RunError
from plait.recipe import Recipe
from plait.runs import train
from plait.runs.folder import RunFolder
from plait.runs.prepare import prepare
from plait.runs.train import decide_precision, folder_of_run, recipe_to_train
from plait.training.devices import make_accelerator
from plait.training.loop import Interrupted


def test_a_run_that_goes_on_is_trained_by_its_own_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = Recipe.parse({"task": {"target": "y"}, "train": {"epochs": 3}})
    threads = torch.get_num_threads()
    kept = Recipe.parse({"task": {"target": "y"}, "train": {"epochs": 7, "device": "cpu"}, "resolved": {"threads": 0}})
    assert recipe_to_train(given, tmp_path / "new", False, True) is given
    with pytest.raises(RunError, match="expected a run folder"):
        recipe_to_train(given, tmp_path / "new", True, True)
    RunFolder(tmp_path).write_recipe(kept.model_copy(update={"resolved": {"threads": threads + 1}}))
    with pytest.raises(RunError, match="holds a run already"):
        recipe_to_train(given, tmp_path, False, True)
    assert recipe_to_train(given, tmp_path, True, True).train.epochs == 7
    said = " ".join(capsys.readouterr().err.split())
    assert f"began with {threads + 1} threads and goes on with {threads}" in said and "finished already" not in said
    (tmp_path / "model.safetensors").write_bytes(b"")
    recipe_to_train(given, tmp_path, True, True)
    assert "the run is finished already" in " ".join(capsys.readouterr().err.split())


def test_a_tracker_that_nobody_knows_is_said_before_any_work() -> None:
    with pytest.raises(RecipeError, match="did you mean 'tensorboard'"):
        recipe_to_train(Recipe.parse({"train": {"trackers": ["tensorbord"]}}), None, False, False)


@pytest.mark.parametrize(
    ("checkpoint", "weights", "stop", "kind", "said"),
    [
        (False, False, KeyboardInterrupt(), KeyboardInterrupt, "^$"),
        (True, False, KeyboardInterrupt(), Interrupted, "^stopped; continue with: plait train --resume"),
        (True, False, Interrupted("stopped in epoch 3"), Interrupted, "^stopped in epoch 3; continue with:"),
        (True, True, KeyboardInterrupt(), Interrupted, "model.safetensors is there, metrics and report are not"),
        (True, False, DataError("row 3 is odd"), DataError, "^row 3 is odd$"),
        (True, False, RunError("not for want of room"), RunError, "^not for want of room$"),
    ],
)
def test_what_stopped_says_how_to_go_on_where_there_are_weights(
    checkpoint: bool, weights: bool, stop: BaseException, kind: type[BaseException], said: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=said), folder_of_run(make_accelerator("cpu"), tmp_path / "r", "t", False) as run:
        run.write_text("recipe.yaml", "")
        if checkpoint:
            run.checkpoints.mkdir()
            (run.checkpoints / train.LAST).write_bytes(b"x")
        if weights:
            run.weights.write_bytes(b"x")
        raise stop
    assert (tmp_path / "r").exists() == checkpoint


def test_a_full_disk_says_how_to_go_on(tmp_path: Path) -> None:
    said = r"^no room, then continue with: plait train --resume .*/r$"
    folder = folder_of_run(make_accelerator("cpu"), tmp_path / "r", "t", False)
    with pytest.raises(RunError, match=said), folder as run:
        run.checkpoints.mkdir()
        (run.checkpoints / train.LAST).write_bytes(b"x")
        raise RunError("no room") from OSError(28, os.strerror(28))


def test_the_precision_that_was_chosen_is_kept_in_the_recipe() -> None:
    sections: dict[str, Any] = {"task": {"target": "y"}, "inputs": {"a": {"modality": "number"}}, "fusion": {"dim": 8}}
    accelerator = make_accelerator("cpu")
    for asked, options in (("float32", {}), ("bfloat16", {}), ("auto", {"fusion": {"method": "boosted"}})):
        recipe = Recipe.parse({**sections, **options, "train": {"precision": asked, "device": "cpu"}})
        prepared = prepare(recipe, Table.from_frame(frame(40)))
        made = decide_precision(prepared, accelerator)
        assert made.train.precision == ("float32" if asked == "auto" else asked)
        assert made.resolved["threads"] == torch.get_num_threads() and "torch" in made.resolved["versions"]
        assert "weights" not in made.resolved and not [note for note in prepared.notes if "precision" in note]
    prepared = prepare(Recipe.parse({**sections, "train": {"device": "cpu"}}), Table.from_frame(frame(40)))
    chosen = decide_precision(prepared, accelerator).train.precision
    assert chosen in ("float32", "bfloat16", "bfloat16_matmul") and prepared.notes[-1].startswith(
        f"precision: {chosen}, "
    )
