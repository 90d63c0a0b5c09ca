"""What each modality gives, on a model whose use of them is known; and the remedies."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from fakes import fake_batch
from plait import Predictor
from plait.data.dropping import drop_modalities, without
from plait.errors import RecipeError
from plait.evaluation.noise import noise_curves
from plait.modalities import MODALITIES, TEXT
from plait.report.modalities_report import write_modalities
from plait.types import Input

TRAIN = {"epochs": 12, "device": "cpu", "precision": "float32", "learning_rate": 0.005, "batch_size": 16}


def table(rows: int = 160, seed: int = 0) -> pd.DataFrame:
    """`size` answers; `title` says nothing."""
    random = np.random.default_rng(seed)
    size = random.normal(size=rows)
    titles = random.choice(["a thing", "some thing", "this thing"], rows)
    return pd.DataFrame({"size": size, "title": titles, "answer": np.where(size > 0, "yes", "no")})


INPUTS = {"size": {"modality": "number"}, "title": {"modality": "text", "encoder": "scratch:bag"}}


def test_a_metric_that_the_rows_do_not_define_is_said_to_be_so(tmp_path: Path) -> None:
    train = {**TRAIN, "epochs": 1, "metric": "roc_auc"}
    predictor = Predictor("answer", inputs=INPUTS, output=tmp_path / "run", train=train, verbose=False).fit(table())
    one_class = table(seed=1).query("answer == 'yes'")
    report = predictor.modalities(one_class)
    assert report.modalities == [] and report.warnings == ["roc_auc is not defined on these rows"]
    assert np.isnan(predictor.score(one_class)) and "accuracy" in predictor.evaluate(one_class)


def test_a_modality_that_is_not_used_is_named(tmp_path: Path) -> None:
    predictor = Predictor("answer", inputs=INPUTS, output=tmp_path / "run", train=TRAIN, verbose=False).fit(table())
    report = predictor.modalities(table(seed=1), curves=True)
    by_name = {one.name: one for one in report.modalities}
    number, title = by_name["tabular"], by_name["title"]
    assert report.metric == "accuracy" and report.all > 0.9
    assert number.absent < 0.7 and number.permuted < 0.7 and number.alone > 0.9
    assert title.alone == pytest.approx(number.absent) and number.alone == pytest.approx(title.absent)
    assert any(w.startswith("title is hardly used") for w in report.warnings)
    assert not any(w.startswith("tabular is hardly") for w in report.warnings)
    assert number.missing[0.0] == report.all and number.missing[1.0] == pytest.approx(number.absent)
    assert number.missing[0.0] > number.missing[0.5] > number.missing[1.0]
    loaded = Predictor.load(tmp_path / "run").modalities(table(seed=1))
    assert [one.absent for one in loaded.modalities] == [one.absent for one in report.modalities]
    assert "What each modality gives" in (tmp_path / "run" / "report.html").read_text()
    assert (tmp_path / "run" / "modalities.json").exists()


def test_noise_lowers_the_score_of_what_is_used_and_the_page_shows_it(tmp_path: Path) -> None:
    predictor = Predictor("answer", inputs=INPUTS, output=tmp_path / "run", train=TRAIN, verbose=False).fit(table())
    report = predictor.modalities(table(seed=1), curves=True, noises=["all"])
    by_name = {one.name: one.noise for one in report.modalities}
    assert set(by_name["tabular"]) == {"number_noise"} and set(by_name["title"]) == {"typos", "word_drop"}
    numbers = list(by_name["tabular"]["number_noise"].values())
    assert numbers[0] == report.all and numbers[-1] < numbers[0] - 0.1
    assert abs(by_name["title"]["typos"][0.4] - report.all) < 0.1  # the title says nothing
    assert predictor.modalities(table(seed=1), rows=50).rows == 50
    write_modalities(tmp_path / "page.html", report, "run", "table.csv")
    page = (tmp_path / "page.html").read_text()
    assert "as so many rows lack it" in page and "deviations of the column" in page and page.count("<svg") == 4
    with pytest.raises(RecipeError, match="'blur' is for image columns; the model reads"):
        predictor.modalities(table(), noises=["blur"])
    with pytest.raises(RecipeError, match="unknown noise 'typo'.*typos"):
        predictor.modalities(table(), noises=["typo"])


def test_a_level_of_no_noise_has_the_clean_score(monkeypatch: pytest.MonkeyPatch) -> None:
    from_none = replace(TEXT, noises={"typos": replace(TEXT.noises["typos"], levels=(0.0, 0.5))})
    monkeypatch.setitem(MODALITIES, "text", from_none)
    monkeypatch.setattr("plait.evaluation.noise._noisy", lambda source, name, noise, level, seed: level)
    source = SimpleNamespace(inputs={"title": SimpleNamespace(modality="text")})
    curves = noise_curves(lambda level: 0.25, source, ["typos"], whole=0.75)  # type: ignore[arg-type]
    assert curves == {"title": {"typos": {0.0: 0.75, 0.5: 0.25}}}


def test_taking_values_away_equals_rows_without_them() -> None:
    batch = fake_batch()
    rows = torch.tensor([False, True, False, False, True, False])
    value = without(batch.inputs["b"], rows)
    assert value.index.flatten().tolist() == [-1, -1, 2, 3, -1, 5]
    first = without(batch.inputs["a"], rows)
    assert first.index.flatten().tolist() == [0, -1, 2, 3, -1, 5] and first.features is batch.inputs["a"].features
    assert without(batch.inputs["a"], torch.ones(6, dtype=torch.bool)).empty
    stored = Input({"stored": torch.ones(2, 3, 4), "stored_mask": torch.ones(2, 3, dtype=torch.bool)})
    assert without(stored, torch.tensor([True, False])).features["stored_mask"].any(dim=1).tolist() == [False, True]


def test_modality_dropout_takes_its_share_and_never_all() -> None:
    torch.manual_seed(0)
    gone = torch.zeros(2)
    for _ in range(300):
        dropped = drop_modalities(fake_batch(), 0.4)
        lost = torch.stack([_lost(dropped.inputs[name]) for name in "ab"])
        gone += lost[:, 1:].float().mean(dim=1)  # row 0 never had b
        assert not lost[:, 1:].all(dim=0).any()
    # 0.4 less half of the 0.16 in which both would go
    assert (gone / 300).tolist() == pytest.approx([0.32, 0.32], abs=0.03)
    batch = fake_batch()
    assert drop_modalities(batch, 0.0) is batch


def _lost(value: Input) -> torch.Tensor:
    if value.empty:
        return torch.ones(6, dtype=torch.bool)
    return torch.zeros(6, dtype=torch.bool) if value.index is None else (value.index < 0).all(dim=1)


def dominated(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    """Both answer alike, but the number at once and the text only after learning words."""
    random = np.random.default_rng(seed)
    answer = random.choice(["yes", "no"], rows)
    words = {"yes": ["ape", "bee", "cow", "dog", "elk"], "no": ["fig", "gum", "hay", "ivy", "jam"]}
    titles = [f"{random.choice(words[said])} {random.integers(99)}" for said in answer]
    return pd.DataFrame(
        {"size": (answer == "yes") * 4.0 - 2 + random.normal(size=rows) / 4, "title": titles, "answer": answer}
    )


REMEDIES = [{"modality_dropout": 0.4}, {"auxiliary": 1.0}, {"gradient_modulation": 0.5}, {"gradient_blending": 2}]


@pytest.mark.parametrize("remedy", REMEDIES)
def test_remedies_keep_the_weaker_modality_learning(tmp_path: Path, remedy: dict[str, float]) -> None:
    scores = {}
    for name, options in (("plain", {}), ("remedy", remedy)):
        predictor = Predictor(
            "answer", inputs=INPUTS, output=tmp_path / name, verbose=False, fusion={"method": "sum", "dim": 32},
            train={**TRAIN, "epochs": 5, "learning_rate": 0.003, **options},
        ).fit(dominated())  # fmt: skip
        report = predictor.modalities(dominated(seed=1))
        assert report.all > 0.95
        scores[name] = {one.name: one.alone for one in report.modalities}["title"]
        assert len(Predictor.load(tmp_path / name).predict(dominated(20))) == 20  # auxiliary heads load too
    assert scores["remedy"] >= scores["plain"] and scores["remedy"] > 0.9


def test_stacking_behind_the_predictor(tmp_path: Path) -> None:
    predictor = Predictor(
        "answer", inputs=INPUTS, output=tmp_path / "run", fusion="late_stacking", train={**TRAIN, "epochs": 5},
        verbose=False,
    ).fit(table())  # fmt: skip
    weight = predictor.model_.fusion.weight
    assert not torch.equal(weight, type(predictor.model_.fusion)({"a": 1, "b": 1}, 2).weight)  # no longer the mean
    assert predictor.score(table(seed=2)) > 0.85
    loaded = Predictor.load(tmp_path / "run")
    np.testing.assert_allclose(loaded.predict_proba(table()), predictor.predict_proba(table()), atol=1e-6)
