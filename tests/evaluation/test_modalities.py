"""What each modality gives, on a model whose use of them is known; and the remedies."""

from pathlib import Path

import numpy as np
import pytest

from fakes import NUMBER_AND_TITLE, TWELVE_EPOCHS, size_table
from plait import Predictor


def test_a_metric_that_the_rows_do_not_define_is_said_to_be_so(tmp_path: Path) -> None:
    train = {**TWELVE_EPOCHS, "epochs": 1, "metric": "roc_auc"}
    predictor = Predictor("answer", inputs=NUMBER_AND_TITLE, output=tmp_path / "run", train=train, verbose=False).fit(
        size_table()
    )
    one_class = size_table(seed=1).query("answer == 'yes'")
    report = predictor.modalities(one_class)
    assert report.modalities == [] and report.warnings == ["roc_auc is not defined on these rows"]
    assert np.isnan(predictor.score(one_class)) and "accuracy" in predictor.evaluate(one_class)


def test_a_modality_that_is_not_used_is_named(tmp_path: Path) -> None:
    predictor = Predictor(
        "answer", inputs=NUMBER_AND_TITLE, output=tmp_path / "run", train=TWELVE_EPOCHS, verbose=False
    ).fit(size_table())
    report = predictor.modalities(size_table(seed=1), curves=True)
    by_name = {one.name: one for one in report.modalities}
    number, title = by_name["tabular"], by_name["title"]
    assert report.metric == "accuracy" and report.all > 0.9
    assert number.absent < 0.7 and number.permuted < 0.7 and number.alone > 0.9
    assert title.alone == pytest.approx(number.absent) and number.alone == pytest.approx(title.absent)
    assert any(w.startswith("title is hardly used") for w in report.warnings)
    assert not any(w.startswith("tabular is hardly") for w in report.warnings)
    assert number.missing[0.0] == report.all and number.missing[1.0] == pytest.approx(number.absent)
    assert number.missing[0.0] > number.missing[0.5] > number.missing[1.0]
    loaded = Predictor.load(tmp_path / "run").modalities(size_table(seed=1))
    assert [one.absent for one in loaded.modalities] == [one.absent for one in report.modalities]
    assert "What each modality gives" in (tmp_path / "run" / "report.html").read_text()
    assert (tmp_path / "run" / "modalities.json").exists()
