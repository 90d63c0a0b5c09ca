"""Result files, scored without a model."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from plait.cli import app
from plait.errors import DataError
from plait.evaluation.result_files import score_files
from plait.metrics.caption import CAPTION_METRICS, CaptionScorer


def invoke(*arguments: Any, stdin: str | None = None) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)


COCO = {
    "annotations": [{"image_id": i, "caption": c} for i, c in ((1, "a red bird"), (1, "one bird"), (2, "two fish"))]
}
VQA = {
    "annotations": [
        {"question_id": 1, "answer_type": "other", "answers": [{"answer": "red"}] * 3 + [{"answer": "pink"}] * 7},
        {"question_id": 2, "answer_type": "yes/no", "answers": [{"answer": "yes"}] * 10},
    ]
}


def files(folder: Path, results: Any, notes: Any) -> tuple[Path, Path]:
    for name, value in (("results.json", results), ("notes.json", notes)):
        (folder / name).write_text(value if isinstance(value, str) else json.dumps(value))
    return folder / "results.json", folder / "notes.json"


def test_captions_are_scored_without_a_model(tmp_path: Path) -> None:
    results, notes = files(tmp_path, [{"image_id": 2, "caption": "a fish"}, {"image_id": 1, "caption": "a bird"}], COCO)
    expected = CaptionScorer([["a red bird", "one bird"], ["two fish"]]).score(["a bird", "a fish"])
    assert score_files(results, notes) == pytest.approx(expected)
    done = invoke("evaluate", "--predictions", results, "--references", notes, "--json")
    assert json.loads(done.stdout) == pytest.approx(expected)
    results, notes = files(tmp_path, [{"image_id": 1, "caption": "a bird"}], {"annotations": COCO["annotations"][:2]})
    done = invoke("evaluate", "--predictions", results, "--references", notes, "--json")
    assert done.exit_code == 0 and "left out, not defined on these rows: CIDEr" in done.stderr
    assert set(json.loads(done.stdout)) == {*CAPTION_METRICS} - {"CIDEr"}


def test_answers_are_scored_without_a_model(tmp_path: Path) -> None:
    results, notes = files(tmp_path, [{"question_id": 1, "answer": "red"}, {"question_id": 2, "answer": "no"}], VQA)
    found = score_files(results, notes)
    assert found["vqa_accuracy"] == pytest.approx(0.45) and found["vqa_accuracy_other"] == pytest.approx(0.9)
    assert found["vqa_accuracy_yes/no"] == 0


@pytest.mark.parametrize(
    ("results", "notes", "message"),
    [
        ([{"image_id": 1, "caption": "a"}], COCO, "has no result for 2"),
        ([{"image_id": i, "caption": "a"} for i in (1, 2, 3)], COCO, "does not know 3"),
        ([{"image_id": i, "caption": "a"} for i in (1, 2, 1)], COCO, "image_id 1 comes twice"),
        ([{"image_id": 1, "caption": "a"}], VQA, "holds captions, .* answers"),
        ([{"image_id": 1, "captions": "a"}, {}], VQA, "an entry has no 'question_id'"),
        ([], COCO, "got an empty list"),
        ("{", COCO, "expected JSON"),
        ([{"image_id": 1, "caption": "a"}], {"images": []}, "expected annotations"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, results: Any, notes: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        score_files(*files(tmp_path, results, notes))
    with pytest.raises(DataError, match="can't be read"):
        score_files(tmp_path / "none.json", tmp_path / "notes.json")
