"""Boosted trees over vectors: LightGBM, or scikit-learn's histogram booster where it is missing."""

import importlib.util
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from plait import former_names
from plait.errors import DataError
from plait.heads.trees import TreeBuilder, Trees
from plait.layers.spaces import Space

Booster = Literal["lightgbm", "sklearn"]
ROUNDS, PATIENCE, RATE, BINS = 200, 20, 0.1, 63
MANY = 1000  # features from which a tree looks at a tenth of them


def default_booster() -> Booster:
    """LightGBM where it is installed (the extra `[boost]`)."""
    return "lightgbm" if importlib.util.find_spec("lightgbm") else "sklearn"


def fit_trees(
    train: tuple[np.ndarray, Sequence[np.ndarray]],
    val: tuple[np.ndarray, Sequence[np.ndarray]] | None,
    spaces: Sequence[Space],
    seed: int = 0,
    booster: Booster | None = None,
    rounds: int = ROUNDS,
    weights: np.ndarray | None = None,
) -> Trees:
    """Grow trees for each target; stops early on the validation rows where there are some.

    Args:
        train: `[N, F]` vectors with NaN where something is missing, and each target: classes `[N]` (negative where
            there is none), labels `[N, L]` (negative or NaN rows where there are none) or numbers `[N]` (NaN).
        val: the same of the validation rows.
        spaces: of each target.
        seed: of what is drawn.
        booster: None for LightGBM where it is installed.
        rounds: at most so many trees an output.
        weights: `[N]` how much each training row counts; None for all alike.

    Raises:
        DataError: a target has fewer than two classes among the rows.
    """
    booster = booster or default_booster()
    fit = _fit_lightgbm if booster == "lightgbm" else _fit_sklearn
    builder = TreeBuilder(sum(space.width for space in spaces))
    # Each target has some outputs, one or more for each of its problems; `start` is its first one.
    start = 0
    for position, space in enumerate(spaces):
        for problem in space.problems():
            labelled, y = problem.known(train[1][position])
            pair = None
            if val is not None:
                val_labelled, val_y = problem.known(val[1][position])
                pair = val[0][val_labelled], val_y
            first = start + problem.start
            if problem.classes and len(np.unique(y)) < 2:
                if problem.width > 1:
                    raise DataError("boosted trees need at least two classes among the training rows")
                builder.base[first] = 10.0 if y[:1].sum() else -10.0  # a label that all rows have, or none
                continue
            if problem.width == 2:  # of two classes the second one's logit
                first += 1
            of_rows = None if weights is None else weights[labelled]
            fit(builder, first, train[0][labelled], y, pair, problem.classes, seed, rounds, of_rows)
        start += space.width
    return builder.build()


def _share(x: np.ndarray) -> float:
    """The share of the features that a tree looks at: small where an embedding has many."""
    return 1.0 if x.shape[1] <= 50 else 0.3 if x.shape[1] < MANY else 0.1


def _fit_lightgbm(
    builder: TreeBuilder,
    output: int,
    x: np.ndarray,
    y: np.ndarray,
    val: tuple[np.ndarray, np.ndarray] | None,
    classes: int,
    seed: int,
    rounds: int,
    weights: np.ndarray | None = None,
) -> None:
    """Add LightGBM's trees; `classes` is 0 for a number, 2 for yes or no, else the number of classes."""
    import lightgbm

    objective = {0: "regression", 2: "binary"}.get(classes, "multiclass")
    options: dict[str, Any] = {"objective": objective, "learning_rate": RATE, "max_bin": BINS, "seed": seed}
    options |= {"verbosity": -1, "feature_fraction": _share(x), "min_data_in_leaf": min(20, max(1, len(y) // 20))}
    layout = "force_col_wise" if x.shape[1] > len(x) else "force_row_wise"  # an embedding is wider than it is long
    options |= {"deterministic": True, layout: True, "num_leaves": 15}
    if classes > 2:
        options["num_class"] = classes
    data = lightgbm.Dataset(x, y, weight=weights)
    watched: list[Any] = []
    calls: list[Any] = []
    if val is not None and len(val[1]):
        watched = [lightgbm.Dataset(*val, reference=data)]
        calls = [lightgbm.early_stopping(PATIENCE, verbose=False)]
    model = lightgbm.train(options, data, rounds, valid_sets=watched, callbacks=calls)
    tree_count = model.best_iteration or model.current_iteration()
    for number, tree in enumerate(model.dump_model(num_iteration=tree_count)["tree_info"]):
        root = _copy_lightgbm(builder, tree["tree_structure"], 0)
        builder.tree(root, output + (number % classes if classes > 2 else 0))


def _copy_lightgbm(builder: TreeBuilder, node: dict[str, Any], depth: int) -> int:
    number = builder.add()
    if "split_feature" not in node:
        builder.leaf(number, node["leaf_value"], depth)
        return number
    left = _copy_lightgbm(builder, node["left_child"], depth + 1)
    right = _copy_lightgbm(builder, node["right_child"], depth + 1)
    # Where training saw no NaN in a feature, LightGBM reads one as zero.
    to_left = node["default_left"] if node["missing_type"] == "NaN" else node["threshold"] >= 0
    builder.split(number, node["split_feature"], node["threshold"], left, right, bool(to_left))
    return number


def _fit_sklearn(
    builder: TreeBuilder,
    output: int,
    x: np.ndarray,
    y: np.ndarray,
    val: tuple[np.ndarray, np.ndarray] | None,
    classes: int,
    seed: int,
    rounds: int,
    weights: np.ndarray | None = None,
) -> None:
    """Add the trees of scikit-learn's histogram booster; see `_fit_lightgbm`."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    make = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    unseen = val is not None and classes > 0 and bool(set(np.unique(val[1])) - set(np.unique(y)))
    watched = val is not None and len(val[1]) > 0 and not unseen
    options: dict[str, Any] = {"learning_rate": RATE, "max_iter": rounds, "max_bins": BINS, "random_state": seed}
    options |= {
        "early_stopping": watched,
        "n_iter_no_change": PATIENCE,
        "max_leaf_nodes": 15,
        "max_features": _share(x),
    }
    model = make(**options, min_samples_leaf=min(20, max(1, len(y) // 20)))
    pair = {"X_val": val[0], "y_val": val[1]} if watched and val is not None and _takes_val(model) else {}
    model.fit(x, y, weights, **pair)
    baseline = np.ravel(model._baseline_prediction)
    classes_seen = np.zeros(1, dtype=int)
    if classes > 2:
        classes_seen = np.unique(y).astype(int)
        builder.base[output : output + classes] = [-30.0] * classes  # of classes that training did not see
        if len(classes_seen) == 2:  # scikit-learn has one logit then, of the second
            builder.base[output + classes_seen[0]] = 0.0
            classes_seen = classes_seen[1:]
    for code, value in zip(classes_seen, baseline, strict=True):
        builder.base[output + int(code)] = float(value)
    for trees in model._predictors:
        for column, tree in enumerate(trees):
            builder.tree(_copy_sklearn(builder, tree.nodes), output + int(classes_seen[column]))
    # Our copy has to give the same sums as the original.
    sample = x[:64]
    ours, theirs = _check_sum(builder, sample, output, classes_seen), _their_sum(model, sample, classes)
    if not np.allclose(ours, theirs, atol=1e-4):  # their nodes are no public interface
        raise DataError("this version of scikit-learn grows trees that plait can't read; pip install 'plait[boost]'")


def _takes_val(model: Any) -> bool:
    return "X_val" in model.fit.__code__.co_varnames


def _copy_sklearn(builder: TreeBuilder, nodes: np.ndarray) -> int:
    first = len(builder.nodes)
    for _ in nodes:
        builder.add()
    for number, node in enumerate(nodes):
        if node["is_leaf"]:
            builder.leaf(first + number, float(node["value"]), int(node["depth"]))
        else:
            left, right = first + int(node["left"]), first + int(node["right"])
            to_left = bool(node["missing_go_to_left"])
            builder.split(first + number, int(node["feature_idx"]), float(node["num_threshold"]), left, right, to_left)
    return first


def _check_sum(builder: TreeBuilder, x: np.ndarray, output: int, classes_seen: np.ndarray) -> np.ndarray:
    """What our copy of the trees gives for the outputs that were grown."""
    import torch

    from plait.heads.trees import TreeHead
    from plait.types import Fused, Tokens

    head = TreeHead({"y": len(builder.base)})
    head.take(builder.build())
    vector = torch.from_numpy(np.asarray(x, dtype=np.float32))
    answer: np.ndarray = head(Fused(vector, lambda: Tokens.single(vector)))["y"].numpy()
    return answer[:, output + classes_seen]


def _their_sum(model: Any, x: np.ndarray, classes: int) -> np.ndarray:
    raw = model.decision_function(x) if classes else model.predict(x)
    return np.asarray(raw).reshape(len(x), -1)


__getattr__ = former_names(
    __name__,
    {
        "grow_trees": "plait.training.trees.fit_trees",
    },
)
