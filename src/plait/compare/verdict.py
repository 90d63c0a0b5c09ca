"""A comparison in one sentence: does fusion help, by how much, and what is as good and cheaper."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plait.compare.result import Comparison, CrossFitted, Difference, Row

FEWEST = 20  # rows, or groups: of fewer, intervals are too narrow to decide by
NAMED = 3  # models that are named of those that tie with the best
WORTH = 5.0  # seconds from which a cheaper model is worth a word


def verdict_of(comparison: "Comparison") -> str:
    """The sentence. It rests on the winner that is picked on other folds than it is scored on."""
    crossed = comparison.best_cross_fitted
    if crossed is None or comparison.decision == "not compared":
        singles = any(row.kind == "single" and row.whole for row in comparison.rows)
        return "nothing could be compared: " + (
            "no fusion has a score" if singles else "no single modality has a score"
        )
    provisional = "" if comparison.converged else "not converged: no fusion stopped improving within the budget; "
    rows = {row.name: row for row in comparison.rows}
    sentence = _helps(comparison, crossed, rows) if comparison.decision == "helps" else _does_not(comparison, crossed)
    ranking = "" if comparison.converged else "; the ranking is provisional (more train.epochs or train.max_steps)"
    units = comparison.units
    few = f" (only {units} {'rows' if comparison.splits == 'random rows' else 'groups'}: too few to decide)"
    return provisional + sentence + (few if units < FEWEST else "") + _ensemble(comparison, rows) + ranking


def _helps(comparison: "Comparison", crossed: "CrossFitted", rows: dict[str, "Row"]) -> str:
    higher = comparison.higher_is_better
    single = rows[crossed.single]
    winner = rows[max(crossed.picked, key=lambda name: crossed.picked[name])]
    added = [name for name in winner.modalities if name not in single.modalities]
    verb, than = ("add", "to") if higher else ("give", "than")
    effect = _effect(crossed.versus_single, comparison.metric, higher)
    text = (
        f"{' and '.join(added) or 'fusion'} {verb}{'s' if len(added) < 2 else ''} {effect} {than} {single.name} alone "
    )
    text += f"({crossed.single_score:.3f})"
    return f"{text}; {_best(comparison, crossed, rows)}"


def _does_not(comparison: "Comparison", crossed: "CrossFitted") -> str:
    difference = crossed.versus_single
    effect = _effect(difference, comparison.metric, comparison.higher_is_better)
    claim = "fusion is worse than" if comparison.decision == "worse" else "no evidence that fusion helps over"
    picked = max(crossed.picked, key=lambda name: crossed.picked[name])
    return (
        f"{claim} {crossed.single} alone ({crossed.single_score:.3f}): {effect}, p = {difference.p_value:.2g}, by the "
        f"fusion picked on the other folds ({crossed.score:.3f}, mostly {picked})"
    )


def _best(comparison: "Comparison", crossed: "CrossFitted", rows: dict[str, "Row"]) -> str:
    """The best model, what it scores where it was picked by other rows, and who ties with it."""
    best = rows[comparison.best]
    text = f"{best.name} is the pick ({best.score:.3f}; {crossed.score:.3f} when picked on the other folds)"
    tied = [name for name in comparison.tied if name != best.name]
    if not tied:
        return text + ", significantly better than every other"
    more = f" and {len(tied) - NAMED} more" if len(tied) > NAMED else ""
    text += f", not significantly better than {', '.join(tied[:NAMED])}{more}"
    return text + _cheaper(best, [rows[name] for name in tied])


def _effect(gain: "Difference", metric: str, higher: bool) -> str:
    """A difference with its interval: more of a score, or less of an error."""
    if higher:
        return f"{gain.difference:+z.3f} (95 % interval {gain.low:+z.3f} to {gain.high:+z.3f}) {metric}"
    return f"{gain.difference:z.3f} (95 % interval {gain.low:z.3f} to {gain.high:z.3f}) less {metric}"


def _cheaper(best: "Row", tied: Sequence["Row"]) -> str:
    """The cheapest model that can't be told from the best one."""
    cheapest = min(tied, key=lambda row: row.train_seconds, default=None)
    if cheapest is None or best.train_seconds < max(WORTH, 2 * cheapest.train_seconds):
        return ""
    name, verb = ("boosted trees", "are") if cheapest.kind == "boosted" else (cheapest.name, "is")
    times = best.train_seconds / max(cheapest.train_seconds, 0.1)
    return f"; {name} ({cheapest.score:.3f}) {verb} {times:.0f} times cheaper to train"


def _ensemble(comparison: "Comparison", rows: dict[str, "Row"]) -> str:
    row = rows.get("ensemble")
    if row is None or not comparison.ensemble_helps:
        return ""
    return f"; an ensemble of {len(row.members)} is significantly better than one model picked alike ({row.score:.3f})"


def explained(comparison: "Comparison") -> list[str]:
    """What stands beside the verdict: groups that leak, and what each modality knows."""
    lines = []
    drop = comparison.group_drop
    if drop is not None:
        lines.append(
            f"rows may belong together by {drop.group}: {drop.name} scores {drop.random:.3f} on random folds and "
            f"{drop.grouped:.3f} where a group is never split (--group)"
        )
    known = comparison.information
    if known is not None:
        alone = ", ".join(f"{name} {bits:.2f}" for name, bits in known.alone.items())
        what = "no clear excess"
        if known.low > 0:
            what = "synergy, they mean something in combination"
        elif known.high < 0:
            what = "redundancy, they say the same in part"
        lines.append(
            f"information about the target, at least, in bits: {alone}; together {known.together:.2f}; excess over the "
            f"sum {known.excess:+.2f} ({known.low:+.2f} to {known.high:+.2f}): {what}"
        )
    return lines
