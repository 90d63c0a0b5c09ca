"""`fusion.method: late_stacking`: a linear model on each modality's answers to rows that it was not trained on."""

import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from plait.data.batches import Source
from plait.data.plan import BatchPlan
from plait.data.splits import folds_of
from plait.fusion import StackingFusion
from plait.layers.experts import stacked
from plait.layers.spaces import Problem
from plait.model import MultimodalModel
from plait.tasks import Targets
from plait.training.closed_form import UNSEEN, class_weights
from plait.training.evaluate import run_batches

FOLDS = 3
BATCH = 256


def fit_stacking(
    model: MultimodalModel,
    make: Callable[[], MultimodalModel],
    train: Callable[[MultimodalModel, np.ndarray], None],
    source: Source,
    rows: np.ndarray,
    truth: dict[str, np.ndarray],
    targets: Targets,
    device: torch.device,
    groups: np.ndarray | None = None,
    seed: int = 0,
    weights: np.ndarray | None = None,
) -> None:
    """Set the combiner of a trained model.

    For each of three folds, a model is trained on the other two. The linear model learns from its modalities' answers
    to the fold, so that a modality which overfits is not trusted.

    Args:
        model: trained on all rows; its fusion is `late_stacking`.
        make: gives an untrained model of the same kind.
        train: trains a model on some rows.
        source, rows: the training rows.
        truth: target → encoded targets of the rows.
        targets: the tasks.
        device: where models run.
        groups: `[N]` codes of rows that stay together.
        seed: of the folds.
        weights: `[N]` how much each row counts; None for all alike.
    """
    assert isinstance(model.fusion, StackingFusion)
    name, task = next(iter(targets.tasks.items()))
    strata = task.strata(truth[name])
    place = {int(row): position for position, row in enumerate(rows)}
    feature_batches: list[np.ndarray] = []
    order: list[int] = []  # of each feature row, its place among `rows`: folds come in an order of their own
    for fold in folds_of(rows, FOLDS, strata, groups, seed):
        twin = make()
        train(twin, np.setdiff1d(rows, fold))
        for features, numbers in _batch_features(twin, source, fold, targets, device):
            feature_batches.append(features)
            order += [place[int(row)] for row in numbers]
    features = np.concatenate(feature_batches)
    ordered = {name: values[order] for name, values in truth.items()}
    model.fusion.set_combiner(*_combiner(features, ordered, targets, None if weights is None else weights[order]))


def _batch_features(model: nn.Module, source: Source, rows: np.ndarray, targets: Targets, device: torch.device) -> list:
    """The features of each batch (see `stacked`), and its rows."""
    batches = []
    for output, _, numbers in run_batches(model, source, BatchPlan(rows, BATCH, shuffle=False), "float32", device, 0):
        alone = output.alone.values()
        predictions = torch.stack(
            [torch.cat([one.predictions[name] for name in targets.names], dim=1) for one in alone], dim=1
        )
        present = torch.stack([one.present for one in alone], dim=1)
        batches.append((stacked(predictions.float(), present, targets.spaces).cpu().numpy(), numbers))
    return batches


def _combiner(
    x: np.ndarray, truth: dict[str, np.ndarray], targets: Targets, row_weights: np.ndarray | None
) -> tuple[Tensor, Tensor]:
    """Weights `[O, F]` and bias `[O]` of a regularised linear model for each target."""
    from sklearn.linear_model import Ridge

    weights, biases = [], []
    for space, truth_of in zip(targets.spaces, targets.in_spaces(truth).values(), strict=True):
        for problem in space.problems():
            has_value, y = problem.known(truth_of)
            of_rows = None if row_weights is None else row_weights[has_value]
            if problem.classes == 0:
                model = Ridge(alpha=1.0).fit(x[has_value], y, of_rows)
                weight, bias = model.coef_[None], np.array([model.intercept_])
            else:
                weight, bias = _logistic(x[has_value], y, problem, of_rows)
            weights.append(weight)
            biases.append(bias)
    return torch.from_numpy(np.concatenate(weights)).float(), torch.from_numpy(np.concatenate(biases)).float()


def _logistic(
    x: np.ndarray, y: np.ndarray, problem: Problem, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Weights `[W, F]` and bias `[W]` of a problem's raw predictions; where all rows agree, so do all answers."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    classes = np.unique(y)
    if len(classes) == 1:
        bias = np.full(problem.classes, UNSEEN)
        bias[classes[0]] = 0.0
        return np.zeros((problem.width, x.shape[1])), bias[1:] - bias[:1] if problem.width == 1 else bias
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # regularised: near its end is good enough
        model = LogisticRegression(max_iter=300, tol=1e-3).fit(x, y, weights)
    weight, bias = class_weights(model, problem)
    return weight.T, bias
