"""`plait generate`: a trained decoder writes about one row, in a chat, or about every row of a table."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor

from plait.data.table import Table
from plait.errors import DataError, RecipeError, unknown
from plait.generation.choices import AnswerTree
from plait.generation.search import NONE, generate
from plait.generation.settings import GenerationSettings
from plait.opening import source_for
from plait.predictor import Predictor
from plait.tasks import Generation
from plait.types import Tokens

Told = Callable[[str], None]


class Writer:
    """Writes with a run of generation.

    Args:
        predictor: the run.
        choices: texts to choose from; None for any text. One that comes twice counts once.
        changes: settings of the search over the run's own, such as `beams=4`.

    Raises:
        RecipeError: the run writes no texts, a setting is out of range, or a choice is empty or too long.
    """

    def __init__(self, predictor: Predictor, choices: Sequence[str] | None = None, **changes: Any) -> None:
        task = predictor.targets_.text
        if task is None:
            raise RecipeError(
                "this run predicts and writes no texts; use plait predict, or train with --task generation"
            )
        self.predictor, self.task = predictor, task
        self.settings: GenerationSettings = replace(predictor.recipe_.generation, **changes)
        if self.settings.max_length > task.texts.max_length:
            raise RecipeError(
                f"--max-length {self.settings.max_length}: the run has learned texts of up to "
                f"{task.texts.max_length} tokens"
            )
        self.tree = None if choices is None else _tree(task, choices)
        if self.tree is not None:
            self.settings = replace(self.settings, max_length=max(self.settings.max_length, self.tree.longest))
        model: Any = predictor.model_
        self.head: Any = model.head
        self.head.generation, self.head.tree = self.settings, self.tree

    @property
    def inputs(self) -> dict[str, str]:
        """The columns that it reads, and what each is."""
        return {column: spec.modality for spec in self.predictor.inputs_.values() for column in spec.columns}

    def first(self, modality: str) -> str:
        """The first column of a modality.

        Raises:
            DataError: the run reads none.
        """
        for column, kind in self.inputs.items():
            if kind == modality:
                return column
        raise DataError(f"the run reads no {modality}; it reads {', '.join(self.inputs)}")

    def write(self, values: Mapping[str, Any], told: Told | None = None) -> list[tuple[str, float]]:
        """Texts about one row, best first, with their scores.

        Args:
            values: column → value; pictures as paths from the working directory.
            told: given each further piece of the text as it is written; of a search over beams, the whole at its end.

        Raises:
            DataError: a column is unknown, or a value can't be used.
        """
        for name in values:
            if name not in self.inputs:
                raise DataError(unknown("column", name, self.inputs))
        table = Table(pa.table({name: [value] for name, value in values.items()}), None, "the row")
        source = source_for(self.predictor.recipe_, table, self.predictor.inputs_, None)
        model = self.predictor.model_.eval()
        with torch.inference_mode():
            batch = source.batch(np.array([0])).to(model.device)
            tokens: dict[str, Tokens] = {name: model.encode(name, batch.inputs[name], 1) for name in model.encoders}
            context = model.fusion(tokens).tokens
            pieces = _Pieces(self.task, told) if told and self.settings.beams == self.settings.best == 1 else None
            found = generate(self.head.decoder, context, self.settings, self.tree, pieces)
        texts = [self.task.texts.decode(ids) for ids in found.ids[0].tolist()]
        if told is not None:
            told(
                texts[0] if pieces is None else texts[0].removeprefix(pieces.said)
            )  # what is left, such as half a letter
        return list(zip(texts, found.scores[0].tolist(), strict=True))

    def write_frames(self, table: Any, problems: list[str] | None = None) -> Iterator[pd.DataFrame]:
        """Texts about every row, as frames with the row's number, the text and its score."""
        yield from self.predictor.predict_frames(table, rows=1024, problems=problems)


class _Pieces:
    """Tokens → the text so far, told as it grows."""

    def __init__(self, task: Generation, told: Told) -> None:
        self.task, self.told = task, told
        self.ids: list[int] = []
        self.said = ""

    def __call__(self, ids_R: Tensor) -> None:
        self.ids.append(int(ids_R[0]))
        if self.ids[-1] == NONE:
            return
        text = self.task.texts.decode(self.ids)
        if text.startswith(self.said) and "\ufffd" not in text[len(self.said) :]:  # a letter may take several tokens
            self.told(text[len(self.said) :])
            self.said = text


def _tree(task: Generation, choices: Sequence[str]) -> AnswerTree:
    kept = list(dict.fromkeys(text.strip() for text in choices))
    if not all(kept):
        raise RecipeError("--choices: one of them is empty")
    ids = task.texts.encode_all(kept)
    most = task.texts.max_length
    for text, tokens in zip(kept, ids, strict=True):
        if len(tokens) == most and len(task.texts.tokenizer.encode(text, add_special_tokens=False).ids) >= most:
            raise RecipeError(f"--choices: {text[:40]!r} is longer than the {most} tokens that were learned")
    return AnswerTree([tokens[:-1] for tokens in ids], task.texts.end)
