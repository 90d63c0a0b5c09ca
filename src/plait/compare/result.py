"""What a comparison found: rows of scores, and a sentence."""

import csv
import io
from dataclasses import asdict, dataclass, field
from typing import Any

from plait.compare.candidates import Candidate
from plait.compare.ensemble import Member
from plait.compare.information import Information
from plait.console import as_html


@dataclass
class Difference:
    """One model's score less another's, paired row by row.

    Args:
        difference: above zero is better, whichever way the metric points.
        low, high: the middle 95 % of its bootstrap.
        p_value: corrected for the number of comparisons (Holm).
        significant: p below 0.05.
    """

    difference: float
    low: float
    high: float
    p_value: float = 1.0
    significant: bool = False


@dataclass
class Row:
    """One model of the comparison; `failed` says why it has no score.

    Args:
        name, kind, modalities: of the candidate; kinds are `single`, `subset`, `fusion`, `closed_form`, `boosted`,
            `ensemble` and `baseline`.
        score, low, high: over all rows, with the middle 95 % of a bootstrap.
        per_fold: the score of each fold that was answered.
        versus_best_single, versus_concat: paired differences.
        p_value: of `versus_best_single`.
        converged: validation had stopped to improve in every run; what has no loop always has.
        stopped: why not all folds were answered; `score` is of the others then, and nothing is compared with it.
        r2: beside another metric of numbers.
        members: of an ensemble, with the number of times that each was chosen.
        epochs: that a run took, the mean.
    """

    name: str
    kind: str
    modalities: list[str]
    score: float | None = None
    low: float | None = None
    high: float | None = None
    per_fold: list[float] = field(default_factory=list)
    versus_best_single: Difference | None = None
    versus_concat: Difference | None = None
    p_value: float | None = None
    converged: bool = True
    stopped: str = ""
    r2: float | None = None
    members: dict[str, int] = field(default_factory=dict)
    parameters: int = 0
    epochs: float = 0.0
    train_seconds: float = 0.0
    peak_bytes: int = 0
    latency_ms: float = 0.0
    failed: str = ""

    @property
    def whole(self) -> bool:
        """Whether all folds were answered."""
        return self.score is not None and not self.stopped

    @property
    def fused(self) -> bool:
        """Whether it is one model of several modalities."""
        return self.kind in ("subset", "fusion", "closed_form", "boosted")


@dataclass
class Judged:
    """A candidate's answers to all rows, out of fold, a set a seed.

    Args:
        candidate: what answered.
        predictions: of each seed, `[N, …]`.
        per_fold: the metric of each fold, averaged over seeds.
        costs: parameters, train_seconds, peak_bytes, latency_ms, converged.
        failed: why there are none.
        folds: which were answered; None for all.
        stopped: why not all.
    """

    candidate: Candidate
    predictions: list[Any] = field(default_factory=list)
    per_fold: list[float] = field(default_factory=list)
    costs: dict[str, Any] = field(default_factory=dict)
    failed: str = ""
    folds: list[int] | None = None
    stopped: str = ""


@dataclass
class CrossFitted:
    """A winner that is picked anew for each fold, by the other folds: its score is not the score that chose it.

    Args:
        score, low, high: of the answers of whoever was picked.
        picked: name → how many folds it was picked for.
        single, single_score: the same for the modalities alone: who was picked most, and the score.
        versus_single: the paired difference of both; it decides.
    """

    score: float
    low: float
    high: float
    picked: dict[str, int]
    single: str
    single_score: float
    versus_single: Difference


@dataclass
class GroupDrop:
    """How far a score falls where rows that belong together never sit on both sides of a split.

    Args:
        group: what they share.
        name: the model.
        random, grouped: its score on folds of rows, and on folds of groups.
    """

    group: str
    name: str
    random: float
    grouped: float


@dataclass
class Comparison:
    """All of it, as `comparison.json` holds it.

    Args:
        metric, higher_is_better: what is compared.
        verdict: in a sentence.
        decision: `helps`, `no evidence`, `worse`; `not compared` where one side has no score.
        converged: whether any trained fusion had converged; if none, the ranking is provisional.
        best: the single model with the highest score.
        best_cross_fitted: what the decision rests on.
        tied: models that can't be told from the best, which is among them.
        splits: `random rows`, or what the folds keep together.
        units: rows, or groups, that were compared: the bootstrap of fewer than 20 decides nothing.
        rows: one a model.
        seconds: of all.
        group_drop: where rows seem to belong together and the folds don't keep them so.
        information: what each modality knows; None where the target has no likelihood.
        ensemble: the members that all rows choose; None where there is no ensemble.
        ensemble_helps: the ensemble is significantly better than the best single model, both cross-fitted.
    """

    metric: str
    higher_is_better: bool
    verdict: str
    decision: str
    converged: bool
    best: str
    best_cross_fitted: CrossFitted | None
    tied: list[str]
    splits: str
    units: int
    rows: list[Row]
    seconds: float
    group_drop: GroupDrop | None = None
    information: Information | None = None
    ensemble: list[Member] | None = None
    ensemble_helps: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> tuple[list[str], list[tuple[str, ...]], list[str]]:
        """Columns, a line a model (the best first, trivial ones last), and what the marks in them mean."""
        sign = -1 if self.higher_is_better else 1
        rows = sorted(self.rows, key=lambda row: (row.score is None, row.kind == "baseline", sign * (row.score or 0)))
        cells: list[tuple[str, ...]] = []
        for row in rows:
            kind = row.kind.replace("_", " ")
            if row.score is None:
                cells.append((row.name, kind, "failed", row.failed, "", ""))
                continue
            versus = row.versus_best_single
            gain = "" if versus is None else f"{versus.difference:+.3f}{' *' if versus.significant else ''}"
            score = f"{row.score:.3f}" + ("" if row.converged else " ↑") + (" …" if row.stopped else "")
            cells.append((row.name, kind, score, f"{row.low:.3f}…{row.high:.3f}", gain, f"{row.train_seconds:.1f}"))
        compared = sum(row.versus_best_single is not None for row in rows)
        marks = [f"* over the best single modality, significant after correction for {compared} comparisons"]
        if any(not row.converged for row in rows):
            marks.append("↑ still improved when its budget was used up")
        if any(row.stopped for row in rows):
            marks.append("… clearly behind after the first folds, or out of time; scored on those folds only")
        marks.append(f"folds of {self.splits}")
        return ["model", "kind", self.metric, "95 % interval", "over single", "s"], cells, marks

    def _repr_html_(self) -> str:
        """What a notebook shows: the decision, and the table."""
        columns, cells, marks = self.lines()
        return as_html(f"{self.decision}: {self.verdict}", columns, cells, columns[2:], marks)

    def to_csv(self) -> str:
        """A line a model."""
        text = io.StringIO()
        names = ["name", "kind", "modalities", "score", "low", "high", "r2", "versus_best_single", "versus_concat"]
        names += [
            "p_value",
            "converged",
            "stopped",
            "parameters",
            "train_seconds",
            "peak_bytes",
            "latency_ms",
            "failed",
        ]
        writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for row in self.rows:
            cells = {**vars(row), "modalities": " ".join(row.modalities)}
            for key in ("versus_best_single", "versus_concat"):
                cells[key] = "" if cells[key] is None else cells[key].difference
            writer.writerow(cells)
        return text.getvalue()
