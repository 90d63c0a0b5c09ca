"""Scores of result files against annotation files, without a model: COCO captions and VQA."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from plait.errors import DataError
from plait.metrics.answers import VQA_TYPES, exact_match, vqa_accuracy
from plait.metrics.caption import score_captions

MOST = 1 << 30  # bytes of a file


def score_files(predictions: Path, references: Path) -> dict[str, float]:
    """Scores of results in COCO's caption format or VQA's, against annotations in the same.

    Args:
        predictions: `[{"image_id", "caption"}]`, or `[{"question_id", "answer"}]`.
        references: COCO's captions (`annotations` with `image_id` and `caption`), or VQAv2's annotations.

    Raises:
        DataError: a file is neither, results and annotations are of different kinds, or an id is missing or occurs
            twice.
    """
    entries, right = _read(predictions), _read(references)
    notes = right.get("annotations") if isinstance(right, dict) else None
    if not isinstance(entries, list) or not entries or not all(isinstance(one, dict) for one in entries):
        raise DataError(
            f"{predictions}: expected a list of results such as [{{image_id, caption}}], got {_kind(entries)}"
        )
    if not isinstance(notes, list) or not notes or not all(isinstance(note, dict) for note in notes):
        raise DataError(f"{references}: expected annotations as COCO's or VQA's files hold them, got {_kind(right)}")
    captions = "caption" in entries[0]
    if captions != ("caption" in notes[0]):
        kinds = ("captions", "answers") if captions else ("answers", "captions")
        raise DataError(f"{predictions} holds {kinds[0]}, {references} {kinds[1]}; they can't be compared")
    key, value = ("image_id", "caption") if captions else ("question_id", "answer")
    results = _by_id(predictions, entries, key, value)
    if captions:
        texts: dict[str, list[str]] = {}
        for note in notes:
            texts.setdefault(str(_field(references, note, key)), []).append(str(_field(references, note, value)))
        _same_ids(predictions, results, references, texts)
        return score_captions(texts, results)
    return _score_answers(predictions, results, references, notes)


def _score_answers(
    predictions: Path, results: Mapping[str, str], references: Path, notes: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
    """VQA accuracy over all questions and by type of answer, and exact match."""
    people, kinds = {}, {}
    for note in notes:
        identity = str(_field(references, note, "question_id"))
        raw_answers = note.get("answers") or [{"answer": note.get("multiple_choice_answer", "")}]
        if not isinstance(raw_answers, list):
            raise DataError(f"{references}: question {identity}: expected a list of answers, got {_kind(raw_answers)}")
        people[identity] = [
            str(_field(references, one, "answer") if isinstance(one, dict) else one) for one in raw_answers
        ]
        kinds[identity] = str(note.get("answer_type", ""))
    _same_ids(predictions, results, references, people)
    keys = list(people)
    answers, right = [results[key] for key in keys], [people[key] for key in keys]
    rows = vqa_accuracy(answers, right)
    scores = {"vqa_accuracy": float(rows.mean())}
    answer_kinds = np.array([kinds[key] for key in keys])
    for kind in [k for k in VQA_TYPES if k in set(kinds.values())]:
        scores[f"vqa_accuracy_{kind}"] = float(rows[answer_kinds == kind].mean())
    return scores | {"exact_match": float(exact_match(answers, right).mean())}


def _read(path: Path) -> Any:
    try:
        if path.stat().st_size > MOST:
            raise DataError(f"{path}: larger than {MOST >> 30} GiB; score it in parts")
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected JSON ({str(error)[:80]})") from error


def _by_id(path: Path, results: Sequence[Mapping[str, Any]], key: str, value: str) -> dict[str, str]:
    by_id: dict[str, str] = {}
    for one in results:
        identity = str(_field(path, one, key))
        if identity in by_id:
            raise DataError(f"{path}: {key} {identity} comes twice; keep one result of each")
        by_id[identity] = str(_field(path, one, value))
    return by_id


def _field(path: Path, one: Any, name: str) -> Any:
    if not isinstance(one, dict) or one.get(name) is None:
        raise DataError(f"{path}: an entry has no {name!r}: {str(one)[:80]}")
    return one[name]


def _same_ids(predictions: Path, results: Mapping[str, Any], references: Path, annotated: Mapping[str, Any]) -> None:
    lacking = [key for key in annotated if key not in results]
    strange = [key for key in results if key not in annotated]
    for what, keys in ((f"{predictions} has no result for", lacking), (f"{references} does not know", strange)):
        if keys:
            raise DataError(f"{what} {', '.join(keys[:3])}{f' and {len(keys) - 3:,} more' if len(keys) > 3 else ''}")


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return f"an object with {', '.join(list(value)[:4]) or 'nothing'}"
    return "an empty list" if value == [] else f"a {type(value).__name__}"
