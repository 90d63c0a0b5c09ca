"""What is wrong with a table, before an hour is spent on it."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np

from plait.checks.duplicates import near_matches
from plait.console import as_html
from plait.data.schema import IGNORE, Column, Schema
from plait.data.table import Table
from plait.errors import DataError, EmptyValue
from plait.modalities import MODALITIES, Facts, Media, Modality
from plait.tasks import TASKS, guess_task
from plait.tasks.asked import Asked
from plait.values import Vocabulary, as_text, count_values, is_missing

RARE = 5  # rows a class


@dataclass(frozen=True)
class Finding:
    """Something to know before training.

    Args:
        level: `error` where training would go wrong or its scores would lie, `warning` where they might.
        kind: a word for machines, such as `unreadable_picture`.
        message: a sentence for people, with what to do.
        count: how many rows or values.
        examples: some of them.
    """

    level: Literal["error", "warning"]
    kind: str
    message: str
    count: int
    examples: tuple[str, ...] = ()


@dataclass
class Health:
    """What a check found."""

    rows: dict[str, int]
    columns: list[dict[str, Any]]
    balance: dict[str, dict[str, int]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """No finding is an error."""
        return not any(finding.level == "error" for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "ok": self.ok}

    def _repr_html_(self) -> str:
        """What a notebook shows: the findings, errors first."""
        found = sorted(self.findings, key=lambda finding: finding.level != "error")
        rows = [(one.level, one.message, "; ".join(one.examples)) for one in found]
        title = ", ".join(f"{count:,} {name} rows" for name, count in self.rows.items())
        notes = [] if rows else ["nothing found that would go wrong"]
        return as_html(title, ["level", "what", "such as"], rows, notes=notes)


Rows = Mapping[str, tuple[Table, np.ndarray]]


def check(
    parts: Rows,
    schema: Schema,
    targets: Sequence[str] = (),
    group: str | None = None,
    allow_outside: bool = False,
    workers: int = 4,
) -> Health:
    """Look at every row.

    Args:
        parts: `train`, `val`, `test` → table and row numbers.
        schema: types of the training table's columns.
        targets: columns to predict.
        group: column whose cells must not straddle parts.
        allow_outside: media paths may leave the table's folder.
        workers: threads that decode images.
    """
    health = Health({name: len(rows) for name, (_, rows) in parts.items()}, [asdict(c) for c in schema.values()])
    inputs = {name: MODALITIES[column.modality] for name, column in schema.items() if column.modality != IGNORE}
    if not inputs:
        health.findings.append(
            Finding("error", "no_inputs", "no column is left to learn from; say --type COLUMN=text", 1)
        )
    for target in targets:
        _check_target(health, parts, target)
    for name, modality in inputs.items():
        if modality.group is not None:
            _check_cells(health, parts, schema[name], modality)
        else:
            _check_values(health, parts, name, modality, group, allow_outside, workers)
        _check_absent(health, parts, name)
    if inputs:
        _check_rows(health, parts, list(inputs))
    if group is not None:
        _check_groups(health, parts, group)
    order = {"error": 0, "warning": 1}
    health.findings.sort(key=lambda finding: order[finding.level])
    return health


def _check_target(health: Health, parts: Rows, target: str) -> None:
    table, rows = parts["train"]
    if target not in table:
        health.findings.append(Finding("error", "no_target", f"there is no column {target!r} to predict", 1))
        return
    values = table.cells(target, rows)
    missing = [f"row {row + 1}" for row, value in zip(rows, values, strict=True) if is_missing(value)]
    if missing:
        text = f"{target}: {len(missing)} training rows have no target; fill them, or train with --on-error skip"
        health.findings.append(Finding("error", "missing_target", text, len(missing), tuple(missing[:5])))
    counts_by_value = count_values(values, table.untyped)
    names, counts = list(counts_by_value), np.array(list(counts_by_value.values()))
    present = sum(counts_by_value.values())
    if len(names) < 2:
        text = f"{target}: the target is constant or empty; there is nothing to learn"
        health.findings.append(Finding("error", "constant_target", text, present))
        return
    if len(names) > max(20, present // 5):
        return  # numbers or texts, not classes to count
    if not TASKS[guess_task(Asked(table, rows, target).sample)[0]].stratified:
        return  # lists of labels or events
    order = np.argsort(-counts, kind="stable")
    health.balance[target] = {str(names[i]): int(counts[i]) for i in order}
    rare = [f"{names[i]} ({counts[i]})" for i in order[::-1] if counts[i] < RARE]
    if rare:
        text = f"{target}: {len(rare)} classes have fewer than {RARE} training rows; merge or collect more"
        health.findings.append(Finding("warning", "rare_class", text, len(rare), tuple(rare[:5])))
    if counts.max() >= 10 * counts.min():
        share = counts.max() / present
        text = f"{target}: {str(names[order[0]])!r} makes up {share:.0%}; consider task.class_weights=balanced"
        health.findings.append(Finding("warning", "unbalanced", text, int(counts.max())))
    for part, (other, chosen) in parts.items():
        if part != "train" and target in other:
            vocabulary = Vocabulary(names)
            cells = (v for v in other.cells(target, chosen) if not is_missing(v))
            unseen = {as_text(value) for value in cells if vocabulary.find(value) == vocabulary.UNKNOWN}
            if unseen:
                text = f"{target}: {part} holds {len(unseen)} classes that train lacks; such rows are not scored"
                health.findings.append(Finding("warning", "unseen_class", text, len(unseen), tuple(sorted(unseen)[:5])))


def _check_cells(health: Health, parts: Rows, column: Column, modality: Modality) -> None:
    """Cells that can't be read as what their column is."""
    name = column.name
    bad = []
    for part, (table, rows) in parts.items():
        if name in table:
            for row, value in zip(rows, table.iterate(name, rows), strict=False):
                try:
                    modality.read(name, value, column.form)
                except DataError:
                    bad.append(f"{part} row {row + 1}: {str(value)[:40]!r}")
    if bad:
        advice = f"fix or empty them, say --type {name}=category, or train with --on-error missing"
        text = f"{name}: {len(bad)} cells are no {modality.name}; {advice}"
        health.findings.append(Finding("error", modality.unusable, text, len(bad), tuple(bad[:5])))


def _check_absent(health: Health, parts: Rows, name: str) -> None:
    for part, (table, rows) in parts.items():
        if name not in table:
            text = f"{name}: the {part} table lacks the column; all its rows count as missing"
            health.findings.append(Finding("warning", "absent_column", text, len(rows)))


def _advice(name: str, group: str | None) -> str:
    if name == group:
        return "look at some: if they are really the same, give them one name"
    return f"keep them on one side with --group {name}, or drop them"


def _report_duplicates(
    health: Health, name: str, part: str, pairs: Sequence[tuple[str, str]], what: str, advice: str
) -> None:
    exact = sum(a == b for a, b in pairs)
    for kind, count in (("duplicate", exact), ("near_duplicate", len(pairs) - exact)):
        if count:
            chosen = [f"{a[:60]!r} ~ {b[:60]!r}" for a, b in pairs if (a == b) == (kind == "duplicate")]
            like = "also in" if kind == "duplicate" else "nearly the same as some of"
            text = f"{name}: {count} {what} of {part} are {like} train; {advice}"
            health.findings.append(Finding("warning", kind, text, count, tuple(chosen[:3])))


def _check_values(
    health: Health,
    parts: Rows,
    name: str,
    modality: Modality,
    group: str | None,
    allow_outside: bool,
    workers: int,
) -> None:
    """Open every distinct value of a column once: those that can't be used, odd ones, and those that train has too."""
    fingerprints: dict[str, dict[str, int | None]] = {}
    every: list[Any] = []  # values of the training rows, as often as they come
    for part, (table, rows) in parts.items():
        if name not in table:
            continue
        first_row: dict[Any, int] = {}
        for row, cell in zip(rows, table.iterate(name, rows), strict=False):
            pieces = modality.pieces(cell)
            every += pieces if part == "train" else []
            for piece in pieces:
                first_row.setdefault(piece, int(row))

        # Threads decode the distinct values; a DataError is a result like any other.
        look = partial(_facts_of, modality, Media(table.root, allow_outside))
        with ThreadPoolExecutor(workers) as pool:
            results = dict(zip(first_row, pool.map(look, first_row), strict=True))
        empty = [f"row {first_row[piece] + 1}: {e}" for piece, e in results.items() if isinstance(e, EmptyValue)]
        if empty:
            text = f"{name}: {len(empty)} {modality.plural} of {part} hold nothing and count as missing"
            health.findings.append(Finding("warning", f"empty_{modality.name}", text, len(empty), tuple(empty[:5])))
        bad = [
            f"row {first_row[piece] + 1}: {e}"
            for piece, e in results.items()
            if isinstance(e, DataError) and not isinstance(e, EmptyValue)
        ]
        if bad:
            what = f"{len(bad)} {modality.plural} of {part}"
            text = f"{name}: {what} can't be used; fix them, or train with --on-error skip"
            health.findings.append(Finding("error", modality.unusable, text, len(bad), tuple(bad[:5])))
        facts = {piece: seen for piece, seen in results.items() if isinstance(seen, Facts)}
        odd: dict[tuple[str, str], list[str]] = {}
        for piece, fact in facts.items():
            if fact.odd is not None:
                where = f"row {first_row[piece] + 1}: {fact.odd.detail}"
                odd.setdefault((fact.odd.kind, fact.odd.text), []).append(where)
        for (kind, description), rows_of in odd.items():
            text = f"{name}: {len(rows_of)} {modality.plural} of {part} {description}"
            health.findings.append(Finding("warning", kind, text, len(rows_of), tuple(rows_of[:5])))
        fingerprints[part] = {_named(piece): fact.fingerprint for piece, fact in facts.items()}
    # Values of other parts that train has too, or nearly; not where values are expected to come again and again.
    train = fingerprints.get("train", {})
    if not train or modality.recur(every):
        return
    train_prints = {value: print_ for value, print_ in train.items() if print_ is not None}
    for part, part_prints in fingerprints.items():
        if part != "train":
            shared = [(value, value) for value in part_prints if value in train]
            new_prints = {v: print_ for v, print_ in part_prints.items() if print_ is not None and v not in train}
            matches = near_matches(list(new_prints.values()), list(train_prints.values()))
            near = [(list(new_prints)[a], list(train_prints)[b]) for a, b in matches]
            _report_duplicates(health, name, part, shared + near, modality.plural, _advice(name, group))


def _named(piece: Any) -> str:
    """A value's path or text; of others some of it and a number, so that only equal values have equal names."""
    return piece if isinstance(piece, str) else f"{str(piece)[:60]} #{hash(piece):x}"


def _facts_of(modality: Modality, media: Media, piece: Any) -> Facts | DataError:
    try:
        return modality.look(modality.open(piece, media))
    except DataError as error:
        return error


def _check_rows(health: Health, parts: Rows, inputs: Sequence[str]) -> None:
    """Rows of other parts whose inputs are all the same as those of a training row: their score says nothing."""
    if not inputs:
        return
    table, rows = parts["train"]
    row_of_key = {key: int(row) for row, key in zip(rows, _keys(table, rows, inputs), strict=True)}
    for part, (other, chosen) in parts.items():
        if part == "train":
            continue
        both = [
            f"{part} row {row + 1} = train row {row_of_key[key] + 1}"
            for row, key in zip(chosen, _keys(other, chosen, inputs), strict=True)
            if key in row_of_key
        ]
        if both:
            text = (
                f"{len(both)} rows of {part} have the same inputs as a row of train: their score says nothing; "
                "drop them, or keep them together with --group"
            )
            health.findings.append(Finding("error", "leak", text, len(both), tuple(both[:5])))


def _keys(table: Table, rows: np.ndarray, inputs: Sequence[str]) -> Iterable[tuple[str, ...]]:
    columns = [table.cells(name, rows) if name in table else [None] * len(rows) for name in inputs]
    return (tuple(as_text(value) for value in row) for row in zip(*columns, strict=True))


def _check_groups(health: Health, parts: Rows, group: str) -> None:
    members = {
        p: {as_text(v) for v in t.cells(group, r) if not is_missing(v)} for p, (t, r) in parts.items() if group in t
    }
    train = members.get("train", set())
    for part, values in members.items():
        both = sorted(values & train) if part != "train" else []
        if both:
            text = f"{group}: {len(both)} groups are in both train and {part}; correct the split"
            health.findings.append(Finding("error", "group_straddles", text, len(both), tuple(both[:5])))
