"""Scores of guesses without a model, which a trained model has to beat."""

import time
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from plait.data.batches import TableSource
from plait.data.splits import draw
from plait.data.table import Table
from plait.runs.prepare import Part, Prepared
from plait.tasks import Targets, Task
from plait.values import as_text, is_missing

MOST = 20_000  # rows to learn from, and rows to score, at most
SHARE = 0.05  # of the training's time
LEAST_SECONDS = 1.0
TRIED = 400  # rows of a first try, which shows how long more rows would take
WORD = r"(?u)\b\w+\b"  # words of one letter count too
STEPS = (TRIED * 4, TRIED * 16, MOST)  # rows of the second try: the most that the budget allows
SIDE = 8  # pixels a side that stand for an image without a frozen encoder


def baselines(prepared: Prepared, name: str, seconds: float) -> dict[str, float]:
    """Scores of guesses, by the name of each, in the metric that picked the best epoch.

    Guesses are the majority class or the mean, and where there is text, TF-IDF with logistic or ridge regression.
    Where texts are generated: the most frequent text; where there is an image, the text of the most similar training
    image; where there is a question, the most frequent answer to the same question. Retrieval has no guesses.

    Args:
        prepared: the data, and the tasks.
        name: of the part that is scored.
        seconds: how long the training took; a twentieth of it, a second at least, is spent here.
    """
    targets, seed = prepared.targets, prepared.recipe.train.seed
    train, part = prepared.parts["train"], prepared.parts[name]
    train, part = (Part(one.source, draw(one.rows, MOST, seed)) for one in (train, part))
    metric = targets.choose_score(prepared.recipe.train.metric)[0]
    if targets.writer is not None:
        return _of_texts(prepared, targets.writer, train, part, metric)
    constant = _constant(targets, train, part)
    if constant is None:
        return {}
    predictions = {_constant_name(targets): constant}
    if targets.pairs is None:
        predictions |= _of_words(prepared, train, part, max(LEAST_SECONDS, SHARE * seconds))
    truth, targets = part.truth(), _likeliest(targets)
    scored = {guess: targets.metrics(values, truth, [metric]).get(metric) for guess, values in predictions.items()}
    return {guess: value for guess, value in scored.items() if value is not None}


def _likeliest(targets: Targets) -> Targets:
    """The targets without thresholds: those were chosen for the model's probabilities, not for a guess's."""
    for name, task in targets.tasks.items():
        if hasattr(task, "with_threshold"):
            targets = targets.with_task(name, task.with_threshold(None))
    return targets


def _constant_name(targets: Targets) -> str:
    return "mean" if is_number(next(iter(targets.tasks.values()))) else "majority"


def is_number(task: Task) -> bool:
    """Whether a task's answers are numbers."""
    return task.space is not None and all(problem.classes == 0 for problem in task.space.problems())


def _constant(targets: Targets, train: Part, part: Part) -> dict[str, np.ndarray] | None:
    """The same answer to every row: the share of each class, or the mean."""
    truth = train.truth()
    predictions: dict[str, np.ndarray] = {}
    for name, task in targets.tasks.items():
        answers = task.constant(truth[name][~task.unusable(truth[name])], len(part.rows))
        if answers is None:
            return None
        predictions[name] = answers
    return predictions


def texts_of(table: Table, columns: Sequence[str], rows: np.ndarray) -> list[str]:
    """The texts of each row, joined into one."""
    cells_by_column = [table.cells(name, rows) for name in columns if name in table]
    if not cells_by_column:
        return [""] * len(rows)
    return [
        " ".join(as_text(cell) for cell in cells if not is_missing(cell))
        for cells in zip(*cells_by_column, strict=True)
    ]


def _text_columns(prepared: Prepared) -> list[str]:
    return [s.columns[0] for s in prepared.inputs.values() if s.kind is not None and s.kind.words]


def _of_words(prepared: Prepared, train: Part, part: Part, budget: float) -> dict[str, dict[str, np.ndarray]]:
    """TF-IDF of all texts, and a linear model for each target, on as many rows as the budget allows."""
    columns = _text_columns(prepared)
    if not columns:
        return {}
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts, query_texts = (texts_of(one.source.table, columns, one.rows) for one in (train, part))
    truth, rows = train.truth(), np.random.default_rng(prepared.recipe.train.seed).permutation(len(texts))

    def fit_and_predict(count: int) -> dict[str, np.ndarray] | None:
        chosen = rows[:count]
        vectorizer = TfidfVectorizer(sublinear_tf=True, max_features=20_000, token_pattern=WORD)
        try:
            x = vectorizer.fit_transform([texts[row] for row in chosen])
        except ValueError:  # there is no word in any text
            return None
        queries = vectorizer.transform(query_texts)
        answers = {n: linear_answers(task, x, truth[n][chosen], queries) for n, task in prepared.targets.tasks.items()}
        return answers if all(values is not None for values in answers.values()) else None  # type: ignore[return-value]

    count, begun = min(TRIED, len(rows)), time.monotonic()
    predictions = fit_and_predict(count)
    spent = time.monotonic() - begun
    # Far apart, so that a small difference in timing hardly ever changes the number of rows from run to run.
    affordable = max((n for n in STEPS if n * spent <= TRIED * (budget - spent)), default=0)
    if predictions is not None and affordable > count < len(rows):
        count = min(len(rows), affordable)
        predictions = fit_and_predict(count)
    numbers = all(is_number(task) for task in prepared.targets.tasks.values())
    name = f"TF-IDF + {'ridge' if numbers else 'logistic'}"
    return {} if predictions is None else {name if count == len(rows) else f"{name} on {count:,} rows": predictions}


def linear_answers(task: Task, x: Any, truth: np.ndarray, queries: Any) -> np.ndarray | None:
    """A linear model's predictions for the queries; None where the rows hold nothing to learn from."""
    if task.space is None:
        return None
    from sklearn.linear_model import Ridge

    points = task.in_space(truth)
    logits = np.zeros((queries.shape[0], task.space.width))
    for problem in task.space.problems():
        has_value, y = problem.known(points)
        rows = x[np.flatnonzero(has_value & ~task.unusable(truth))]
        y = y[~task.unusable(truth)[has_value]]
        where = slice(problem.start, problem.start + problem.width)
        if not len(y) or (problem.classes == 0 and len(y) < 2):
            return None
        if problem.classes == 0:
            logits[:, where] = Ridge(alpha=1.0).fit(rows, y).predict(queries)[:, None]
        else:
            logits[:, where] = problem.from_shares(_shares(rows, y, queries, problem.classes))
    return task.predictions(torch.from_numpy(logits))


def _shares(x: Any, y: np.ndarray, queries: Any, classes: int) -> np.ndarray:
    """`[N, classes]` probabilities by logistic regression."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    out = np.zeros((queries.shape[0], classes))
    seen = np.unique(y)
    if len(seen) < 2:
        out[:, seen] = 1.0
        return out
    with warnings.catch_warnings():  # a guess has little time: nearly converged is good enough
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=10.0, max_iter=100).fit(x, y)
    out[:, seen] = model.predict_proba(queries)
    return out


def _of_texts(prepared: Prepared, task: Any, train: Part, part: Part, metric: str) -> dict[str, float]:
    """Scores of texts that were not written for their row."""
    train_truth = train.source.targets[task.target].numpy()
    train_texts = [task.right_answers(train_truth[row])[0] if train_truth[row, 1] >= 0 else "" for row in train.rows]
    with_text = [place for place, text in enumerate(train_texts) if text]
    if not with_text:
        return {}
    usual = Counter(train_texts[place] for place in with_text).most_common(1)[0][0]
    guesses = {"most frequent text": [usual] * len(part.rows)}

    # Short answers: what most training rows answer to the same question.
    columns = _text_columns(prepared)
    if columns and task.short:
        answers: dict[str, Counter[str]] = {}
        for place, question in enumerate(_questions(train.source, columns, train.rows)):
            if train_texts[place]:
                answers.setdefault(question, Counter())[train_texts[place]] += 1
        questions = _questions(part.source, columns, part.rows)
        name = "most frequent answer to the same question"
        guesses[name] = [answers[q].most_common(1)[0][0] if q in answers else usual for q in questions]

    # Images: the text of the training image whose vector is closest.
    image = next((n for n, spec in prepared.inputs.items() if spec.kind is not None and spec.kind.media), None)
    if image is not None:
        x, y = (
            _image_vectors(one.source, image, rows) for one, rows in ((train, train.rows[with_text]), (part, part.rows))
        )
        if x is not None and y is not None:
            nearest = torch.cat([(chunk @ x.T).argmax(dim=1) for chunk in y.split(1024)])
            guesses["text of the nearest training picture"] = [train_texts[with_text[int(place)]] for place in nearest]

    truth = part.source.targets[task.target].numpy()[part.rows]
    usable = ~task.unusable(truth)
    scored: dict[str, float] = {}
    for name, texts in guesses.items():
        values = task.score_texts(truth[usable], [t for t, use in zip(texts, usable, strict=True) if use], [metric])
        scored |= {name: values[metric]} if metric in values else {}
    return scored


def _questions(source: TableSource, columns: Sequence[str], rows: np.ndarray) -> list[str]:
    """The texts of each row, such that case and spaces make no difference."""
    return [" ".join(text.casefold().split()) for text in texts_of(source.table, columns, rows)]


def _image_vectors(source: TableSource, name: str, rows: np.ndarray) -> torch.Tensor | None:
    """`[N, D]` a vector of length one of each row's image: a frozen encoder's output, else a few of its pixels."""
    vectors = []
    for chosen in np.array_split(rows, max(1, len(rows) // 256)):
        images = source.batch(chosen).inputs[name]
        if images.empty:
            return None
        if "stored" in images.features:
            mask = images.features["stored_mask"].unsqueeze(-1).float()
            x = (images.features["stored"].float() * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        else:
            pixels = next(iter(images.features.values())).float()
            if pixels.ndim != 4:
                return None
            small = F.adaptive_avg_pool2d(pixels, SIDE).flatten(1)
            small = small - small.mean(dim=1, keepdim=True)
            index = images.index[:, 0] if images.index is not None else torch.arange(len(chosen))
            x = small[index.clamp(min=0)] * (index >= 0).unsqueeze(-1)
        vectors.append(F.normalize(x, dim=1))
    return torch.cat(vectors)


def describe(scores: Mapping[str, float], metric: str, shown: Any) -> str:
    """The scores in one line."""
    return f"without a model, {metric}: " + ", ".join(f"{name} {shown(value)}" for name, value in scores.items())
