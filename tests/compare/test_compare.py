"""Comparing: the same folds for all, honest intervals, a verdict that can say no; stopped, resumed, failed."""

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plait import Predictor
from plait.compare import Comparison, candidates_of, compare, session
from plait.compare.candidates import Candidate
from plait.compare.experiment import Experiment
from plait.compare.result import Judged, judge
from plait.data.readers import open_table
from plait.data.splits import folds_of
from plait.errors import DataError, PlaitError, RecipeError, RunError
from plait.fusion import FUSIONS
from plait.metrics import METRICS
from plait.metrics.bootstrap import bootstrap, draw_rows, holm, interval, p_value
from plait.recipe import Recipe
from plait.training.loop import Interrupted

accuracy = METRICS["accuracy"].function
FAST = {"epochs": 3, "device": "cpu", "precision": "float32", "batch_size": 16, "learning_rate": 0.01}


def frame(rows: int = 90, seed: int = 0) -> pd.DataFrame:
    """Neither the number nor the text answers alone: yes where their signs agree."""
    random = np.random.default_rng(seed)
    size, warm = random.choice([-1.0, 1.0], rows), random.choice(["cold", "warm"], rows)
    answer = np.where((size > 0) == (warm == "warm"), "yes", "no")
    texts = [f"a {word} thing number {number % 5}" for number, word in enumerate(warm)]
    return pd.DataFrame({"size": size, "title": texts, "answer": answer})


def recipe_of(**sections: Any) -> Recipe:
    inputs = {"size": {"modality": "number"}, "title": {"modality": "text", "encoder": "scratch:bag"}}
    base = {"task": [{"target": "answer"}], "inputs": inputs, "train": FAST, "fusion": {"dim": 16}}
    return Recipe.parse({**base, **sections})


def run(folder: Path, table: pd.DataFrame | None = None, **options: Any) -> Comparison:
    options = {"fusions": ["concat", "product"], "folds": 3, "verbose": False, "processes": 1, **options}
    recipe = options.pop("recipe", recipe_of())
    return compare(recipe, frame() if table is None else table, output=folder, **options)


def test_it_sees_that_two_modalities_together_answer_what_neither_can(tmp_path: Path) -> None:
    found = run(tmp_path / "c", recipe=recipe_of(train={**FAST, "epochs": 15}), seeds=1)
    rows = {row.name: row for row in found.rows}
    assert list(rows) == ["title", "tabular", "concat", "product"]
    assert rows["product"].score > 0.9 and max(rows["title"].score, rows["tabular"].score) < 0.75
    assert rows["product"].versus_best_single.significant and found.best in ("product", "concat")
    assert "fusion does not help" not in found.verdict and "alone" in found.verdict
    written = json.loads((tmp_path / "c" / "comparison.json").read_text())
    assert written["metric"] == "accuracy" and written["higher_is_better"] is True
    expected = "name kind modalities score low high per_fold versus_best_single versus_concat p_value parameters"
    assert set(f"{expected} train_seconds peak_bytes latency_ms failed".split()) == set(written["rows"][0])
    for row in written["rows"]:
        assert row["low"] <= row["score"] <= row["high"] and len(row["per_fold"]) == 3
        assert row["parameters"] > 0 and row["train_seconds"] > 0 and row["latency_ms"] > 0 and row["peak_bytes"] > 1e6
    page = (tmp_path / "c" / "report.html").read_text()
    assert (
        found.verdict.split(":")[0][:30] in page
        and page.count("<svg") == 2
        and "http" not in page.split("</style>")[1].replace("http://www.w3.org", "")
    )
    table = pd.read_csv(tmp_path / "c" / "comparison.csv")
    assert table["name"].tolist() == list(rows)


def test_it_says_when_fusion_does_not_help(tmp_path: Path) -> None:
    table = frame()
    table["answer"] = np.where(table["size"] > 0, "yes", "no")  # the number alone answers
    found = run(tmp_path / "c", table, recipe=recipe_of(train={**FAST, "epochs": 8}))
    assert found.verdict.startswith("fusion does not help here")
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
    assert len(calls) == 5 + 12 - 4 + 1
    assert [row.per_fold for row in resumed.rows] == [row.per_fold for row in whole.rows]
    with pytest.raises(RunError, match="another table, recipe or version"):
        run(tmp_path / "c", frame(seed=1))


def test_a_process_that_dies_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(*_: Any) -> Any:
        raise session.ProcessKilled("killed, most likely for memory")

    def stopped(*_: Any) -> Any:  # Ctrl-C reaches processes that are still starting, and ends them
        signal.raise_signal(signal.SIGINT)
        dying()

    monkeypatch.setattr(session, "run_jobs", dying)
    with pytest.raises(PlaitError, match="most likely for memory"):
        run(tmp_path / "c")
    monkeypatch.setattr(session, "run_jobs", stopped)
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
    assert "trees read what pretrained encoders say" in rows["boosted"].failed
    assert rows["product"].score is not None and rows["product"].versus_concat is None
    assert "out of memory" in (tmp_path / "c" / "report.html").read_text()


def test_the_best_is_left_as_a_run(tmp_path: Path) -> None:
    found = run(tmp_path / "c", save_best=True, fusions=["product"])
    best = Predictor.load(tmp_path / "c" / "best")
    row = next(row for row in found.rows if row.name == found.best)
    assert set(best.inputs_) == set(row.modalities) and "val" not in best.metrics_
    assert len(best.predict(frame())) == 90


def test_the_slowest_settles_the_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def chosen(model: Any, *rest: Any) -> tuple[str, str]:
        sizes.append(sum(parameter.numel() for parameter in model.parameters()))
        return "bfloat16", "made up"

    monkeypatch.setattr("plait.training.precision.has_bfloat16", lambda device: True)
    monkeypatch.setattr("plait.compare.experiment.choose_precision", chosen)
    recipe = recipe_of(train={**FAST, "precision": "auto"})
    experiment = Experiment(recipe, open_table(frame()), 3, False)
    found = candidates_of(experiment.modalities, ["boosted", "concat", "perceiver"])
    monkeypatch.setattr("plait.compare.experiment.median_ms", lambda work, rounds: timed.append(work()) or len(timed))
    timed: list[None] = []  # a clock that makes each step longer than the one before
    experiment.settle_precision(found)
    perceiver = experiment.model(found[-1], experiment.fold(0), 0)
    assert experiment.precision == "bfloat16"
    assert sizes == [sum(parameter.numel() for parameter in perceiver.parameters())]
    experiment.settle_precision([candidate for candidate in found if candidate.method == "boosted"])
    assert experiment.precision == "float32" and len(sizes) == 1


@pytest.mark.parametrize("name", ["late_stacking", "late_mean", "layerwise"])
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


def test_frozen_encoders_are_encoded_once(tmp_path: Path) -> None:
    inputs = {"size": {"modality": "number"}, "title": {"modality": "text", "encoder": "scratch:bag", "frozen": True}}
    experiment = Experiment(recipe_of(inputs=inputs), session.open_table(frame()), 3, False)
    assert list(experiment.encoded) == ["title"]
    fold = experiment.fold(0)
    parts = [set(part.tolist()) for part in (fold.train, fold.val, fold.test)]
    assert set.union(*parts) == set(range(90)) and sum(map(len, parts)) == 90
    candidate = candidates_of(experiment.modalities, ["concat"])[-1]
    model = experiment.model(candidate, fold, seed=0)
    assert not list(model.encoders["title"].parameters())
    answer = experiment.run(candidate, 0, seed=0)
    assert answer.rows.tolist() == fold.test.tolist() and answer.predictions.shape == (len(fold.test), 2)


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


def test_a_budget_for_many_models_is_said_and_what_the_user_set_stays(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    frame().to_csv(table, index=False)
    base: dict[str, Any] = {"data": {"train": str(table)}, "task": [{"target": "answer"}]}
    made, said = session.prepare_recipe(Recipe.parse(base))
    assert made.fusion.dim == session.DIM and made.tabular.options == {"layers": session.TABULAR_LAYERS}
    assert any(line.startswith("tabular.layers: 0 ") for line in said) and "fusion.dim: 128 " in said[0]
    made, said = session.prepare_recipe(Recipe.parse({**base, "tabular": {"layers": 2}, "fusion": {"dim": 32}}))
    assert made.fusion.dim == 32 and made.tabular.options == {"layers": 2}
    assert not any("tabular" in line or "dim" in line for line in said)
    made, said = session.prepare_recipe(
        Recipe.parse({**base, "data": {"train": str(table), "types": {"size": "ignore"}}})
    )
    assert not made.tabular.options and not any("tabular" in line for line in said)  # no such column


def test_candidates() -> None:
    names = [c.name for c in candidates_of(["a", "b", "c"])]
    assert names[:6] == ["a", "b", "c", "a + b", "a + c", "b + c"] and names[6:] == [*FUSIONS, "boosted"]


def test_folds_share_out_classes_and_keep_groups() -> None:
    labels = np.array([0] * 40 + [1] * 20)
    groups = np.arange(60) // 2
    for folds in (folds_of(np.arange(60), 4, labels), folds_of(np.arange(60), 4, labels, groups)):
        assert sorted(np.concatenate(folds).tolist()) == list(range(60))
        assert all(0.2 < labels[fold].mean() < 0.45 for fold in folds)
    of_group = [set(groups[fold].tolist()) for fold in folds]
    assert sum(map(len, of_group)) == len(set.union(*of_group))


def test_statistics_agree_with_theory() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 400)
    sure = np.eye(2)[np.where(random.random(400) < 0.8, truth, 1 - truth)]
    draws = draw_rows(400, draws=2000)
    found = bootstrap(accuracy, truth, [sure], draws)
    share = (sure.argmax(1) == truth).mean()
    assert found.mean() == pytest.approx(share, abs=0.005)
    assert found.std() == pytest.approx(np.sqrt(share * (1 - share) / 400), rel=0.1)  # the binomial's
    low, high = interval(found)
    assert low < share < high
    grouped = bootstrap(accuracy, truth, [sure], draw_rows(400, np.arange(400) // 40, draws=500))
    assert np.isfinite(grouped).all()
    assert p_value(0.0, np.zeros(10)) == 1.0 and p_value(0.5, found - found.mean()) < 1e-9
    assert holm({"only": 0.2}) == {"only": 0.2}


def test_paired_differences_are_of_the_same_rows() -> None:
    """Two models that err on the same rows differ surely; two that err anywhere do not."""
    random = np.random.default_rng(1)
    truth = random.integers(0, 2, 300)
    single = np.eye(2)[np.where(random.random(300) < 0.7, truth, 1 - truth)]
    better = single.copy()
    wrong = np.flatnonzero(single.argmax(1) != truth)[:15]
    better[wrong] = np.eye(2)[truth[wrong]]
    other = single.copy()  # errs elsewhere, as often
    right = np.flatnonzero(single.argmax(1) == truth)[:18]
    other[wrong], other[right] = np.eye(2)[truth[wrong]], np.eye(2)[1 - truth[right]]
    found = [
        Judged(Candidate("a", "single", ("a",), "concat"), [single], [0.7]),
        Judged(Candidate("concat", "fusion", ("a", "b"), "concat"), [other], [0.7]),
        Judged(Candidate("better", "fusion", ("a", "b"), "sum"), [better], [0.75]),
    ]
    comparison = judge(found, truth, "accuracy", accuracy, True, None, 1.0)
    rows = {row.name: row for row in comparison.rows}
    assert rows["better"].versus_best_single.difference == pytest.approx(0.05)
    assert rows["better"].versus_best_single.significant and rows["better"].versus_best_single.low > 0
    assert not rows["concat"].versus_best_single.significant
    assert comparison.best == "better" and comparison.verdict.startswith("b adds +0.050")


def test_of_equal_scores_the_simplest_model_wins_however_long_each_took() -> None:
    truth = np.arange(40) % 2
    answers = np.eye(2)[truth]
    kinds = [("concat", "fusion", ("a", "b"), 9), ("a", "single", ("a",), 7), ("b", "single", ("b",), 5)]
    for slow in range(3):
        found = [
            Judged(
                Candidate(name, kind, names, "concat"),
                [answers],
                [1.0],
                {"parameters": n, "train_seconds": place == slow},
            )
            for place, (name, kind, names, n) in enumerate(kinds)
        ]
        assert judge(found, truth, "accuracy", accuracy, True, None, 1.0).best == "b"


def test_of_an_error_less_is_a_gain() -> None:
    truth = np.random.default_rng(0).normal(size=200)
    noise = np.random.default_rng(1).normal(size=200)
    found = [
        Judged(Candidate("a", "single", ("a",), "concat"), [truth + noise], [1.0]),
        Judged(Candidate("concat", "fusion", ("a", "b"), "concat"), [truth + noise / 2], [0.5]),
    ]
    rmse = METRICS["rmse"].function
    error, less = np.sqrt(np.square(noise).mean()), np.sqrt(np.square(noise).mean()) / 2
    verdict = judge(found, truth, "rmse", rmse, False, None, 1.0).verdict
    assert verdict.startswith(f"b gives {less:.3f} (95 % interval 0.") and "+" not in verdict
    assert f"less rmse than a alone ({error:.3f}); concat is best ({less:.3f})" in verdict
    found[1] = replace(found[1], predictions=[truth + noise])
    verdict = judge(found, truth, "rmse", rmse, False, None, 1.0).verdict
    assert verdict.startswith("fusion does not help here")
    assert ": 0.000 (95 % interval 0.000 to 0.000) less rmse, p = 1" in verdict


def test_a_sample_of_whole_groups() -> None:
    table = frame(120)
    table["owner"] = np.arange(120) // 4
    experiment = Experiment(recipe_of(data={"group": "owner"}), session.open_table(table), 3, False, most=50)
    assert 50 <= len(experiment.rows) <= 53
    assert all(len(part) == 4 for _, part in table.iloc[experiment.rows].groupby("owner"))
    assert any("of 120 rows are compared" in note for note in experiment.notes)


def test_several_processes_answer_as_one_does(tmp_path: Path) -> None:
    inputs = {"size": {"modality": "number"}, "title": {"modality": "text", "encoder": "scratch:bag", "frozen": True}}
    options: dict[str, Any] = {"recipe": recipe_of(inputs=inputs), "fusions": ["product", "boosted", "late_stacking"]}
    one, two = run(tmp_path / "1", processes=1, **options), run(tmp_path / "2", processes=2, **options)
    assert [row.name for row in one.rows] == [row.name for row in two.rows]
    for row, other in zip(one.rows, two.rows, strict=True):
        assert row.per_fold == pytest.approx(other.per_fold, abs=0.04) and row.failed == other.failed == ""
        assert other.train_seconds > 0 and other.peak_bytes > 1e6
