"""What notebooks show: tables whose texts are escaped."""

from pathlib import Path

from compare.small import frame, run
from fakes import make
from plait.checks.health import Finding, Health
from plait.inference.few_shot import FewShotReport, ShotCurve


def test_a_predictor_shows_what_it_reads_and_its_scores(tmp_path: Path) -> None:
    predictor = make(folder=tmp_path / "<run>").fit(frame())
    html = predictor._repr_html_()
    assert "answer (classification), fused by concat" in html and "accuracy" in html
    assert "&lt;run&gt;" in html and "<run>" not in html and html.count("<table>") == 2
    before = make(folder=tmp_path / "x")._repr_html_()
    assert "not fitted" in before and "target" in before


def test_reports_show_their_tables(tmp_path: Path) -> None:
    table = frame()
    comparison = run(tmp_path / "c", table)
    html = comparison._repr_html_()
    assert comparison.decision in html and all(f">{row.name}</td>" in html for row in comparison.rows)
    predictor = make(folder=tmp_path / "run").fit(table)
    html = predictor.modalities(table)._repr_html_()
    assert "accuracy with all modalities" in html and ">title</td>" in html
    health = Health({"train": 3}, [], findings=[Finding("warning", "b", "soft", 1), Finding("error", "a", "<b>", 1)])
    html = health._repr_html_()
    assert html.index("&lt;b&gt;") < html.index("soft") and "3 train rows" in html
    assert "nothing found" in Health({"train": 3}, [])._repr_html_()
    shots = FewShotReport("kind", ["a", "b"], 10, 0.5, [ShotCurve("prototypes", {1: [0.5, 0.7], 2: [0.8]})])
    assert "0.600" in shots._repr_html_() and "by the class names alone 0.500" in shots._repr_html_()
