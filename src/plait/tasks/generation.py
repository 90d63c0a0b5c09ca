"""One text per row: captions, answers, reports."""

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from annotated_types import Ge, Le, Lt
from torch import Tensor

from plait.data.table import Table
from plait.errors import DataError, RecipeError, nearest
from plait.files.reading import made_of
from plait.heads.write import CODE
from plait.layers.spaces import Categorical
from plait.metrics.answers import VQA_TYPES, anls, exact_match, relaxed_accuracy, vqa_accuracy
from plait.metrics.caption import CAPTION_METRICS, NO_CIDER, CaptionScorer
from plait.processors import TargetText
from plait.tasks.asked import Asked
from plait.tasks.pairs import Sides, side_codes
from plait.tasks.task import Card, Sample, Task
from plait.types import Generated
from plait.values import as_text, is_missing

ANSWER_METRICS = {
    "exact_match": exact_match,
    "vqa_accuracy": vqa_accuracy,
    "anls": anls,
    "relaxed_accuracy": relaxed_accuracy,
}
SHORT = 3  # words that answers have in the median, from which on they are captions


class Generation(Task):
    """Write a text about a row.

    Rows with equal inputs are one question with several right answers, which is scored once.

    Args:
        target: the column of the text; a cell may hold a list of texts, of which the most frequent is learned.
        sides: input → the columns that it reads.
        texts: how a text becomes tokens.
        short: the texts are answers of a few words; else captions. It decides what is measured.
        references: a column of more right answers, such as those of ten people; None for those of `target`.
        answer_types: a column of types, such as `yes/no`, `number`, `other`, which are also scored one by one.
        label_smoothing: share of the target that is spread over all tokens.
        language_model: where a language model writes, its configuration, the template of its prompts, and the inputs
            that it reads as words.

    In training the model gives `[B, L, V]` logits of the row's text; otherwise `Generated`.
    """

    kind = "generation"
    alone, slow, writes = True, True, "text"
    column_options: ClassVar[Mapping[str, str]] = {"references": "right answers", "answer_types": "types of answers"}
    uncompared = "compare judges answers that are chosen, not written"
    out_dim = 1
    space = None  # of a whole text; of each token it is one of the vocabulary

    def __init__(
        self,
        target: str,
        sides: Sides,
        texts: TargetText | Mapping[str, Any],
        short: bool = False,
        references: str | None = None,
        answer_types: str | None = None,
        label_smoothing: float = 0.0,
        language_model: Mapping[str, Any] | None = None,
    ) -> None:
        self.target, self.sides = target, {name: list(columns) for name, columns in sides.items()}
        self.texts = texts if isinstance(texts, TargetText) else made_of(TargetText, texts, "texts")
        self.short, self.references, self.answer_types = short, references, answer_types
        self.label_smoothing = label_smoothing
        self.language_model = None if language_model is None else dict(language_model)
        self.default_metric = ("vqa_accuracy" if references else "exact_match") if short else "CIDEr"
        self._scorer: CaptionScorer | None = None
        self._scored = 0
        self.known: list[tuple[tuple[str, ...], str]] = []  # right answers and their type, by code
        self._codes_of: dict[tuple[tuple[str, ...], str], int] = {}  # the same answers keep their code in any table

    @classmethod
    def from_table(
        cls,
        asked: Asked,
        *,
        max_length: Annotated[int, Ge(2), Le(100_000)] = 64,
        texts: Literal["auto", "answers", "captions"] = "auto",
        references: str | None = None,
        answer_types: str | None = None,
        label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ) -> "Generation":
        """The task, its vocabulary learned from training rows.

        Args:
            asked: the table; its `words` make tokens.
            max_length: tokens that a text may have.
            texts: short `answers` or `captions`; `auto` decides by their length.
            references: a column of more right answers.
            answer_types: a column of types, which are also scored one by one.
            label_smoothing: share of the target that is spread over all tokens.

        Raises:
            DataError: a column is missing, or holds no text.
            RecipeError: the vocabulary is too small.
        """
        table = asked.table
        for name in (references, answer_types):
            if name is not None and name not in table:
                raise DataError(f"{table.source}: there is no column {name!r}{nearest(name, table.columns)}")
        cells = table.cells(asked.column, asked.rows)
        short = cls.are_short(cells) if texts == "auto" else texts == "answers"
        assert asked.words is not None, "a decoder writes"
        tokens, language_model = asked.words(cells, max_length, short)
        options = (references, answer_types, label_smoothing, language_model)
        return cls(asked.column, asked.sides, tokens, short, *options)

    @staticmethod
    def are_short(cells: Sequence[Any]) -> bool:
        """Whether texts are answers of a few words."""
        lengths = [len(text.split()) for cell in cells for text in texts_of(cell)[:1]]
        return bool(lengths) and float(np.median(lengths)) <= SHORT

    def to_json(self) -> dict[str, Any]:
        return {
            "target": self.target,
            "sides": self.sides,
            "texts": self.texts.to_json(),
            "short": self.short,
            "references": self.references,
            "answer_types": self.answer_types,
            "label_smoothing": self.label_smoothing,
            "language_model": self.language_model,
        }

    def with_texts(self, texts: TargetText) -> "Generation":
        """The same task in other tokens."""
        return self._changed(texts=texts)

    def with_language_model(self, language_model: Mapping[str, Any]) -> "Generation":
        """The same task with other facts about its language model."""
        return self._changed(language_model=dict(language_model))

    def _changed(self, **values: Any) -> "Generation":
        task = copy.copy(self)
        for name, value in values.items():
            setattr(task, name, value)
        return task

    @property
    def measures(self) -> dict[str, bool]:
        """Metric → higher is better."""
        names = list(ANSWER_METRICS) if self.short else [*CAPTION_METRICS, "exact_match"]
        if self.short and not self.references:
            names.remove("vqa_accuracy")
        return dict.fromkeys([*names, *(f"{self.default_metric}_{name}" for name in self._types)], True)

    @property
    def _types(self) -> list[str]:
        """The answer types seen so far, VQA's own first."""
        if not (self.short and self.answer_types):
            return []
        seen = {kind for _, kind in self.known if kind}
        return [t for t in VQA_TYPES if t in seen] + sorted(seen - set(VQA_TYPES))

    def read(self, table: Table, name: str = "", lenient: bool = False) -> np.ndarray | None:
        """`[N, 1 + L]` int64: the code of the row's right answers, then the ids of the text to learn, then -1.

        None where the table lacks the target.

        Raises:
            DataError: a column that the task names is missing.
        """
        if self.target not in table:
            return None
        for column in (self.references, self.answer_types):
            if column is not None:
                table.column(column)
        cells = [texts_of(cell) for cell in table.iterate(self.target)]
        learned = self.texts.encode_all([_most_frequent(texts) if texts else "" for texts in cells])
        truth = np.full((len(cells), CODE + self.texts.max_length), -1, dtype=np.int64)
        for row, (texts, ids) in enumerate(zip(cells, learned, strict=True)):
            if texts:
                truth[row, CODE : CODE + len(ids)] = ids
        truth[:, 0] = self._codes(table, cells)
        return truth

    def _codes(self, table: Table, cells: Sequence[Sequence[str]]) -> np.ndarray:
        """`[N]` codes of right answers; rows with equal inputs share them."""
        more = None if self.references is None else [texts_of(cell) for cell in table.iterate(self.references)]
        kinds = None if self.answer_types is None else [as_text(cell) for cell in table.iterate(self.answer_types)]
        rows = side_codes(table, self.sides)
        groups: dict[tuple[int, ...], list[int]] = {}
        for row, key in enumerate(map(tuple, rows.tolist())):
            groups.setdefault(key, []).append(row)
        codes = np.empty(len(cells), dtype=np.int64)
        for members in groups.values():
            right = [text for row in members for text in (cells[row] if more is None else more[row] or cells[row])]
            answers = tuple(right), "" if kinds is None else kinds[members[0]]
            if answers not in self._codes_of:
                self._codes_of[answers] = len(self.known)
                self.known.append(answers)
            codes[members] = self._codes_of[answers]
        return codes

    def right_answers(self, truth: np.ndarray) -> tuple[str, ...]:
        """The right answers of a row."""
        return self.known[int(truth[0])][0]

    def lengths(self, truth: np.ndarray) -> np.ndarray:
        """`[N]` tokens of each row's own text."""
        counts: np.ndarray = (truth[:, CODE:] >= 0).sum(axis=1)
        return counts

    def unusable(self, encoded: np.ndarray) -> np.ndarray:
        """`[N]` bool: the row has no text."""
        return encoded[:, CODE] < 0

    def loss(self, logits: Any, target: Tensor) -> Tensor:
        """Mean cross-entropy per token of the rows' texts, over the rows that have one."""
        if isinstance(logits, Generated):  # the model has computed each row's loss already
            rows = logits.losses
            return rows[~rows.isnan()].mean() if bool((~rows.isnan()).any()) else rows.new_zeros(())
        ids = target[:, CODE : CODE + logits.shape[1]]
        count = (ids >= 0).sum().clamp(min=1)
        smooth = self.label_smoothing
        total = F.cross_entropy(
            logits.flatten(0, 1), ids.flatten(), ignore_index=-1, label_smoothing=smooth, reduction="sum"
        )
        return total / count

    def row_loss(self, logits: Any, target: Tensor) -> Tensor:
        """`[B]` mean loss per token of each row's text; 0 where it has none."""
        if isinstance(logits, Generated):
            return logits.losses.nan_to_num()
        return token_loss(logits, target[:, CODE : CODE + logits.shape[1]]).nan_to_num()

    def predictions(self, outputs: Generated) -> Generated:
        """The model's output as it is, in numpy."""
        return outputs.numpy()

    def answers(self, predictions: Generated) -> list[str]:
        """The texts."""
        return [self.texts.decode(ids) for ids in predictions.ids.tolist()]

    def columns(self, name: str, predictions: Generated) -> dict[str, Any]:
        """What a predictions file holds: the text, and its score in the search."""
        return {name: self.answers(predictions), f"{name}_score": predictions.scores}

    def distance(self, logits: Tensor, teacher_logits: Tensor, target: Tensor, temperature: float) -> Tensor:
        """The distance of each token (1606.07947)."""
        apart = Categorical(logits.shape[-1]).distance(logits, teacher_logits, temperature)
        return apart[target[:, CODE : CODE + logits.shape[1]] >= 0]

    def agrees(self, other: Task) -> str | None:
        """What differs: the tokens; None where they are the same."""
        assert isinstance(other, Generation)
        tokens, other_tokens = ((task.texts.tokenizer.to_str(), task.texts.end) for task in (self, other))
        return None if tokens == other_tokens else "other tokens"

    def adopt(self, former: Task) -> "Generation":
        """The same task in a former run's tokens, unless a language model writes, which has its own."""
        if not isinstance(former, Generation) or self.language_model is not None or former.language_model is not None:
            return self
        return self.with_texts(former.texts)

    def sample(self, prediction: Generated, truth: np.ndarray) -> Sample:
        """The generated text, and up to five right ones."""
        return Sample(self.answers(prediction)[0], list(self.right_answers(truth[0]))[:5])

    def card(self, prediction: Generated, truth: np.ndarray, cell: Any) -> Card:
        """The text and its score; right where it is one of the right ones."""
        text, right = self.answers(prediction)[0], list(self.right_answers(truth[0]))
        hit = bool(exact_match([text], [right])[0])
        return Card(text, "; ".join(right), hit, f"{prediction.scores[0]:.2f}")

    def because(self) -> str:
        """The size of the vocabulary, and whether the texts are short."""
        return f"{self.texts.vocab_size:,} tokens, {'short answers' if self.short else 'captions'}"

    def rewards(self, texts: Sequence[str], codes: np.ndarray) -> np.ndarray:
        """`[N]` how good texts are, each against the right answers of a code: CIDEr, or exact match of short ones.

        Raises:
            RecipeError: CIDEr is not defined.
        """
        if self.short:
            return exact_match(texts, [self.known[code][0] for code in codes.tolist()])
        if self._scorer is None or self._scored != len(self.known):
            self._scorer, self._scored = CaptionScorer([right or ("",) for right, _ in self.known]), len(self.known)
            if not self._scorer.cider.is_defined:
                raise RecipeError(f"train.self_critical: CIDEr is not defined, {NO_CIDER}; leave it at 0")
        return self._scorer.consensus(texts, codes)

    def score(self, truth: np.ndarray, predictions: Generated, names: Sequence[str] | None = None) -> dict[str, float]:
        """Metrics over the distinct questions, each against all of its right answers."""
        first = np.unique(truth[:, 0], return_index=True)[1]
        return self.score_texts(truth[first], self.answers(predictions[first]), names)

    def score_texts(
        self, truth: np.ndarray, texts: Sequence[str], names: Sequence[str] | None = None
    ) -> dict[str, float]:
        """Metrics of texts, one a row of the truth; of rows with one question the first counts."""
        codes, first = np.unique(truth[:, 0], return_index=True)
        if not len(codes):
            return {}
        texts = [texts[place] for place in first]
        right = [list(self.known[code][0]) for code in codes.tolist()]
        wanted = [name for name in self.measures if names is None or name in names]
        scores: dict[str, float] = {}
        captions = [name for name in wanted if name in CAPTION_METRICS]
        if captions:
            scores |= CaptionScorer(right).score(texts, captions)
        kinds = np.array([self.known[code][1] for code in codes.tolist()])
        for name, measure in ANSWER_METRICS.items():
            parts = [t for t in self._types if name == self.default_metric and f"{name}_{t}" in wanted]
            if name in wanted or parts:
                rows = measure(texts, right)
                scores |= {name: float(rows.mean())} if name in wanted else {}
                scores |= {f"{name}_{t}": float(rows[kinds == t].mean()) for t in parts if (kinds == t).any()}
        return scores


def token_loss(logits_BLV: Tensor, ids_BL: Tensor) -> Tensor:
    """`[B]` mean cross-entropy over each row's real tokens; NaN where it has none."""
    losses = F.cross_entropy(logits_BLV.transpose(1, 2).float(), ids_BL, ignore_index=-1, reduction="none")
    return losses.sum(dim=1) / (ids_BL >= 0).sum(dim=1).float().masked_fill(~(ids_BL >= 0).any(dim=1), torch.nan)


def texts_of(cell: Any) -> list[str]:
    """The texts of a cell: of a list all that are not empty, of anything else the one.

    >>> texts_of(["a", " ", None, "b"]), texts_of('["a", "b"]'), texts_of(" a cat "), texts_of(None)
    (['a', 'b'], ['a', 'b'], ['a cat'], [])
    """
    if isinstance(cell, str) and cell.startswith("["):  # a list in a CSV file
        try:
            cell = json.loads(cell)
        except ValueError:
            return [cell.strip()]
    items = cell if isinstance(cell, (list, tuple, np.ndarray)) else [cell]
    return [as_text(item).strip() for item in items if not is_missing(item)]


def _most_frequent(texts: Sequence[str]) -> str:
    """The most frequent text; the first of equally frequent ones."""
    counts: dict[str, int] = {}
    for text in texts:
        counts[text] = counts.get(text, 0) + 1
    return max(counts, key=lambda text: counts[text])


def fit_texts(cells: Sequence[Any], target: str, vocab_size: int, max_length: int, lowercase: bool) -> TargetText:
    """A vocabulary of training texts.

    Raises:
        DataError: there is no text at all.
        RecipeError: the vocabulary is too small.
    """
    if vocab_size < 260:
        raise RecipeError(f"decoder.vocab_size={vocab_size}: 256 bytes and three special tokens need 260 at least")
    return TargetText.train(need_texts(cells, target), vocab_size, max_length, lowercase)


def need_texts(cells: Sequence[Any], target: str) -> list[str]:
    """All texts of a target's cells.

    Raises:
        DataError: there is none.
    """
    texts = [text for cell in cells for text in texts_of(cell)]
    if not texts:
        raise DataError(f"target {target!r} has no texts; name another column with --target")
    return texts
