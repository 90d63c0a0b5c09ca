"""`plait generate`: a trained decoder writes about one row, in a chat, or about every row of a table."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor

from plait.data.batches import TableSource
from plait.data.readers import open_table
from plait.data.table import Table
from plait.errors import DataError, RecipeError, unknown
from plait.generation.choices import AnswerTree
from plait.generation.search import NONE, generate
from plait.generation.settings import GenerationSettings
from plait.metrics.dialog import rank_metrics, ranks_of_scores, visdial_ndcg
from plait.modalities import TEXT
from plait.predictor import Predictor
from plait.runs.tables import source_for
from plait.tasks import Generation
from plait.tasks.answers import OnError
from plait.tasks.generation import texts_of, token_loss
from plait.types import Tokens
from plait.values import as_number, shown

HISTORY = "history"  # the column of a conversation's earlier turns
Told = Callable[[str], None]


class Writer:
    """Writes texts with a run of generation.

    Args:
        predictor: the run.
        choices: texts to choose from; None for any text. Duplicates count once.
        changes: settings of the search over the run's own, such as `beams=4`.

    Raises:
        RecipeError: the run writes no texts, a setting is out of range, or a choice is empty or too long.
    """

    def __init__(self, predictor: Predictor, choices: Sequence[str] | None = None, **changes: Any) -> None:
        task = predictor.targets_.writer
        if task is None:
            raise RecipeError(
                "this run predicts and writes no texts; use plait predict, or train with --task generation"
            )
        self.task = task
        self.settings: GenerationSettings = replace(predictor.recipe_.generation, **changes)
        if self.settings.max_length > task.texts.max_length:
            raise RecipeError(
                f"--max-length {self.settings.max_length}: the run has learned texts of up to "
                f"{task.texts.max_length} tokens"
            )
        self.tree = None if choices is None else _tree(task, choices)
        if self.tree is not None:
            self.settings = replace(self.settings, max_length=max(self.settings.max_length, self.tree.longest))
        head: Any = predictor.model_.head
        self.head: Any = head.with_search(self.settings, self.tree)
        self.predictor = copy.copy(predictor)  # with a search of its own; the given predictor writes as before
        self.predictor.model_ = predictor.model_.with_head(self.head)

    @property
    def inputs(self) -> dict[str, str]:
        """The columns that it reads, and what each is."""
        inputs: dict[str, str] = {}
        for spec in self.predictor.inputs_.values():
            for column in spec.columns:
                inputs.setdefault(column, spec.modality)
        return inputs

    def first(self, modality: str) -> str:
        """The first column of a modality.

        Raises:
            DataError: the run reads none.
        """
        for column, name in self.inputs.items():
            if name == modality:
                return column
        raise DataError(f"the run reads no {modality}; it reads {', '.join(self.inputs)}")

    @property
    def asked(self) -> str:
        """The column that a question goes into: `question`, else the first text that is not the history.

        Raises:
            DataError: the run reads none.
        """
        kinds = {spec.columns[0]: spec.kind for spec in self.predictor.inputs_.values()}
        texts = [column for column, kind in kinds.items() if kind is not None and kind.words and column != HISTORY]
        return "question" if "question" in texts else texts[0] if texts else self.first(TEXT.name)

    def write(self, values: Mapping[str, Any], told: Told | None = None) -> list[tuple[str, float]]:
        """Texts about one row, best first, with their scores.

        Args:
            values: column → value; images as paths from the working directory.
            told: called with each further piece of the text as it is written; with the whole text where beams compete.

        Raises:
            DataError: a column is unknown, or a value can't be used.
        """
        for name in values:
            if name not in self.inputs:
                raise DataError(unknown("column", name, self.inputs))
        table = Table(pa.table({name: [value] for name, value in values.items()}), None, "the row")
        source = source_for(self.predictor.recipe_, table, self.predictor.inputs_, None)
        with torch.inference_mode():
            context = self._context(source, 0)
            pieces = _Pieces(self.task, told) if told and self.settings.beams == self.settings.best == 1 else None
            generated = generate(self.head.decoder, context, self.settings, self.tree, pieces)
        texts = [self.task.texts.decode(ids) for ids in generated.ids[0].tolist()]
        if told is not None:
            # What the pieces have left over, such as half a letter.
            told(texts[0] if pieces is None else texts[0].removeprefix(pieces.text))
        return list(zip(texts, generated.scores[0].tolist(), strict=True))

    @torch.inference_mode()
    def rank(self, table: Any, options: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """How likely each option is as the answer to its row: the mean log-probability of a token.

        Args:
            table: the rows.
            options: of each row, the texts to choose from.

        Raises:
            DataError: a row has none.
        """
        source = source_for(self.predictor.recipe_, table, self.predictor.inputs_, None)
        scores = []
        for row, texts in enumerate(options):
            if not len(texts):
                raise DataError(f"{source.table.source}: row {row + 1} has no options to rank")
            ids = self.task.texts.encode_all(list(texts))
            # All options of a row are one batch: they share the row's context.
            padded = torch.full((len(ids), max(map(len, ids))), NONE)
            for place, one in enumerate(ids):
                padded[place, : len(one)] = torch.tensor(one)
            seen = self._context(source, row)
            many = Tokens(seen.x.expand(len(ids), -1, -1), seen.mask.expand(len(ids), -1))
            padded = padded.to(seen.x.device)
            scores.append(-token_loss(self.head.decoder(many, self.head.shifted(padded)), padded).cpu().numpy())
        return scores

    def _context(self, source: TableSource, row: int) -> Tokens:
        """The fused tokens of one row."""
        model = self.predictor.model_.eval()
        batch = source.batch(np.array([row])).to(model.device)
        tokens: dict[str, Tokens] = {name: model.encode(name, batch.inputs[name], 1) for name in model.encoders}
        context: Tokens = self.head.context(model.fusion(tokens))
        return context

    def write_frames(
        self, table: Any, problems: list[str] | None = None, on_error: OnError = "refuse"
    ) -> Iterator[pd.DataFrame]:
        """Texts about every row, as frames with the row's number, the text and its score."""
        yield from self.predictor.predict_frames(table, rows=1024, problems=problems, on_error=on_error)


class _Pieces:
    """Turns tokens into text as they come, and passes on every further piece of it."""

    def __init__(self, task: Generation, emit: Told) -> None:
        self.task, self.emit = task, emit
        self.ids: list[int] = []
        self.text = ""  # passed on so far

    def __call__(self, ids_R: Tensor) -> None:
        self.ids.append(int(ids_R[0]))
        if self.ids[-1] == NONE:
            return
        text = self.task.texts.decode(self.ids)
        if text.startswith(self.text) and "\ufffd" not in text[len(self.text) :]:  # a letter may take several tokens
            self.emit(text[len(self.text) :])
            self.text = text


def _tree(task: Generation, choices: Sequence[str]) -> AnswerTree:
    """The tokens of the texts to choose from.

    Raises:
        RecipeError: one is empty, or longer than the texts that were learned.
    """
    texts = list(dict.fromkeys(text.strip() for text in choices))
    if not texts or not all(texts):
        raise RecipeError("--choices: expected texts to choose from, such as red,green; none may be empty")
    ids = task.texts.encode_all(texts)
    most = task.texts.max_length
    for text, tokens in zip(texts, ids, strict=True):
        if len(tokens) == most and len(task.texts.tokenizer.encode(text, add_special_tokens=False).ids) >= most:
            raise RecipeError(f"--choices: {text[:40]!r} is longer than the {most} tokens that were learned")
    return AnswerTree([tokens[:-1] for tokens in ids], task.texts.end)


def evaluate_ranked(writer: Writer, table: Any, column: str) -> dict[str, float]:
    """MRR, R@1/5/10 and mean rank of the true answer among each row's options, and NDCG where relevance is known.

    Args:
        writer: of the run.
        table: rows with a column of options (lists), and either `gt_index` (from 0) or the run's target, which then is
            one of the options; `relevance` holds a number an option.
        column: of the options.

    Raises:
        DataError: a column is missing, or a row's true answer is none of its options.
    """
    opened = open_table(table)
    options = [texts_of(cell) for cell in opened.iterate(column)]
    scores = writer.rank(opened, options)
    ranks = [ranks_of_scores(one) for one in scores]
    if "gt_index" in opened:
        places = _true_places(opened, options)
    else:
        answers = [(texts_of(cell) or [""])[0] for cell in opened.iterate(writer.task.target)]
        for row, (answer, texts) in enumerate(zip(answers, options, strict=True), 1):
            if answer not in texts:
                raise DataError(f"{opened.source}: row {row}: the answer {answer[:40]!r} is none of its options")
        places = [texts.index(answer) for answer, texts in zip(answers, options, strict=True)]
    metrics = rank_metrics(np.array([rank[place] for rank, place in zip(ranks, places, strict=True)]))
    if "relevance" in opened:
        worth = list(opened.iterate("relevance"))
        rows = [n for n, one in enumerate(worth) if one is not None and len(one)]
        if rows:
            metrics["ndcg"] = visdial_ndcg([ranks[n] for n in rows], [np.asarray(worth[n], dtype=float) for n in rows])
    return metrics


def _true_places(table: Table, options: Sequence[Sequence[str]]) -> list[int]:
    """Of each row, which of its options is the true answer, from 0.

    Raises:
        DataError: a row's `gt_index` is none of its options' places.
    """
    places = []
    for row, (cell, texts) in enumerate(zip(table.iterate("gt_index"), options, strict=True), 1):
        number = as_number("gt_index", cell)
        if not 0 <= number < len(texts) or number != int(number):
            raise DataError(
                f"{table.source}: row {row}, column 'gt_index': expected the place of the true answer, 0 to "
                f"{len(texts) - 1}, got {shown(cell)}"
            )
        places.append(int(number))
    return places
