from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fakes import colour_table, make, picture
from plait import Predictor
from plait.errors import DataError, PlaitError, RecipeError
from plait.fusion import FUSIONS


def test_both_modalities_together_answer_what_neither_can(table: Path, tmp_path: Path) -> None:
    """The point of the product, small: image and title each say nothing of whether they agree."""
    inputs = {
        "photo": {"modality": "image", "widths": [8, 16], "dim": 16, "shift": 0},
        "title": {"modality": "text", "encoder": "scratch:bag", "dim": 16, "dropout": 0.0},
    }
    train = {"epochs": 25, "learning_rate": 0.01, "batch_size": 16}
    both = make(folder=tmp_path / "both", inputs=inputs, fusion="product", train=train).fit(table)
    only = make(folder=tmp_path / "one", inputs={"title": inputs["title"]}, train=train).fit(table)
    fresh = colour_table(tmp_path / "fresh", rows=60, seed=9)
    assert both.evaluate(fresh)["accuracy"] > 0.9 > 0.85 > only.evaluate(fresh)["accuracy"]


def test_saved_and_loaded_it_answers_the_same(table: Path, tmp_path: Path) -> None:
    predictor = make(folder=tmp_path / "run").fit(table)
    saved = predictor.save(tmp_path / "copy")
    for folder in (tmp_path / "run", saved):
        again = Predictor.load(folder)
        np.testing.assert_array_equal(again.predict_proba(table), predictor.predict_proba(table))
        assert again.classes_.tolist() == ["no", "yes"] and again.metrics_ == predictor.metrics_
    assert predictor.embed(table).shape == (150, 256)
    assert predictor.score(table) == predictor.evaluate(table)["accuracy"]


def test_a_frame_a_parquet_and_a_csv_are_one_table(table: Path, tmp_path: Path) -> None:
    predictor = make(folder=tmp_path / "run").fit(table)
    frame = pd.read_csv(table)
    frame.to_parquet(table.with_suffix(".parquet"))
    expected = predictor.predict_proba(table)
    np.testing.assert_allclose(predictor.predict_proba(table.with_suffix(".parquet")), expected, atol=1e-6)
    frame["photo"] = [str(table.parent / name) for name in frame["photo"]]
    np.testing.assert_allclose(predictor.predict_proba(frame), expected, atol=1e-6)


def test_rows_are_answered_one_by_one_as_together(table: Path, tmp_path: Path) -> None:
    predictor = make(folder=tmp_path / "run").fit(table)
    frame = pd.read_csv(table)
    frame["photo"] = [str(table.parent / name) for name in frame["photo"]]
    together = predictor.predict_proba(frame)
    for row in (0, 7, 149):
        np.testing.assert_allclose(predictor.predict_proba(frame[row : row + 1])[0], together[row], atol=1e-5)


MISSING = {"photo": None, "title": "", "price": float("nan"), "shade": None}


QUICK = ("concat", "gated", "mult", "low_rank", "late_mean")  # of each kind one; all of them with `make test-slow`


@pytest.mark.parametrize(
    ("fusion", "missing_token"),
    [
        *[pytest.param(name, False, marks=() if name in QUICK else pytest.mark.slow) for name in FUSIONS],
        ("concat", True),
        pytest.param("co_attention", True, marks=pytest.mark.slow),
    ],
)
def test_missing_values_train_and_predict(table: Path, tmp_path: Path, fusion: str, missing_token: bool) -> None:
    frame = pd.read_csv(table)
    frame["photo"] = [str(table.parent / name) for name in frame["photo"]]
    random = np.random.default_rng(0)
    for name, empty in MISSING.items():
        frame.loc[random.random(len(frame)) < 0.3, name] = empty
    frame.loc[0, list(MISSING)] = pd.Series(MISSING, dtype=object)
    options = {"method": fusion, "missing_token": missing_token}
    predictor = make(folder=tmp_path / "run", fusion=options).fit(frame)
    whole = predictor.predict_proba(frame)
    assert np.isfinite(whole).all()
    for name in MISSING:  # a whole column of empty cells equals no column
        emptied = frame.assign(**{name: [None] * len(frame)})
        dropped = frame.drop(columns=[name])
        np.testing.assert_allclose(predictor.predict_proba(emptied), predictor.predict_proba(dropped), atol=1e-5)
        assert not np.allclose(predictor.predict_proba(dropped), whole)


def test_nothing_is_filled_in_from_another_row(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table).drop(columns=["photo"])
    predictor = make(folder=tmp_path / "run").fit(frame)
    row = frame[:1].assign(title=None, price=None)
    alone = predictor.predict_proba(row)
    np.testing.assert_allclose(predictor.predict_proba(pd.concat([row, frame[5:9]]))[0], alone[0], atol=1e-6)


def test_regression_multilabel_and_several_targets(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table).drop(columns=["photo"])
    frame["tags"] = [
        f"{shade};{'cheap' if price < 10 else 'dear'}"
        for shade, price in zip(frame["shade"], frame["price"], strict=False)
    ]
    frame["double"] = frame["price"] * 2
    frame.loc[3, "double"] = np.nan
    train = {"epochs": 30, "learning_rate": 0.01}
    predictor = make(["tags", "double", "answer"], folder=tmp_path / "run", train=train).fit(frame)
    metrics = predictor.evaluate(frame)
    assert metrics["double.r2"] > 0.8 and metrics["tags.f1_macro"] > 0.8 and "answer.accuracy" in metrics
    answers = predictor.predict(frame)
    assert list(answers.columns) == ["tags", "double", "answer"]
    assert {len(v) for v in predictor.classes_.values()} == {4, 0, 2}
    with pytest.raises(RecipeError, match="is a regression target and has no probabilities"):
        predictor.predict_proba(frame)
    loaded = Predictor.load(tmp_path / "run").evaluate(frame)
    assert loaded == pytest.approx(metrics)
    assert "Answers: double" in (tmp_path / "run" / "report.html").read_text()


def test_several_pictures_in_a_cell(tmp_path: Path) -> None:
    rows = []
    for i in range(40):
        names = ["red", "blue"] if i % 2 else ["green", "green"]
        paths = [picture(tmp_path / f"{i}_{j}.png", name, size=(16, 16), seed=i) for j, name in enumerate(names)]
        rows.append({"photos": ";".join(p.name for p in paths), "y": ["same", "mixed"][i % 2]})
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    inputs = {"photos": {"modality": "image", "widths": [8, 16], "dim": 16, "size": 16}}
    predictor = make("y", folder=tmp_path / "run", inputs=inputs, train={"epochs": 15, "learning_rate": 0.01})
    assert predictor.fit(tmp_path / "t.csv").evaluate(tmp_path / "t.csv")["accuracy"] == 1.0


def test_unfitted_targetless_and_column_less_calls(table: Path, tmp_path: Path) -> None:
    with pytest.raises(PlaitError, match="is not fitted"):
        make().predict(table)
    with pytest.raises(RecipeError, match="what should be predicted"):
        Predictor().fit(table)
    with pytest.raises(DataError, match="which table"):
        make().fit()
    predictor = make(folder=tmp_path / "run").fit(table)
    with pytest.raises(DataError, match="the target to compare predictions with: unknown column 'answer'"):
        predictor.evaluate(pd.read_csv(table).drop(columns=["answer", "photo"]))


def test_odd_column_names(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=60)
    frame = pd.DataFrame(
        {
            "price (USD)": x,
            "a.b": ["some words of text here", "other words stand in there"] * 30,
            "type": ["u", "v"] * 30,
        }
    )
    frame["keys"] = np.where(x > 0, "up", "down")
    predictor = make("keys", folder=tmp_path / "run").fit(frame)
    np.testing.assert_array_equal(Predictor.load(tmp_path / "run").predict(frame), predictor.predict(frame))


@pytest.mark.timeout(60)
@pytest.mark.slow
def test_ten_thousand_columns_train(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(30, 10_000)), columns=[f"c{i}" for i in range(10_000)])
    frame["y"] = ["a", "b"] * 15
    predictor = make("y", folder=tmp_path / "run", tabular={"dim": 8, "heads": 1}).fit(frame)
    assert len(predictor.predict(frame)) == 30
