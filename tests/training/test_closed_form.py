"""Linear models and kernels against scikit-learn's own answers, and against leaving rows out by hand."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score
from sklearn.metrics.pairwise import rbf_kernel

from plait.errors import DataError, RunError
from plait.heads import CLOSED_FORM, KernelHead, LinearHead
from plait.layers.spaces import Binary, Categorical, Real, Space
from plait.training import closed_form
from plait.training.checkpoint import load_state
from plait.training.closed_form import fit_kernel, fit_linear
from plait.types import Fused, Tokens

DIMS = {"photo": 5, "title": 3}


def vectors(rows: int, seed: int = 0) -> np.ndarray:
    """Photos on another scale than titles, far from zero; some rows lack one of them."""
    random = np.random.default_rng(seed)
    x = np.concatenate([random.normal(3, 20, (rows, 5)), random.normal(-1, 0.1, (rows, 3))], axis=1)
    x[random.random(rows) < 0.1, :5] = np.nan
    return x


def truth_of(x: np.ndarray, space: Space, seed: int = 1) -> np.ndarray:
    scores = np.nan_to_num(x - np.nanmean(x, axis=0)) / np.nanstd(x, axis=0)
    scores = scores @ np.random.default_rng(seed).normal(size=(8, max(space.width, 2)))
    if isinstance(space, Categorical):
        return scores[:, : space.width].argmax(axis=1)
    return (scores[:, : space.width] > 0).astype(float) if isinstance(space, Binary) else scores[:, 0] / 5 + 2


def scaled(x: np.ndarray, train: np.ndarray) -> np.ndarray:
    """By hand: each modality centred, of mean squared norm one, the mean where it is missing."""
    columns = []
    for part, other in ((x[:, :5], train[:, :5]), (x[:, 5:], train[:, 5:])):
        centred = other - np.nanmean(other, axis=0)
        norm = np.sqrt((centred[~np.isnan(centred).any(axis=1)] ** 2).sum(axis=1).mean())
        columns.append(np.nan_to_num((part - np.nanmean(other, axis=0)) / norm))
    return np.concatenate(columns, axis=1)


def answers(head: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    fused = Fused(torch.from_numpy(x).float(), lambda: Tokens.missing(len(x), 1))
    return head(fused)["y"].numpy()


def fitted(name: str, x: np.ndarray, y: np.ndarray, space: Space, groups: np.ndarray | None = None) -> Any:
    head = CLOSED_FORM[name](DIMS, {"y": space.width})
    fit: Callable[..., list[str]] = fit_linear if isinstance(head, LinearHead) else fit_kernel
    notes = fit(head, x, [y], [space], groups)
    assert notes
    return head


@pytest.mark.parametrize("space", [Categorical(3), Categorical(2), Binary(2), Real()])
def test_linear_is_scikit_learns(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_form, "LOOSENESS", [3.0])
    monkeypatch.setattr(closed_form, "STRENGTHS", [0.1])
    x, new = vectors(60), vectors(20, seed=5)
    y = truth_of(x, space)
    found = answers(fitted("linear", x, y, space), new)
    train, test = scaled(x, x), scaled(new, x)
    if isinstance(space, Real):
        expected = Ridge(alpha=0.1).fit(train, y).predict(test)[:, None]
    elif isinstance(space, Binary):
        models = [LogisticRegression(C=3.0, tol=1e-8).fit(train, y[:, label]) for label in range(2)]
        expected = np.stack([model.decision_function(test) for model in models], axis=1)
    else:
        expected = LogisticRegression(C=3.0, tol=1e-8).fit(train, y).predict_proba(test)
        found = torch.from_numpy(found).softmax(dim=1).numpy()
    np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.parametrize("name", ["kernel_sum", "kernel_product"])
def test_kernels_are_scikit_learns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_form, "WIDTHS", [0.5])
    monkeypatch.setattr(closed_form, "STRENGTHS", [0.2])
    x, new = vectors(50), vectors(20, seed=5)
    y = truth_of(x, Real())
    found = answers(fitted(name, x, y, Real()), new)[:, 0]

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        parts = [rbf_kernel(a[:, cut], b[:, cut], gamma=0.5) for cut in (slice(0, 5), slice(5, 8))]
        return np.mean(parts, axis=0) if name == "kernel_sum" else np.prod(parts, axis=0)

    train, test = scaled(x, x), scaled(new, x)
    model = KernelRidge(alpha=0.2, kernel="precomputed").fit(kernel(train, train), y - y.mean())
    np.testing.assert_allclose(found, model.predict(kernel(test, train)) + y.mean(), atol=1e-5)


@pytest.mark.parametrize("groups", [None, np.arange(24) // 3])
def test_left_out_is_what_a_model_without_those_rows_says(groups: np.ndarray | None) -> None:
    random = np.random.default_rng(0)
    factor = random.normal(size=(24, 6))
    kernel, y = torch.from_numpy(factor @ factor.T), torch.from_numpy(random.normal(size=(24, 2)))
    values, basis = torch.linalg.eigh(kernel)
    shrunk = 1 / (values.clamp(min=0) + 0.3)
    found = closed_form._left_out(basis, shrunk, basis.T @ y, y, groups)
    for rows in (
        [np.array([row]) for row in range(24)] if groups is None else [np.arange(3 * g, 3 * g + 3) for g in range(8)]
    ):
        rest = np.setdiff1d(np.arange(24), rows)
        model = KernelRidge(alpha=0.3, kernel="precomputed").fit(kernel[rest][:, rest].numpy(), y[rest].numpy())
        np.testing.assert_allclose(found[rows].numpy(), model.predict(kernel[rows][:, rest].numpy()), atol=1e-8)


@pytest.mark.parametrize("name", CLOSED_FORM)
@pytest.mark.parametrize("space", [Categorical(3), Categorical(2), Binary(3), Real()])
def test_each_learns_each_kind_of_target(name: str, space: Space) -> None:
    x, new = vectors(300), vectors(200, seed=7)
    y, y_new = truth_of(x, space), truth_of(new, space)
    y[:5] = np.nan if isinstance(space, Real | Binary) else -1  # rows without a target
    found = answers(fitted(name, x, y, space), new)
    assert np.isfinite(found).all()
    if isinstance(space, Real):
        assert 1 - ((found[:, 0] - y_new) ** 2).mean() / y_new.var() > 0.8
    elif isinstance(space, Categorical):
        assert accuracy_score(y_new, found.argmax(axis=1)) > 0.8
        loss = torch.nn.functional.cross_entropy(torch.from_numpy(found), torch.from_numpy(y_new))
        assert loss < 0.6  # probabilities, not scores
    else:
        assert ((found > 0) == y_new).mean() > 0.8


@pytest.mark.parametrize("name", CLOSED_FORM)
def test_what_a_row_lacks_is_the_mean_of_the_training_rows(name: str) -> None:
    x = vectors(80)
    head = fitted(name, x, truth_of(x, Categorical(3)), Categorical(3))
    whole, lacking = vectors(6, seed=4), vectors(6, seed=4)
    lacking[:, :5] = np.nan
    whole[:, :5] = np.nanmean(x[:, :5], axis=0)
    np.testing.assert_allclose(answers(head, lacking), answers(head, whole), atol=1e-4)
    head.load_state_dict(head.state_dict())
    other = CLOSED_FORM[name](DIMS, {"y": 3})
    other.load_state_dict(head.state_dict())
    np.testing.assert_array_equal(answers(other, lacking), answers(head, lacking))
    empty = np.full((2, 8), np.nan)
    assert np.isfinite(answers(head, empty)).all()


@pytest.mark.parametrize("name", CLOSED_FORM)
def test_classes_that_training_lacks_and_targets_of_one_class(name: str) -> None:
    x = vectors(60)
    y = truth_of(x, Categorical(3))
    y[y == 1] = 2
    assert not (answers(fitted(name, x, y, Categorical(3)), x).argmax(axis=1) == 1).any()
    with pytest.raises(DataError, match="at least two classes"):
        fitted(name, x, np.zeros(60, dtype=int), Categorical(3))
    labels = np.stack([np.ones(60), np.zeros(60), truth_of(x, Real()) > 2], axis=1).astype(float)
    found = answers(fitted(name, x, labels, Binary(3)), x)
    assert (found[:, 0] > 5).all() and (found[:, 1] < -5).all()


def test_several_targets_and_their_own_rows() -> None:
    x = vectors(120)
    spaces: Sequence[Space] = [Categorical(3), Real()]
    truth = [truth_of(x, spaces[0]), truth_of(x, spaces[1])]
    for make in CLOSED_FORM.values():
        head = make(DIMS, {"kind": 3, "price": 1})
        fit: Any = fit_kernel if isinstance(head, KernelHead) else fit_linear
        holed = [truth[0].copy(), truth[1].copy()]
        holed[0][:40], holed[1][80:] = -1, np.nan
        fit(head, x, holed, spaces)
        fused = Fused(torch.from_numpy(x).float(), lambda: Tokens.missing(120, 1))
        both = head(fused)
        for name, rows, space, y in (
            ("kind", slice(40, 120), spaces[0], truth[0]),
            ("price", slice(0, 80), spaces[1], truth[1]),
        ):
            alone = make(DIMS, {name: space.width})
            alone.scaling.learn(torch.from_numpy(x))
            alone.scaling.learn = lambda _: None  # it keeps the scale of all rows, as above
            fit(alone, x[rows], [y[rows]], [space])
            np.testing.assert_allclose(both[name].numpy(), alone(fused)[name].numpy(), atol=1e-3)


def test_landmarks_of_many_rows_come_close_and_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    x, new = vectors(600), vectors(100, seed=3)
    y = truth_of(x, Real())
    exact = answers(fitted("kernel_sum", x, y, Real()), new)
    for name, value in (("EXACT", 300), ("CHOOSING", 300), ("LANDMARKS", 250)):
        monkeypatch.setattr(closed_form, name, value)
    head = KernelHead(DIMS, {"y": 1}, "sum")
    notes = fit_kernel(head, x, [y], [Real()])
    assert notes[1] == "of 600 rows 250 drawn at random are kept as landmarks" and len(head.support) == 250
    assert np.corrcoef(answers(head, new)[:, 0], exact[:, 0])[0, 1] > 0.97


def test_groups_change_what_is_chosen() -> None:
    """Rows of a group are copies: leaving out one at a time believes in the narrowest kernel, leaving groups does not."""
    random = np.random.default_rng(0)
    x = np.repeat(random.normal(size=(40, 8)), 5, axis=0)
    y = np.repeat(random.normal(size=40), 5)  # nothing to learn but the copies
    groups = np.arange(200) // 5
    alone, together = (fitted("kernel_product", x, y, Real(), given) for given in (None, groups))
    new = random.normal(size=(50, 8))
    assert answers(together, new).std() < 0.2 * answers(alone, x).std()
    linear = [fitted("linear", x, y, Real(), given) for given in (None, groups)]
    assert np.abs(answers(linear[1], x) - y.mean()).mean() <= np.abs(answers(linear[0], x) - y.mean()).mean()


def test_rare_classes_are_no_reason_to_warn(recwarn: pytest.WarningsRecorder) -> None:
    x = vectors(60)
    y = truth_of(x, Categorical(2))
    y[3] = 2  # one row: no inner fold can both learn and judge it
    for name in CLOSED_FORM:
        assert np.isfinite(answers(fitted(name, x, y, Categorical(3)), x)).all()
    assert not recwarn.list


@pytest.mark.parametrize("name", ["support", "coefficients", "bias", "width", "scalar"])
def test_a_strangers_kernel_of_other_shapes_is_refused(name: str, tmp_path: Path) -> None:
    x = vectors(40)
    state = fitted("kernel_sum", x, truth_of(x, Categorical(3)), Categorical(3)).state_dict()
    if name == "scalar":
        state["support"] = torch.zeros((), dtype=torch.float64)
    else:
        state[name] = state[name][:-1].clone() if name == "coefficients" else state[name][..., :-1].clone()
    with pytest.raises(RunError, match="the weights do not fit the recipe"):
        load_state(CLOSED_FORM["kernel_sum"](DIMS, {"y": 3}), state, tmp_path / "model.safetensors")


@pytest.mark.parametrize("name", ["kernel_sum", "kernel_product"])
def test_a_row_of_weight_three_is_three_rows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With width and strength given, because folds of repeated rows would choose others."""
    monkeypatch.setattr(closed_form, "WIDTHS", [0.5])
    monkeypatch.setattr(closed_form, "STRENGTHS", [0.1])
    x = np.random.default_rng(0).normal(size=(40, 8))
    y = truth_of(x, Real())
    counts = np.random.default_rng(1).integers(1, 4, 40)
    weighed, repeated = (CLOSED_FORM[name](DIMS, {"y": 1}) for _ in range(2))
    scaling = weighed.scaling
    monkeypatch.setattr(type(scaling), "learn", lambda self, x: None)  # the same for both
    fit_kernel(weighed, x, [y], [Real()], weights=counts.astype(float))
    fit_kernel(repeated, np.repeat(x, counts, axis=0), [np.repeat(y, counts)], [Real()])
    queries = np.random.default_rng(2).normal(size=(9, 8))
    np.testing.assert_allclose(answers(weighed, queries), answers(repeated, queries), atol=1e-5)


def test_leaving_out_a_weighed_row_is_fitting_without_it() -> None:
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(30, 8)))
    y = torch.from_numpy(np.random.default_rng(1).normal(size=(30, 1)))
    weight = torch.from_numpy(np.random.default_rng(2).uniform(0.2, 3, 30))
    head: Any = CLOSED_FORM["kernel_sum"](DIMS, {"y": 1})
    _, strength, left_out = closed_form._choose(head, x, y, None, weight)
    width = closed_form._choose(head, x, y, None, weight)[0]
    for row in (0, 7, 29):
        rest = np.setdiff1d(np.arange(30), [row])
        kernel = closed_form.gaussian(closed_form.squared_distances(x, x, head.scaling.widths), width, "sum").numpy()
        model = KernelRidge(alpha=strength, kernel="precomputed").fit(
            kernel[np.ix_(rest, rest)], y[rest].numpy(), weight[rest].numpy()
        )
        np.testing.assert_allclose(left_out[row], model.predict(kernel[[row]][:, rest])[0], atol=1e-8)
