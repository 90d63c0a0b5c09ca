"""What a comparison found: rows of scores, and a sentence."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from plait.compare.candidates import Candidate
from plait.metrics.bootstrap import DRAWS, Function, bootstrap, draw_rows, holm, interval, p_value

ALPHA = 0.05


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
    """One model of the comparison; `failed` says why it has no score."""

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
    parameters: int = 0
    train_seconds: float = 0.0
    peak_bytes: int = 0
    latency_ms: float = 0.0
    failed: str = ""


@dataclass
class Judged:
    """A candidate's answers to all rows, out of fold, a set a seed.

    Args:
        candidate: what answered.
        predictions: of each seed, `[N, …]`.
        per_fold: the metric of each fold, averaged over seeds.
        costs: parameters, train_seconds, peak_bytes, latency_ms.
        failed: why there are none.
    """

    candidate: Candidate
    predictions: list[np.ndarray] = field(default_factory=list)
    per_fold: list[float] = field(default_factory=list)
    costs: dict[str, Any] = field(default_factory=dict)
    failed: str = ""


@dataclass
class Comparison:
    """All of it, as `comparison.json` holds it."""

    metric: str
    higher_is_better: bool
    verdict: str
    best: str
    rows: list[Row]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def to_csv(self) -> str:
        """A line a model."""
        text = io.StringIO()
        names = ["name", "kind", "modalities", "score", "low", "high", "versus_best_single", "versus_concat"]
        names += ["p_value", "parameters", "train_seconds", "peak_bytes", "latency_ms", "failed"]
        writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for row in self.rows:
            cells = {**vars(row), "modalities": " ".join(row.modalities)}
            for key in ("versus_best_single", "versus_concat"):
                cells[key] = "" if cells[key] is None else cells[key].difference
            writer.writerow(cells)
        return text.getvalue()


def judge(
    judged: Sequence[Judged],
    truth: np.ndarray,
    metric: str,
    function: Function,
    higher: bool,
    groups: np.ndarray | None,
    seconds: float,
) -> Comparison:
    """Scores, intervals, paired differences and the verdict.

    Args:
        judged: each candidate's answers.
        truth: `[N, …]`.
        metric, function, higher: what is measured, and whether more is better.
        groups: `[N]` codes of rows that are drawn together.
        seconds: of the whole comparison.
    """
    # Within, higher is always better: `sign` turns errors round.
    sign = 1.0 if higher else -1.0
    draws = draw_rows(len(truth), groups, DRAWS)
    samples, rows = {}, []
    for one in judged:
        candidate = one.candidate
        row = Row(candidate.name, candidate.kind, list(candidate.modalities), failed=one.failed)
        if not one.failed:
            row.score = float(np.mean([function(truth, answers) for answers in one.predictions]))
            samples[row.name] = sign * bootstrap(function, truth, one.predictions, draws)
            low, high = interval(samples[row.name])
            row.low, row.high = sorted((sign * low, sign * high))
            row.per_fold = one.per_fold
            for key, value in one.costs.items():
                setattr(row, key, value)
        rows.append(row)
    scored = [row for row in rows if row.score is not None]
    single = _best([row for row in scored if row.kind == "single"], sign)
    concat = next((row for row in scored if row.name == "concat"), None)
    _compare(scored, single, "versus_best_single", samples, sign)
    _compare(scored, concat, "versus_concat", samples, sign)
    best = _best(scored, sign)
    verdict = verdict_of(metric, scored, single, concat, sign)
    return Comparison(metric, higher, verdict, best.name if best else "", rows, seconds)


def _best(rows: Sequence[Row], sign: float) -> Row | None:
    """The highest score; of equal ones that of fewer modalities, then of fewer parameters."""
    return max(rows, key=lambda r: (sign * (r.score or 0.0), -len(r.modalities), -r.parameters), default=None)


def _compare(rows: Sequence[Row], base: Row | None, key: str, samples: Mapping[str, np.ndarray], sign: float) -> None:
    """Paired differences of all models to one, with corrected p-values."""
    if base is None:
        return
    others = [row for row in rows if row is not base]
    gains = {row.name: sign * ((row.score or 0.0) - (base.score or 0.0)) for row in others}
    p_values = holm({name: p_value(gain, samples[name] - samples[base.name]) for name, gain in gains.items()})
    for row in others:
        low, high = interval(samples[row.name] - samples[base.name])
        p = p_values[row.name]
        setattr(row, key, Difference(gains[row.name], low, high, p, p < ALPHA))
        if key == "versus_best_single":
            row.p_value = p


def verdict_of(metric: str, rows: Sequence[Row], single: Row | None, concat: Row | None, sign: float) -> str:
    """One sentence: does fusion help, which method, and what is cheaper and as good."""
    fused = [row for row in rows if row.kind != "single"]
    best = _best(fused, sign)
    if best is None or single is None or best.versus_best_single is None:
        return "nothing could be compared: " + ("no fusion has a score" if single else "no single modality has a score")
    gain = best.versus_best_single
    if not gain.significant:
        worse = "is worse than" if gain.high < 0 else "is not significantly better than"
        return (
            f"fusion does not help here: the best of it, {best.name} ({best.score:.3f}), {worse} {single.name} alone "
            f"({single.score:.3f}): {_effect(gain, metric, sign)}, p = {gain.p_value:.2g} "
            f"after correction for {len(rows) - 1} comparisons"
        )
    added = [name for name in best.modalities if name not in single.modalities]
    verb, than = ("add", "to") if sign > 0 else ("give", "than")
    text = f"{' and '.join(added)} {verb}{'s' if len(added) == 1 else ''} {_effect(gain, metric, sign)} {than} "
    text += f"{single.name} alone ({single.score:.3f})"
    if concat is None or best is concat:
        text += f"; {best.name} is best ({best.score:.3f})"
    else:
        versus = best.versus_concat
        surely = "and" if versus and versus.significant else "but not"
        text += f"; {best.name} is best ({best.score:.3f}) {surely} significantly better than concat"
        text += f" ({concat.score:.3f})"
    return text + _cheaper(best, fused)


def _effect(gain: Difference, metric: str, sign: float) -> str:
    """A difference with its interval: more of a score, or less of an error."""
    if sign > 0:
        return f"{gain.difference:+z.3f} (95 % interval {gain.low:+z.3f} to {gain.high:+z.3f}) {metric}"
    return f"{gain.difference:z.3f} (95 % interval {gain.low:z.3f} to {gain.high:z.3f}) less {metric}"


def _cheaper(best: Row, fused: Sequence[Row]) -> str:
    """The cheapest model that can't be told from the best one."""
    as_good = [row for row in fused if row is not best and row.low is not None and _overlaps(row, best)]
    cheapest = min(as_good, key=lambda row: row.train_seconds, default=None)
    if cheapest is None or cheapest.train_seconds <= 0 or best.train_seconds < 2 * cheapest.train_seconds:
        return ""
    name, verb = ("boosted trees", "are") if cheapest.kind == "boosted" else (cheapest.name, "is")
    times = best.train_seconds / cheapest.train_seconds
    return f"; {name} ({cheapest.score:.3f}) {verb} {times:.0f} times cheaper to train and about as good"


def _overlaps(row: Row, best: Row) -> bool:
    """The best score lies within the other's interval."""
    return row.low is not None and row.high is not None and best.score is not None and row.low <= best.score <= row.high
