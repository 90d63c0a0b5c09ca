"""Scores under noise."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fakes import NUMBER_AND_TITLE, TWELVE_EPOCHS, size_table
from plait import Predictor
from plait.errors import RecipeError
from plait.evaluation.noise import NoisyProcessor, noise_curves
from plait.modalities import MODALITIES, TEXT, noises
from plait.processors import TabularProcessor
from plait.report.modalities_report import write_modalities


def test_noise_lowers_the_score_of_what_is_used_and_the_page_shows_it(tmp_path: Path) -> None:
    predictor = Predictor(
        "answer", inputs=NUMBER_AND_TITLE, output=tmp_path / "run", train=TWELVE_EPOCHS, verbose=False
    ).fit(size_table())
    report = predictor.modalities(size_table(seed=1), curves=True, noises=["all"])
    by_name = {one.name: one.noise for one in report.modalities}
    assert set(by_name["tabular"]) == {"number_noise"} and set(by_name["title"]) == {"typos", "word_drop"}
    numbers = list(by_name["tabular"]["number_noise"].values())
    assert numbers[0] == report.all and numbers[-1] < numbers[0] - 0.1
    assert abs(by_name["title"]["typos"][0.4] - report.all) < 0.1  # the title says nothing
    assert predictor.modalities(size_table(seed=1), rows=50).rows == 50
    write_modalities(tmp_path / "page.html", report, "run", "table.csv")
    page = (tmp_path / "page.html").read_text()
    assert "as so many rows lack it" in page and "deviations of the column" in page and page.count("<svg") == 4
    with pytest.raises(RecipeError, match="'blur' is for image columns; the model reads"):
        predictor.modalities(size_table(), noises=["blur"])
    with pytest.raises(RecipeError, match="unknown noise 'typo'.*typos"):
        predictor.modalities(size_table(), noises=["typo"])


def test_a_level_of_no_noise_has_the_clean_score(monkeypatch: pytest.MonkeyPatch) -> None:
    from_none = replace(TEXT, noises={"typos": replace(TEXT.noises["typos"], levels=(0.0, 0.5))})
    monkeypatch.setitem(MODALITIES, "text", from_none)
    monkeypatch.setattr("plait.evaluation.noise._noisy", lambda source, name, noise, level, seed: level)
    source = SimpleNamespace(inputs={"title": SimpleNamespace(modality="text")})
    curves = noise_curves(lambda level: 0.25, source, ["typos"], whole=0.75)  # type: ignore[arg-type]
    assert curves == {"title": {"typos": {0.0: 0.75, 0.5: 0.25}}}


NOISES = {name: (owner, noise) for name, owner, noise in noises()}


def test_a_noisy_processor_repeats_itself_and_knows_the_columns_scale() -> None:
    rows = {"price": [0.0, 10.0, 20.0], "shade": ["dark", "light", "dark"]}
    clean = TabularProcessor.fit(rows, numbers=["price"], dates=[], categories=["shade"])
    noisy = NoisyProcessor(clean, NOISES["number_noise"][1], 0.5)
    row = {"price": 10.0, "shade": "dark"}
    first, again = noisy(row), noisy(row)
    np.testing.assert_array_equal(first["numbers"], again["numbers"])
    strong = NoisyProcessor(clean, NOISES["number_noise"][1], 1.0)(row)
    assert (strong["numbers"] - 10).item() == pytest.approx(2 * (first["numbers"] - 10).item(), rel=1e-5)
    assert first["codes"].tolist() == clean(row)["codes"].tolist()
