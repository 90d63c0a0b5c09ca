"""Trees as tensors say what the library that grew them says."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier

from plait.errors import DataError, RunError
from plait.heads import TreeHead
from plait.layers.spaces import Binary, Categorical, Real, Space
from plait.training.checkpoint import load_state
from plait.training.trees import fit_trees
from plait.types import Fused, Tokens

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(400, 6)).astype(np.float32)
X[RANDOM.random(X.shape) < 0.1] = np.nan
SCORE = np.nan_to_num(X[:, 0]) + np.nan_to_num(X[:, 1]) ** 2
CLASSES = np.digitize(SCORE, [0.3, 1.5])
LABELS = np.stack([SCORE > 0.5, np.nan_to_num(X[:, 2]) > 0, np.ones(400)], axis=1).astype(np.float32)
NUMBERS = (SCORE * 10).astype(np.float32)
SPACES = [Categorical(3), Binary(3), Real(1)]


def answers(trees: object, x: np.ndarray, spaces: list[Space]) -> list[np.ndarray]:
    head = TreeHead({str(i): space.width for i, space in enumerate(spaces)})
    head.take(trees)  # type: ignore[arg-type]
    again = TreeHead(head.out_dims)
    again.load_state_dict(head.state_dict())  # as a run folder does
    vector = torch.from_numpy(x)
    return [found.numpy() for found in again(Fused(vector, lambda: Tokens.single(vector))).values()]


@pytest.mark.parametrize("booster", ["lightgbm", "sklearn"])
def test_every_kind_of_target(booster: str) -> None:
    if booster == "lightgbm":
        pytest.importorskip("lightgbm")
    missing = CLASSES.copy()
    missing[:5] = -1
    train, val = slice(0, 300), slice(300, 400)
    targets = [missing, LABELS, NUMBERS]
    parts = [(X[part], [target[part] for target in targets]) for part in (train, val)]
    trees = fit_trees(parts[0], parts[1], SPACES, booster=booster)  # type: ignore[arg-type]
    classes, labels, numbers = answers(trees, X[val], SPACES)
    assert (classes.argmax(axis=1) == CLASSES[val]).mean() > 0.75
    assert ((labels > 0) == LABELS[val]).mean() > 0.9 and (labels[:, 2] > 0).all()
    assert np.corrcoef(numbers[:, 0], NUMBERS[val])[0, 1] > 0.9


def test_lightgbm_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    models = []
    train = lightgbm.train

    def keep(*arguments: object, **options: object) -> object:
        models.append(train(*arguments, **options))
        return models[-1]

    monkeypatch.setattr(lightgbm, "train", keep)
    trees = fit_trees((X, [CLASSES, NUMBERS]), None, [Categorical(3), Real(1)], rounds=20)
    new = np.concatenate([X, np.full((1, 6), np.nan, dtype=np.float32)])
    classes, numbers = answers(trees, new, [Categorical(3), Real(1)])
    np.testing.assert_allclose(classes, models[0].predict(new, raw_score=True), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(numbers[:, 0], models[1].predict(new), rtol=1e-4, atol=1e-3)


def test_missing_values_that_training_never_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    whole = np.nan_to_num(X)
    kept = []
    train = lightgbm.train
    monkeypatch.setattr(lightgbm, "train", lambda *a, **o: kept.append(train(*a, **o)) or kept[-1])
    trees = fit_trees((whole, [NUMBERS]), None, [Real(1)], rounds=20)
    np.testing.assert_allclose(answers(trees, X, [Real(1)])[0][:, 0], kept[0].predict(X), rtol=1e-4, atol=1e-3)


def test_two_classes_and_one_class() -> None:
    two = (CLASSES > 0).astype(int)
    for booster in ("lightgbm", "sklearn"):
        if booster == "lightgbm":
            pytest.importorskip("lightgbm")
        trees = fit_trees((X, [two]), None, [Categorical(2)], booster=booster, rounds=30)  # type: ignore[arg-type]
        logits = answers(trees, X, [Categorical(2)])[0]
        assert (logits.argmax(axis=1) == two).mean() > 0.9 and not logits[:, 0].any()
    with pytest.raises(DataError, match="at least two classes"):
        fit_trees((X, [np.zeros(400, dtype=int)]), None, [Categorical(2)])


def test_scikit_learn_skips_classes_it_did_not_see() -> None:
    seen = np.where(CLASSES == 1, 2, CLASSES)  # of three classes only 0 and 2
    trees = fit_trees((X, [seen]), None, [Categorical(3)], booster="sklearn", rounds=30)
    found = answers(trees, X, [Categorical(3)])[0].argmax(axis=1)
    model = HistGradientBoostingClassifier(max_iter=30, random_state=0).fit(X, seen)
    assert (found == model.predict(X)).mean() > 0.9 and not (found == 1).any()


@pytest.mark.parametrize(
    ("name", "value"),
    [("depth", 1 << 60), ("left", 1 << 40), ("right", -1), ("roots", 1 << 40), ("output", 7), ("feature", 1 << 40)],
)
def test_a_strangers_trees_that_lead_nowhere_are_refused(name: str, value: int, tmp_path: Path) -> None:
    """A depth without end would hang, a node beyond the end would be a traceback at the first answer."""
    head = TreeHead({"y": 3}, in_dim=X.shape[1])
    head.take(fit_trees((X, [CLASSES]), None, [Categorical(3)], rounds=3))
    state = {key: tensor.clone() for key, tensor in head.state_dict().items()}
    load_state(TreeHead({"y": 3}, in_dim=X.shape[1]), state, tmp_path / "model.safetensors")
    state[name].view(-1)[0] = value
    with pytest.raises(RunError, match="these are no trees of this table"):
        load_state(TreeHead({"y": 3}, in_dim=X.shape[1]), state, tmp_path / "model.safetensors")
