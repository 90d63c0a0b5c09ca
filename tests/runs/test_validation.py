"""How good a model is while it trains: on which rows, and what is noted of them."""

from typing import Any

import numpy as np
import pandas as pd
import torch

from fakes import frame
from plait.data.batches import TableSource
from plait.data.table import Table
from plait.recipe import Recipe
from plait.runs import validation
from plait.runs.prepare import Prepared, prepare
from plait.runs.validation import NOTED, SHOWN, make_validation
from plait.tasks import Targets
from plait.tasks.task import Sample
from plait.training.devices import make_accelerator
from plait.training.evaluate import outputs_of


def prepared_of(**train: Any) -> Prepared:
    inputs = {"a": {"modality": "number"}}
    recipe = {"task": {"target": "y"}, "inputs": inputs, "data": {"val": 0.5}, "fusion": {"dim": 8}, "train": train}
    return prepare(Recipe.parse(recipe), Table.from_frame(frame(60)))


def test_scores_and_loss_are_those_of_the_parts_rows() -> None:
    prepared = prepared_of()
    part, accelerator = prepared.parts["val"], make_accelerator("cpu")
    found = make_validation(prepared, "val", accelerator, "float32", 0)(prepared.model.eval())
    with torch.no_grad():
        logits = prepared.model(part.source.batch(part.rows)).predictions["y"]
    truth = part.truth()["y"]
    assert found["accuracy"] == (logits.argmax(dim=1).numpy() == truth).mean()
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(truth))
    np.testing.assert_allclose(found["loss"], float(loss), rtol=1e-5)


def test_fewer_rows_are_drawn_once_and_are_the_same_each_time(monkeypatch: Any) -> None:
    prepared = prepared_of()
    prepared.recipe = prepared.recipe.updated({"train": {"validation_rows": 10}})
    seen: list[np.ndarray] = []

    def watched(model: Any, source: Any, plan: Any, *rest: Any) -> Any:
        seen.append(plan.rows)
        return outputs_of(model, source, plan, *rest)

    monkeypatch.setattr(validation, "outputs_of", watched)
    validate = make_validation(prepared, "val", make_accelerator("cpu"), "float32", 0)
    first, second = validate(prepared.model), validate(prepared.model)
    assert first == second and len(seen[0]) == 10 and (seen[0] == seen[1]).all()
    assert (np.diff(seen[0]) > 0).all() and set(seen[0]) <= set(prepared.parts["val"].rows)


class Echo:
    """A task whose answer to a row is the number predicted for it; of odd ones it shows nothing."""

    kind = "echo"

    def sample(self, prediction: Any, truth: Any) -> Sample | None:
        return None if int(prediction[0]) % 2 else Sample(int(prediction[0]), [int(truth[0])])


def test_noted_rows_are_evenly_spaced_with_their_image(tmp_path: Any) -> None:
    from fakes import picture
    from plait.data.batches import InputSpec
    from plait.processors import ImageProcessor

    picture(tmp_path / "wide.png", "red", (64, 32))
    table = Table.from_frame(pd.DataFrame({"photo": ["wide.png"] * 8 + [None]}), tmp_path)
    source = TableSource(table, {"photo": InputSpec(("photo",), ImageProcessor(8), "image")})
    numbers = np.arange(9)
    targets: Any = Targets.__new__(Targets)
    targets.tasks = {"t": Echo()}
    told, images = validation._samples(targets, source, numbers, {"t": numbers}, {"t": numbers * 10})
    assert NOTED == 5 and [one["row"] for one in told] == [1, 3, 5, 7, 9]  # from 1
    assert [(one["written"], one["right"]) for one in told] == [(n, [n * 10]) for n in (0, 2, 4, 6, 8)]
    assert images[-1] is None and images[0].shape == (SHOWN, SHOWN, 3) and told[0]["picture"] == "wide.png"
    assert (images[0][:10] == 255).all() and images[0][SHOWN // 2, SHOWN // 2, 0] > 150  # on white, in the middle
    less, _ = validation._samples(targets, source, numbers[:2], {"t": numbers[:2]}, {"t": numbers[:2]})
    assert [one["row"] for one in less] == [1]
