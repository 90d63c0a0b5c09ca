"""A toy tagger of sentences of uneven lengths, through train, evaluate, predict and compare."""

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from plait import Predictor
from plait.build import plugins
from plait.compare.session import compare
from plait.data.table import Table
from plait.errors import RecipeError
from plait.layers.ragged import Ragged
from plait.recipe import Recipe
from plait.tasks import Task
from plait.tasks.asked import Asked
from plait.types import Tokens
from plait.values import is_missing

COLOURS, THINGS = ("red", "green", "blue"), ("bird", "fish", "tree", "stone")
TRAIN = {"epochs": 60, "batch_size": 16, "learning_rate": 0.02, "precision": "float32", "device": "cpu"}


class WordIds:
    """A sentence → a number a word."""

    modality = "text"

    def __call__(self, value: str) -> dict[str, np.ndarray]:
        return {"ids": np.array([zlib.crc32(word.encode()) % 97 for word in value.split()], np.int64)}

    def collate(self, values: list[dict[str, np.ndarray]]) -> dict[str, torch.Tensor]:
        lengths = [len(value["ids"]) for value in values]
        ids = torch.zeros(len(values), max(lengths), dtype=torch.int64)
        for row, value in enumerate(values):
            ids[row, : lengths[row]] = torch.from_numpy(value["ids"])
        return {"ids": ids, "mask": torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]}

    def blank(self) -> dict[str, np.ndarray]:
        return {"ids": np.zeros(1, np.int64)}

    def to_json(self) -> dict[str, Any]:
        return {}


class WordVectors(nn.Module):
    """One token a word."""

    modality = "text"

    def __init__(self, processor: WordIds, dim: int = 16) -> None:
        super().__init__()
        self.processor, self.out_dim, self.vectors = processor, dim, nn.Embedding(97, dim)

    @staticmethod
    def fit_processor(values: object) -> WordIds:
        return WordIds()

    def forward(self, features: dict[str, torch.Tensor]) -> Tokens:
        return Tokens(self.vectors(features["ids"]), features["mask"])


class Tagging(Task):
    """A tag a word."""

    kind = "tagging"
    default_metric = "token_accuracy"
    measures = {"token_accuracy": True, "sentence_accuracy": True}
    alone = True
    reads: str

    def __init__(self, tags: Sequence[str], reads: str) -> None:
        self.tags, self.reads = list(tags), reads

    @classmethod
    def from_table(cls, asked: Asked, *, reads: str = "words") -> "Tagging":
        return cls(sorted({tag for cell in asked.values for tag in cell.split()}), reads)

    def to_json(self) -> dict[str, Any]:
        return {"tags": self.tags, "reads": self.reads}

    @property
    def out_dim(self) -> int:
        return len(self.tags)

    def read(self, table: Table, name: str, lenient: bool = False) -> Ragged | None:
        if name not in table:
            return None
        place = {tag: code for code, tag in enumerate(self.tags)}
        cells = [[] if is_missing(cell) else cell.split() for cell in table.iterate(name)]
        return Ragged.of(
            [np.array([place.get(tag, -1) for tag in cell], np.int64) for cell in cells], np.empty(0, np.int64)
        )

    def unusable(self, truth: Ragged) -> np.ndarray:
        return truth.lengths == 0

    def row_loss(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits, target, ignore_index=-1, reduction="none")

    def loss(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.row_loss(logits, target).sum() / (target >= 0).sum().clamp(min=1)

    def predictions(self, logits: torch.Tensor) -> np.ndarray:
        return logits.softmax(dim=1).numpy()

    def answers(self, predictions: Ragged) -> list[list[str]]:
        return predictions.split([self.tags[code] for code in predictions.flat.argmax(axis=1)])

    def score(self, truth: Ragged, predictions: Ragged, names: Sequence[str] | None = None) -> dict[str, float]:
        if not len(truth):
            return {}
        right = Ragged(predictions.cut_to(truth.lengths, np.nan).flat.argmax(axis=1) == truth.flat, truth.lengths)
        rows = [row.all() for row in right]
        found = {"token_accuracy": float(right.flat.mean()), "sentence_accuracy": float(np.mean(rows))}
        return {name: value for name, value in found.items() if names is None or name in names}


@pytest.fixture
def toys() -> Iterator[str]:
    module = ModuleType("toy_tagger")
    module.TASKS, module.PROCESSORS = {"tagging": Tagging}, {"word_ids": WordIds}  # type: ignore[attr-defined]
    module.ENCODERS = {"own:words": WordVectors}  # type: ignore[attr-defined]
    plugins.load(module)
    yield module.__name__
    for kind, name in (("TASKS", "tagging"), ("PROCESSORS", "word_ids"), ("ENCODERS", "own:words")):
        del plugins.PARTS[kind][name]
    plugins._LOADED.pop(module.__name__)


def sentences(rows: int = 80, seed: int = 0) -> pd.DataFrame:
    """A colour is C, a thing T where `mood` is plain and S where it is special, any other word O; 1 to 9 words a row."""
    random = np.random.default_rng(seed)
    found = []
    for row in range(rows):
        mood = ["plain", "special"][row % 2]
        words, tags = [], []
        for _ in range(random.integers(1, 10)):
            kind = random.integers(3)
            pool, tag = [(COLOURS, "C"), (THINGS, "T" if mood == "plain" else "S"), (("a", "the", "on"), "O")][kind]
            words.append(str(random.choice(pool)))
            tags.append(tag)
        found.append((" ".join(words), mood, " ".join(tags)))
    return pd.DataFrame(found, columns=["words", "mood", "tags"])


def test_a_toy_tagger_goes_all_the_way(toys: str, tmp_path: Path) -> None:
    frame, options = sentences(), {"inputs": {"words": {"encoder": "own:words"}}, "verbose": False}
    frame.loc[3, "tags"] = None  # left out of training
    predictor = Predictor(
        "tags", task={"type": "tagging"}, output=tmp_path / "run", types={"words": "text", "mood": "category"},
        data={"val": 0.25, "on_error": "skip"}, train={**TRAIN, "modality_dropout": 0.1}, **options,
    ).fit(frame)  # fmt: skip
    new = sentences(40, seed=1)
    scores = predictor.evaluate(new)
    assert scores["token_accuracy"] > 0.95
    answers = predictor.predict(new)
    assert [len(row) for row in answers] == [len(words.split()) for words in new["words"]]
    pairs = [(row, tags.split()) for row, tags in zip(answers, new["tags"], strict=True)]
    right = [given == tag for row, tags in pairs for given, tag in zip(row, tags, strict=True)]
    assert np.mean(right) == pytest.approx(scores["token_accuracy"])
    assert predictor.metrics_["val"]["token_accuracy"] > 0.9
    again = Predictor.load(tmp_path / "run")
    assert [list(row) for row in again.predict(new)] == [list(row) for row in answers]
    written = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert len(written["tags"].iloc[0]) == len(str(written["tags_true"].iloc[0]).split())
    parts = {one.name: one for one in predictor.modalities(new).modalities}
    assert parts["tabular"].absent < scores["token_accuracy"] - 0.1 and parts["tabular"].absent_interval[0] > 0
    hidden = new.assign(mood=None)
    assert predictor.evaluate(hidden)["token_accuracy"] < scores["token_accuracy"]


@pytest.mark.slow
def test_a_comparison_of_toy_taggers(toys: str, tmp_path: Path) -> None:
    inputs = {"words": {"modality": "text", "encoder": "own:words"}, "mood": {"modality": "category"}}
    values = {"plugins": [toys], "inputs": inputs, "task": {"target": "tags", "type": "tagging"}, "train": TRAIN}
    options: dict[str, Any] = {"fusions": ["concat", "gated", "late_mean"], "folds": 2, "verbose": False}
    recipe = Recipe.parse(values)
    found = compare(recipe, sentences(60), output=tmp_path / "first", processes=1, **options)
    rows = {row.name: row for row in found.rows}
    assert found.metric == "token_accuracy" and rows["concat"].score > 0.93 > rows["words"].score
    assert rows["concat"].versus_best_single.low > 0
    assert "reads words" in rows["tabular"].failed and "no distribution" in rows["late_mean"].failed
    again = compare(recipe, sentences(60), output=tmp_path / "first", processes=1, **options)  # answers are kept
    assert [row.score for row in again.rows] == [row.score for row in found.rows]


def test_what_tags_are_read_from_must_be_there(toys: str) -> None:
    with pytest.raises(RecipeError, match="reads words, which is none of the inputs: tabular"):
        Predictor("tags", task={"type": "tagging"}, types={"words": "ignore"}, verbose=False).fit(sentences())
