"""Fitting what needs no loop: logistic and ridge regression, and ridge regression in a kernel.

Both choose how much they are held back from the training rows alone: the linear ones by inner folds, the kernels by
exact leave-one-out, in groups where rows belong together.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from plait.data.splits import folds_of
from plait.errors import DataError
from plait.heads.kernel import KernelHead, gaussian, squared_distances
from plait.heads.linear import LinearHead
from plait.layers.spaces import Problem, Space

FOLDS = 3  # inner ones
LOOSENESS = [10.0**power for power in np.arange(-1.5, 4.01, 0.5)]  # of logistic regression: scikit-learn's C
STRENGTHS = [10.0**power for power in np.arange(-4.0, 3.01, 0.5)]  # of ridge regression: the weight of the penalty
WIDTHS = [2.0**power for power in range(-4, 4)]  # of Gaussian kernels, on vectors of mean squared norm one
EXACT = 20_000  # rows up to which a kernel keeps all of them
CHOOSING = 2_000  # rows on which a kernel's width and strength are chosen
LANDMARKS = 2_000  # rows that a kernel keeps of more
SURE = 10.0  # the logit of a label that all training rows have; minus that, of one that none has
UNSEEN = -30.0  # of a class that training did not see
ITERATIONS = 1_000


def fit_linear(
    head: LinearHead,
    x_NF: np.ndarray,
    truth: Sequence[np.ndarray],
    spaces: Sequence[Space],
    groups: np.ndarray | None = None,
    seed: int = 0,
    weights: np.ndarray | None = None,
) -> list[str]:
    """Fit a linear head in place; says which strength was chosen.

    Args:
        head: not fitted yet.
        x_NF: vectors of the training rows, NaN where something is missing.
        truth: each target of these rows: classes `[N]` (negative where there is none), labels `[N, L]`, numbers `[N]`.
        spaces: of each target.
        groups: `[N]` codes of rows that stay on one side of an inner fold; None for none.
        seed: of the folds.
        weights: `[N]` how much each row counts, above 0; None for all alike.

    Raises:
        DataError: a target has fewer than two classes among the rows.
    """
    head.scaling.learn(torch.from_numpy(x_NF))
    x = head.scaling(torch.from_numpy(x_NF)).numpy()
    # A penalised model lies in the span of its rows: with fewer rows than features that is much smaller.
    left, singular, right = np.linalg.svd(x, full_matrices=False)
    kept = singular > 1e-10 * singular[:1].max(initial=1e-300)
    basis = right[kept]
    z = left[:, kept] * singular[kept]
    weight, bias = np.zeros((len(basis), len(head.bias))), np.zeros(len(head.bias))
    notes: list[str] = []
    for start, problem, position in _problems(spaces):
        labelled, y = problem.known(truth[position])
        fit = _ridge if problem.classes == 0 else _logistic
        columns = slice(start, start + problem.width)
        if not len(basis):  # every column is constant, or missing in all rows
            bias[columns] = np.clip(problem.parameters(y), UNSEEN, -UNSEEN)
            notes.append("no column that varies: the same answer to every row")
            continue
        within = None if groups is None else groups[labelled]
        of_rows = None if weights is None else weights[labelled]
        weight[:, columns], bias[columns], note = fit(z[labelled], y, problem, within, seed, of_rows)
        notes.append(note)
    head.weight, head.bias = torch.from_numpy(basis.T @ weight), torch.from_numpy(bias)
    return list(dict.fromkeys(notes))


def _problems(spaces: Sequence[Space]) -> Iterator[tuple[int, Problem, int]]:
    """Each problem, the first raw prediction that it answers, and its target's place."""
    start = 0
    for position, space in enumerate(spaces):
        for problem in space.problems():
            yield start + problem.start, problem, position
        start += space.width


def _ridge(
    z: np.ndarray, y: np.ndarray, problem: Problem, groups: np.ndarray | None, seed: int, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, str]:
    """Ridge regression, its strength by leave-one-out (scikit-learn's), or by folds of groups."""
    from sklearn.linear_model import RidgeCV

    folds = None if groups is None else list(_inner_folds(np.zeros(len(y), dtype=np.int64), groups, seed))
    model = RidgeCV(alphas=STRENGTHS, cv=folds).fit(z, y, sample_weight=weights)
    return model.coef_[:, None], np.array([model.intercept_]), f"ridge, penalty {model.alpha_:.2g}"


def _logistic(
    z: np.ndarray, y: np.ndarray, problem: Problem, groups: np.ndarray | None, seed: int, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, str]:
    """Logistic regression, its strength by the log loss of inner folds."""
    if len(np.unique(y)) < 2:
        if problem.width > 1:
            raise DataError("a linear model needs at least two classes among the training rows")
        sure = np.array([SURE if y[:1].sum() else -SURE])
        return np.zeros((z.shape[1], 1)), sure, "a label that all or no rows have"
    losses = np.zeros(len(LOOSENESS))
    for train, val in _inner_folds(y, groups, seed):
        losses += _losses_along(z, y, train, val, weights)
    looseness = LOOSENESS[int(np.argmin(losses))]
    weight, bias = class_weights(_solver(looseness).fit(z, y, weights), problem)
    return weight, bias, f"logistic, C {looseness:.2g}"


def _losses_along(
    z: np.ndarray, y: np.ndarray, train: np.ndarray, val: np.ndarray, weights: np.ndarray | None
) -> np.ndarray:
    """`[strengths]` the summed log loss of a fold; infinite from where it has grown twice in a row."""
    losses = np.full(len(LOOSENESS), np.inf)
    if len(np.unique(y[train])) < 2:
        return np.zeros(len(LOOSENESS))
    model = _solver(LOOSENESS[0], warm_start=True)
    learned, judged = (None, 1.0) if weights is None else (weights[train], weights[val])
    for place, looseness in enumerate(LOOSENESS):
        model.C = looseness
        shares = model.fit(z[train], y[train], learned).predict_proba(z[val])
        column = {value: position for position, value in enumerate(model.classes_)}
        of_truth = [row[column[value]] if value in column else 0.0 for row, value in zip(shares, y[val], strict=True)]
        losses[place] = -(judged * np.log(np.clip(of_truth, 1e-7, None))).sum()
        if place > 1 and losses[place] > losses[place - 1] > losses[place - 2]:
            break
    return losses


def _solver(looseness: float, **options: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=looseness, max_iter=ITERATIONS, tol=1e-5, **options)


def _inner_folds(y: np.ndarray, groups: np.ndarray | None, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows to learn from and to choose by, alike in their classes, no group on both sides."""
    every = np.arange(len(y))
    if groups is not None and len(np.unique(groups)) < 2:
        groups = None  # one group can't be kept apart from itself
    units = len(y) if groups is None else len(np.unique(groups))
    for fold in folds_of(every, min(FOLDS, units), y, groups, seed):
        yield np.setdiff1d(every, fold), fold


def class_weights(model: Any, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """`[F, W]` weights and `[W]` bias of a problem's raw predictions, of scikit-learn's fitted logistic regression.

    A class that its rows lacked is never the answer; of yes or no there is one logit.
    """
    weight, bias = np.zeros((model.coef_.shape[1], problem.width)), np.full(problem.width, UNSEEN)
    if problem.width == 1:
        return model.coef_.T, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn has one logit then, of the second class
        weight[:, model.classes_[1]], bias[model.classes_] = model.coef_[0], [0.0, model.intercept_[0]]
    else:
        weight[:, model.classes_], bias[model.classes_] = model.coef_.T, model.intercept_
    return weight, bias


def fit_kernel(
    head: KernelHead,
    x_NF: np.ndarray,
    truth: Sequence[np.ndarray],
    spaces: Sequence[Space],
    groups: np.ndarray | None = None,
    seed: int = 0,
    weights: np.ndarray | None = None,
) -> list[str]:
    """Fit a kernel head in place; says what was chosen, and where not all rows are kept.

    Width and strength are those of the smallest error of leaving each row out (or its group), which ridge regression
    gives exactly without fitting again. Arguments and errors are those of `fit_linear`.
    """
    head.scaling.learn(torch.from_numpy(x_NF))
    x = head.scaling(torch.from_numpy(x_NF))
    random = np.random.default_rng(seed)
    widths, supports, columns, biases, notes = [], [], [], [], []
    for position, space in enumerate(spaces):
        known = np.all([problem.known(truth[position])[0] for problem in space.problems()], axis=0)
        rows = np.flatnonzero(known)
        y = _as_numbers(space, truth[position][rows])
        within = None if groups is None else groups[rows]
        chosen = _sample(random, len(rows), CHOOSING, within)
        weight = torch.ones(len(rows), dtype=x.dtype) if weights is None else torch.from_numpy(weights[rows])
        mean = (weight[:, None] * y).sum(dim=0) / weight.sum()
        width, strength, left_out = _choose(
            head, x[rows[chosen]], y[chosen] - mean, None if within is None else within[chosen], weight[chosen]
        )
        kept = np.arange(len(rows)) if len(rows) <= EXACT else np.sort(random.permutation(len(rows))[:LANDMARKS])
        coefficients = _solve(head, x[rows], y - mean, kept, width, strength, weight)
        scale, shift = _calibrated(space, left_out + mean, truth[position][rows][chosen], weight[chosen])
        columns.append(coefficients * scale)
        biases.append(mean * scale + shift)
        widths.append(width)
        supports.append(rows[kept])
        notes.append(f"kernel {head.combine}, width {width:.3g}, penalty {strength:.2g}")
        if len(kept) < len(rows):
            notes.append(f"of {len(rows):,} rows {len(kept):,} drawn at random are kept as landmarks")
    # All targets share one list of rows; a row that one target lacks has no say in it.
    every = np.unique(np.concatenate(supports))
    coefficients = torch.zeros(len(every), len(head.bias), dtype=torch.float64)
    start = 0
    for rows, block in zip(supports, columns, strict=True):
        coefficients[np.searchsorted(every, rows), start : start + block.shape[1]] = block
        start += block.shape[1]
    head.take(
        support=x[every],
        coefficients=coefficients,
        bias=torch.cat(biases),
        width=torch.tensor(widths, dtype=torch.float64),
    )
    return list(dict.fromkeys(notes))


def _as_numbers(space: Space, truth: np.ndarray) -> Tensor:
    """`[N, W]` what ridge regression aims at: a column a class of zeros and ones, or the numbers themselves."""
    problems = space.problems()
    if problems[0].width > 1:
        classes = torch.from_numpy(truth.astype(np.int64))
        if len(classes.unique()) < 2:
            raise DataError("a kernel needs at least two classes among the training rows")
        return torch.nn.functional.one_hot(classes, problems[0].width).double()
    return torch.from_numpy(truth.astype(np.float64)).reshape(len(truth), -1)


def _sample(random: np.random.Generator, count: int, most: int, groups: np.ndarray | None) -> np.ndarray:
    """Rows drawn at random, whole groups."""
    if count <= most:
        return np.arange(count)
    codes = np.arange(count) if groups is None else groups
    order = random.permutation(np.unique(codes))
    rank = np.empty(len(order), dtype=np.int64)
    rank[np.searchsorted(np.unique(codes), order)] = np.arange(len(order))
    placed = rank[np.searchsorted(np.unique(codes), codes)]
    return np.flatnonzero(placed <= np.sort(placed)[most - 1])


def _choose(
    head: KernelHead, x: Tensor, centred: Tensor, groups: np.ndarray | None, weight: Tensor
) -> tuple[float, float, Tensor]:
    """Width and strength of the smallest squared error, and `[N, W]` the predictions of rows that were left out.

    Rows of weight w are rows times the root of w: then each counts alike, and what holds for those holds for these.
    """
    squared, root = squared_distances(x, x, head.scaling.widths), weight.sqrt()[:, None]
    aim = centred * root
    best: tuple[float, float, float, Tensor] | None = None
    for width in WIDTHS:
        values, vectors = torch.linalg.eigh(root * gaussian(squared, width, head.combine) * root.T)
        turned = vectors.T @ aim
        for strength in STRENGTHS:
            shrunk = 1 / (values.clamp(min=0) + strength)
            predictions = _left_out(vectors, shrunk, turned, aim, groups)
            error = float((predictions - aim).square().mean())
            if best is None or error < best[0]:
                best = (error, width, strength, predictions)
    assert best is not None
    return *best[1:3], best[3] / root


def _left_out(vectors: Tensor, shrunk: Tensor, turned: Tensor, aim: Tensor, groups: np.ndarray | None) -> Tensor:
    """`[N, W]` what ridge regression says of each row without having seen it, or any of its group."""
    dual = vectors @ (shrunk[:, None] * turned)
    if groups is None:
        return aim - dual / (vectors.square() @ shrunk)[:, None]
    predictions = torch.empty_like(aim)
    for code in np.unique(groups):
        rows = torch.from_numpy(np.flatnonzero(groups == code))
        block = (vectors[rows] * shrunk) @ vectors[rows].T
        predictions[rows] = aim[rows] - torch.linalg.solve(block, dual[rows])
    return predictions


def _solve(
    head: KernelHead, x: Tensor, centred: Tensor, kept: np.ndarray, width: float, strength: float, weight: Tensor
) -> Tensor:
    """`[S, W]` coefficients of the kept rows: exact where all are kept, else Nyström's."""

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return gaussian(squared_distances(a, b, head.scaling.widths), width, head.combine)

    support = x[kept]
    among = kernel(support, support)
    if len(kept) == len(x):
        factor = torch.linalg.cholesky(among + torch.diag(strength / weight))
        return torch.cholesky_solve(centred, factor)
    gram, aim = strength * among, torch.zeros(len(kept), centred.shape[1], dtype=x.dtype)
    for rows, targets, counts in zip(
        x.split(LANDMARKS), centred.split(LANDMARKS), weight.split(LANDMARKS), strict=True
    ):
        part = kernel(rows, support)
        gram, aim = gram + part.T @ (counts[:, None] * part), aim + part.T @ (counts[:, None] * targets)
    jitter = 1e-10 * float(gram.diagonal().mean())
    return torch.cholesky_solve(aim, torch.linalg.cholesky(gram + jitter * torch.eye(len(kept), dtype=x.dtype)))


def _calibrated(space: Space, scores: Tensor, truth: np.ndarray, weight: Tensor) -> tuple[Tensor, Tensor]:
    """A factor and a summand for each raw prediction that make logits of the scores of rows that were left out.

    Of classes that exclude each other one factor (a temperature, which leaves the likeliest as it is), of labels
    one of each, of numbers none.
    """
    problems, width = space.problems(), space.width
    scale, shift = torch.ones(width, dtype=torch.float64), torch.zeros(width, dtype=torch.float64)
    if problems[0].width > 1:
        factors = torch.tensor([2.0**power for power in np.arange(-2, 8.01, 0.25)], dtype=torch.float64)
        classes = torch.from_numpy(truth.astype(np.int64))
        entropy = partial(torch.nn.functional.cross_entropy, target=classes, reduction="none")
        losses = [(weight * entropy(scores * factor)).sum() for factor in factors]
        return scale * factors[int(torch.stack(losses).argmin())], shift
    for place, problem in enumerate(problems):
        if problem.classes:
            labels = truth if problem.label is None else truth[:, problem.label]
            if len(np.unique(labels)) < 2:
                scale[place], shift[place] = 0.0, SURE if labels[:1].sum() else -SURE
                continue
            model = _solver(1e3).fit(scores[:, [place]].numpy(), labels.astype(np.int64), weight.numpy())
            scale[place], shift[place] = float(model.coef_[0, 0]), float(model.intercept_[0])
    return scale, shift
