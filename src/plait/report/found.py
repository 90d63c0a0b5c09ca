"""The part of a run's page about retrieval: recall, and some queries with what they found first."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from plait.metrics.retrieval import Ranks, rank_pairs
from plait.modalities import Shown, show_cell
from plait.report import plots
from plait.report.page import SIDE, as_cell
from plait.runs.prepare import Part, Prepared

ASKED, SHOWN = 10, 5
TEXT = 160  # characters of a value


def found_section(prepared: Prepared, task: Any, part: Part, name: str, vectors: np.ndarray) -> dict[str, Any]:
    """How far down what belongs to a query stands, and what some queries find.

    Args:
        prepared: data and model.
        task: its task.
        part: the rows.
        name: of the part.
        vectors: `[N, M, D]` of its rows.
    """
    codes = part.truth()["pairs"]
    a, b = task.links[0]
    rows = np.flatnonzero((codes[:, [a, b]] >= 0).all(axis=1))
    curves: dict[str, list[tuple[float, float]]] = {}
    groups: list[dict[str, Any]] = []
    for asking, answering in ((b, a), (a, b)):
        query, item = task.names[asking], task.names[answering]
        queries, items = (rows[np.unique(codes[rows, side], return_index=True)[1]] for side in (asking, answering))
        # Each distinct value asks once, and is found once, however many rows hold it.
        links = np.argwhere(
            _linked(codes[rows][:, [asking, answering]], codes[queries, asking], codes[items, answering])
        )
        ranks = rank_pairs(vectors[queries, asking], vectors[items, answering], links)
        curves[f"{query} finds {item}"] = _recalls(ranks)
        if not groups:  # one direction is enough to get an impression
            groups = _questions(prepared, part, vectors, (asking, answering), queries, items, links)
    return {
        "name": "What is found",
        "part": name,
        "plots": [plots.lines(curves, "among the first k", "share of the queries")],
        "about": f"{task.names[b]} asks, {task.names[a]} is found; evenly spaced {name} rows",
        "questions": groups,
    }


def _linked(pairs: np.ndarray, queries: np.ndarray, items: np.ndarray) -> np.ndarray:
    """`[Q, N]` bool: some row holds both."""
    linked = np.zeros((len(queries), len(items)), dtype=bool)
    linked[np.searchsorted(queries, pairs[:, 0]), np.searchsorted(items, pairs[:, 1])] = True
    return linked


def _recalls(ranks: Ranks) -> list[tuple[float, float]]:
    steps = [k for k in (1, 2, 3, 5, 10, 20, 50, 100) if k <= max(10, ranks.items)]
    return [(float(k), float((ranks.best <= k).mean())) for k in steps]


def _questions(
    prepared: Prepared,
    part: Part,
    vectors: np.ndarray,
    sides: tuple[int, int],
    queries: np.ndarray,
    items: np.ndarray,
    links: np.ndarray,
) -> list[dict[str, Any]]:
    names = list(prepared.inputs)
    belongs = {(int(q), int(i)) for q, i in links}
    questions = []
    for position in np.unique(np.linspace(0, len(queries) - 1, ASKED).astype(int)):
        scores = vectors[items, sides[1]] @ vectors[queries[position], sides[0]]
        best = np.argsort(-scores, kind="stable")[:SHOWN]
        hits = [
            {
                "cell": shown_cell(prepared, part, names[sides[1]], int(items[i])),
                "score": float(scores[i]),
                "right": (int(position), int(i)) in belongs,
            }
            for i in best
        ]
        questions.append({"cell": shown_cell(prepared, part, names[sides[0]], int(queries[position])), "found": hits})
    return questions


def shown_cell(prepared: Prepared, part: Part, name: str, position: int) -> Mapping[str, Any]:
    """What a row holds of an input, for `value.html`."""
    table, spec = part.source.table, prepared.inputs[name]
    row = int(part.rows[position])
    values = {column: table.cells(column, [row])[0] for column in spec.columns if column in table}
    if spec.kind is None:
        text = str(values)[:TEXT] if len(values) != 1 else str(next(iter(values.values())))[:TEXT]
        return as_cell(Shown("–" if text == "None" else text))
    pieces = show_cell(spec.kind, next(iter(values.values()), None), part.source.media, SIDE, 1)
    if not pieces:
        return as_cell(Shown("–"))
    return {**as_cell(pieces[0]), "text": pieces[0].text[:TEXT]}
