"""Two stages: a retrieval run finds candidates, a matching run that sees both sides together reorders them."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from plait.data.readers import open_table
from plait.data.table import Table
from plait.errors import DataError, RunError
from plait.inference.zero_shot import scale_of
from plait.metrics.retrieval import TIED, Ranks, mean_reciprocal_rank, median_rank, recall_at
from plait.predictor import Predictor, TableLike
from plait.tasks.pairs import side_codes

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]


def evaluate_reranked(
    finder: Predictor, matcher: Predictor, table: TableLike, top: int = 20, weight: float = 1.0
) -> dict[str, float]:
    """Recall in both directions, after a matching run has reordered the first `top` candidates of each query.

    Args:
        finder: a retrieval run of two sides.
        matcher: a matching run of the same columns.
        table: rows of pairs.
        top: how many candidates of each query are reordered; the others keep their order behind them.
        weight: of the matcher's log-odds, to which the finder's logits are added. The sum considers both whether the
            two belong together and how close they are compared with all others; 0 leaves the order as it was.

    Returns:
        `txt_r1 … img_r10 r_mean median_rank mrr`, under the retrieval run's names.

    Raises:
        RunError: a run is of another task.
        DataError: no row has both sides.
    """
    task = finder.targets_.pairs
    if task is None or task.joint or len(task.sides) != 2:
        raise RunError("two stages need a run of retrieval of two inputs first (train with --task retrieval)")
    if matcher.targets_.pairs is None or not matcher.targets_.joint:
        raise RunError("--rerank: expected a run of matching (train with --task matching)")
    opened = open_table(table)
    codes = side_codes(opened, task.sides)
    rows = np.flatnonzero((codes >= 0).all(axis=1))
    if not len(rows):
        raise DataError(f"{opened.source}: no row has both {' and '.join(task.sides)}")
    vectors = finder.embed(opened)
    assert isinstance(vectors, dict)
    a, b = task.links[0]
    scale = scale_of(finder)
    scores: dict[str, float] = {}
    others: dict[str, list[float]] = {}
    for (asking, asked), name in zip(((a, b), (b, a)), task.directions, strict=True):
        # Every distinct value of a side is asked or found once, by the first row that has it.
        first = [rows[np.unique(codes[rows, side], return_index=True)[1]] for side in (asking, asked)]
        queries, items = first
        logits = (vectors[task.names[asking]][queries] @ vectors[task.names[asked]][items].T).astype(np.float64) * scale
        sides = {name: task.sides[task.names[side]] for name, side in (("query", asking), ("item", asked))}
        score = _scorer(matcher, opened, sides)
        places = {code: place for place, code in enumerate(codes[items, asked])}
        matches = {(codes[row, asking], places[codes[row, asked]]) for row in rows}
        # The matcher scores the pairs of all queries in one go, a query after the other.
        candidates = []
        for place, row in enumerate(queries):
            best = np.argsort(-logits[place], kind="stable")[:top]
            candidates.append((place, row, best))
        pairs = np.array([(row, items[i]) for _, row, best in candidates for i in best])
        odds = score(pairs[:, 0], pairs[:, 1]).reshape(len(queries), -1)
        positions = []
        for (place, row, best), row_odds in zip(candidates, odds, strict=True):
            order = logits[place].astype(np.float64) - 1e6  # what was not looked at stays behind, in its order
            order[best] = logits[place][best] + weight * row_odds
            right = [i for i in range(len(items)) if (codes[row, asking], i) in matches]
            positions.append(_pessimistic_rank(order, right, TIED * scale))
        ranks = Ranks(np.arange(len(queries)), np.array(positions), len(items))
        scores |= {f"{name}_r{k}": recall_at(ranks, k) for k in (1, 5, 10)}
        for measure, value in (("median_rank", median_rank(ranks)), ("mrr", mean_reciprocal_rank(ranks))):
            others.setdefault(measure, []).append(value)
    scores["r_mean"] = float(np.mean(list(scores.values())))
    return scores | {name: float(np.mean(values)) for name, values in others.items()}


def _pessimistic_rank(scores: np.ndarray, right: list[int], slack: float) -> int:
    """The rank, from 1, of the best right item; items that tie with it, up to the slack, are ranked before it."""
    best = max(scores[i] for i in right) - slack
    return 1 + int((scores >= best).sum()) - sum(int(scores[i] >= best) for i in right)


def _scorer(matcher: Predictor, table: Table, sides: dict[str, list[str]]) -> Score:
    """A function from rows of queries and of items to the log-odds that they match."""

    def score(queries: np.ndarray, items: np.ndarray) -> np.ndarray:
        columns = {}
        for name, rows in (("query", queries), ("item", items)):
            for column in sides[name]:
                if column in table:
                    columns[column] = table.column(column).take(pa.array(rows))
        chances = np.asarray(matcher.predict_proba(table.with_data(pa.table(columns))))[:, 1]
        chances = chances.clip(1e-7, 1 - 1e-7)
        return np.log(chances / (1 - chances))

    return score
