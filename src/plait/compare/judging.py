"""From answers to a verdict: scores, intervals, paired differences, a winner that other rows picked, an ensemble."""

from collections.abc import Sequence

import numpy as np

from plait.compare.ensemble import Member, choose_members, cross_fitted_ensemble
from plait.compare.evidence import Evidence, Measure
from plait.compare.information import Information, information
from plait.compare.result import Comparison, CrossFitted, Difference, Judged, Row
from plait.compare.verdict import FEWEST, verdict_of
from plait.metrics.bootstrap import DRAWS, bootstrap, draw_rows, holm, interval, p_value

ALPHA = 0.05
ENSEMBLE = "ensemble"


def judge(judged: Sequence[Judged], measure: Measure, seconds: float) -> Comparison:
    """Scores, intervals, paired differences, the cross-fitted winner, the ensemble, and the verdict.

    Args:
        judged: each candidate's answers.
        measure: what is measured.
        seconds: of the whole comparison.
    """
    evidence = Evidence(measure)
    rows = [_row(one, evidence) for one in judged]
    models = [row for row in rows if row.whole and row.kind != "baseline"]
    members = _add_ensemble(rows, models, evidence)
    whole = [row for row in rows if row.whole and row.kind != "baseline"]
    singles, fused = [row for row in models if row.kind == "single"], [row for row in models if row.fused]
    best = evidence.pick(models) if models else None
    _compare(whole, evidence.pick(singles) if singles else None, "versus_best_single", evidence)
    _compare(whole, next((row for row in models if row.name == "concat"), None), "versus_concat", evidence)
    crossed = _cross_fitted(fused, singles, evidence)
    trained = [row for row in fused if row.kind in ("fusion", "subset")]
    comparison = Comparison(
        metric=measure.metric,
        higher_is_better=measure.higher,
        verdict="",
        decision=_decision(crossed, measure.units),
        units=measure.units,
        converged=any(row.converged for row in trained) or not trained,
        best=best.name if best else "",
        best_cross_fitted=crossed,
        tied=_tied(best, models, evidence),
        splits=measure.splits,
        rows=rows,
        seconds=seconds,
        information=_information(models, evidence),
        ensemble=members,
        ensemble_helps=members is not None and _ensemble_helps(models, evidence),
    )
    comparison.verdict = verdict_of(comparison)
    return comparison


def _row(one: Judged, evidence: Evidence) -> Row:
    """A candidate's own numbers; the evidence takes the answers of whoever answered all rows."""
    candidate, measure = one.candidate, evidence.measure
    row = Row(candidate.name, candidate.kind, list(candidate.modalities), failed=one.failed, stopped=one.stopped)
    if one.failed:
        return row
    row.per_fold = one.per_fold
    for key, value in one.costs.items():
        setattr(row, key, value)
    if one.folds is None:
        evidence.add(row.name, one.predictions)
        row.score = measure.score(one.predictions)
        sample = evidence.samples[row.name]
        if measure.r2 is not None:
            row.r2 = float(np.mean([measure.r2(measure.truth, answer) for answer in one.predictions]))
    else:  # of some folds: nothing is compared with it
        answered = np.sort(np.concatenate([measure.folds[fold] for fold in one.folds]))
        truth, groups = measure.truth[answered], None if measure.groups is None else measure.groups[answered]
        row.score = float(np.mean([measure.function(truth, answer) for answer in one.predictions]))
        draws = draw_rows(len(answered), groups, DRAWS)
        sample = measure.sign * bootstrap(measure.function, truth, one.predictions, draws)
    row.low, row.high = sorted(measure.sign * end for end in interval(sample))
    return row


def _compare(rows: Sequence[Row], base: Row | None, key: str, evidence: Evidence) -> None:
    """Paired differences of all models to one, with corrected p-values."""
    if base is None:
        return
    sign, samples = evidence.measure.sign, evidence.samples
    others = [row for row in rows if row is not base]
    gains = {row.name: sign * ((row.score or 0.0) - (base.score or 0.0)) for row in others}
    p_values = holm({name: p_value(gain, samples[name] - samples[base.name]) for name, gain in gains.items()})
    for row in others:
        low, high = interval(samples[row.name] - samples[base.name])
        p = p_values[row.name]
        setattr(row, key, Difference(gains[row.name], low, high, p, p < ALPHA))
        if key == "versus_best_single":
            row.p_value = p


def _tied(best: Row | None, rows: Sequence[Row], evidence: Evidence) -> list[str]:
    """The best and whoever can't be told from it, best first; differences corrected for their number."""
    if best is None:
        return []
    sign, samples = evidence.measure.sign, evidence.samples
    gaps = {row.name: sign * ((best.score or 0.0) - (row.score or 0.0)) for row in rows if row is not best}
    p_values = holm({name: p_value(gap, samples[best.name] - samples[name]) for name, gap in gaps.items()})
    return [best.name, *(name for name in sorted(gaps, key=gaps.__getitem__) if p_values[name] >= ALPHA)]


def _cross_fitted(fused: Sequence[Row], singles: Sequence[Row], evidence: Evidence) -> CrossFitted | None:
    """The best fusion and the best modality, each picked for a fold by the other folds."""
    if not fused or not singles:
        return None
    measure = evidence.measure
    (winners, sets), (alone, alone_sets) = evidence.crossed(fused), evidence.crossed(singles)
    sample, score, alone_score = evidence.sampled(sets), measure.score(sets), measure.score(alone_sets)
    differences, gain = sample - evidence.sampled(alone_sets), measure.sign * (score - alone_score)
    low, high = sorted(measure.sign * end for end in interval(sample))
    least, most = interval(differences)
    p = p_value(gain, differences)
    picked, names = ([row.name for row in side] for side in (winners, alone))
    return CrossFitted(
        score=score,
        low=low,
        high=high,
        picked={name: picked.count(name) for name in dict.fromkeys(picked)},
        single=max(dict.fromkeys(names), key=names.count),
        single_score=alone_score,
        versus_single=Difference(gain, least, most, p, p < ALPHA),
    )


def _decision(crossed: CrossFitted | None, units: int) -> str:
    if crossed is None or not np.isfinite(crossed.versus_single.difference):
        return "not compared"
    if not crossed.versus_single.significant or units < FEWEST:
        return "no evidence"
    return "helps" if crossed.versus_single.difference > 0 else "worse"


def _add_ensemble(rows: list[Row], models: Sequence[Row], evidence: Evidence) -> list[Member] | None:
    """Append the ensemble's row; returns the members that all rows choose (of the first seed)."""
    measure, space = evidence.measure, evidence.measure.space
    if not evidence.likely or space is None or len(models) < 2:
        return None
    by_seed = [
        {row.name: evidence.answers[row.name][seed] for row in models}
        for seed in range(len(evidence.answers[models[0].name]))
    ]
    sets: list[np.ndarray] = [cross_fitted_ensemble(one, measure.truth, measure.folds, space) for one in by_seed]
    members = choose_members(by_seed[0], measure.truth, space)
    by_name = {row.name: row for row in models}
    chosen = [by_name[member.name] for member in members]
    inputs = dict.fromkeys(name for row in chosen for name in row.modalities)
    row = Row(ENSEMBLE, ENSEMBLE, list(inputs), members={one.name: one.weight for one in members})
    evidence.add(ENSEMBLE, sets)
    row.score, row.per_fold = measure.score(sets), [measure.score(sets, fold) for fold in measure.folds]
    row.low, row.high = sorted(measure.sign * end for end in interval(evidence.samples[ENSEMBLE]))
    row.r2 = None if measure.r2 is None else float(np.mean([measure.r2(measure.truth, one) for one in sets]))
    row.converged = all(one.converged for one in chosen)
    row.parameters = sum(one.parameters for one in chosen)
    row.train_seconds, row.latency_ms = sum(r.train_seconds for r in chosen), sum(r.latency_ms for r in chosen)
    row.peak_bytes = max(one.peak_bytes for one in chosen)
    rows.append(row)
    return members


def _ensemble_helps(models: Sequence[Row], evidence: Evidence) -> bool:
    """Whether the ensemble is significantly better than the best single model, both chosen by other folds."""
    measure = evidence.measure
    _, sets = evidence.crossed(models)
    gain = measure.sign * (measure.score(evidence.answers[ENSEMBLE]) - measure.score(sets))
    return gain > 0 and p_value(gain, evidence.samples[ENSEMBLE] - evidence.sampled(sets)) < ALPHA


def _information(models: Sequence[Row], evidence: Evidence) -> Information | None:
    """What each modality knows, by the answers of the first seed."""
    measure = evidence.measure
    if measure.space is None or not evidence.likely:
        return None
    every = sorted({name for row in models for name in row.modalities})
    alone = [row for row in models if row.kind == "single"]
    single = {name: [evidence.answers[row.name][0] for row in alone if row.modalities == [name]] for name in every}
    fused = [evidence.answers[row.name][0] for row in models if row.fused and set(row.modalities) == set(every)]
    return information(single, fused, measure.truth, measure.folds, measure.space, evidence.draws)
