"""One table, its folds, and what trains on them."""

import copy
import time
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch

from plait.build.ensemble import SHARED
from plait.build.fitted import FITTED, countable, counted
from plait.build.model import (
    build_inputs,
    build_model,
    complete_inputs,
    name_folders,
    reads_positions,
    with_positions,
)
from plait.build.plugins import carried, needed, receive
from plait.build.tasks import build_targets, task_class, task_with
from plait.build.unread import settle
from plait.compare.baselines import baseline_answers
from plait.compare.candidates import Candidate
from plait.compare.costs import median_ms, peak_bytes, reset_peak, row_ms, size_of
from plait.compare.cutting import Cutting
from plait.compare.evidence import Measure
from plait.compare.fold import Answer, Fold
from plait.compare.renumbered import Renumbered
from plait.data.batches import Cache, Source, TableSource, TensorSource
from plait.data.plan import BatchPlan
from plait.data.table import Table
from plait.encoders import StoredEncoder
from plait.errors import DataError, RecipeError
from plait.fusion import FUSIONS
from plait.heads import CLOSED_FORM
from plait.layers.ragged import Ragged
from plait.model import MultimodalModel
from plait.recipe import Recipe
from plait.runs import prepare
from plait.runs.fit import Lesson, fit
from plait.runs.fitted import FittedRows
from plait.runs.tables import make_source
from plait.runs.threshold import without_chosen
from plait.training.checkpoint import Progress
from plait.training.devices import make_accelerator
from plait.training.evaluate import outputs_of
from plait.training.loop import train
from plait.training.objective import Objective, blend_of
from plait.training.pace import Metric, expected_epochs

IN_MEMORY = 2e9  # bytes of features that are held as tensors


class Experiment:
    """What all candidates share: rows, folds, features of frozen encoders, settings.

    Args:
        recipe: of the comparison; its fusion is replaced by each candidate's.
        table: the rows.
        folds: number of folds.
        verbose: show progress.
        most: rows to take at most, drawn at random, whole groups; None for all.

    Raises:
        DataError: too few rows, or a modality that no row has.
        RecipeError: not one target.
    """

    def __init__(self, recipe: Recipe, table: Table, folds: int, verbose: bool, most: int | None = None) -> None:
        excluded = task_with(recipe, "uncompared")
        if excluded is not None:
            reason = getattr(task_class(excluded), "uncompared", "")
            raise RecipeError(
                f"{reason}; compare by a column, or train runs of {excluded.type} and plait evaluate each"
            )
        for name in ("start", "teacher"):
            if getattr(recipe.train, name) is not None:
                raise RecipeError(f"train.{name}: compare trains all models from the same beginning; leave it out")
        if len(recipe.task) != 1:
            raise RecipeError(f"compare judges by one target, got {len(recipe.task)}; name one with --target")
        asked, recipe = recipe, without_chosen(recipe)
        waits = recipe is not asked
        # The recipe is completed first: everything below reads its inputs and settings.
        self.table, self.verbose = table, verbose
        self.schema = prepare.type_columns(recipe, table)
        recipe = recipe.model_copy(update={"inputs": complete_inputs(recipe.inputs, self.schema)})
        recipe = recipe.model_copy(update={"plugins": needed(recipe)})
        self.recipe = name_folders(recipe)
        self.notes: list[str] = []
        if waits:
            self.notes.append("task.threshold and task.costs wait for training; here the likelier class is the answer")
        every = np.arange(len(table))
        self.targets, reasons = build_targets(self.recipe, table, every)
        kinds = {name: task.kind for name, task in self.targets.tasks.items()}
        self.recipe, unread = settle(
            self.recipe, kinds, sections=("task", "inputs", "tabular", "decoder", "generation")
        )
        self.notes += unread
        self.notes += [f"target {n}: {self.targets.tasks[n].kind}, {reason}" for n, reason in reasons.items()]
        self.name = self.targets.names[0]
        self.task = self.targets.tasks[self.name]
        self.truth = self.targets.encode(table, recipe.data.on_error != "refuse")[self.name]
        self.rows = every[~self.task.unusable(self.truth)]
        if len(self.rows) < len(every):
            self.notes.append(f"{len(every) - len(self.rows):,} rows have no usable target and are left out")
        self.cutting = Cutting.of(recipe, table)
        if most is not None and most < len(self.rows):
            self._sample(most)
        # Frozen encoders run once, before the folds are cut: rows that they can't read are left out of all folds.
        self.accelerator = make_accelerator(recipe.train.device)
        self.device = self.accelerator.device
        self.inputs = build_inputs(self.recipe, table, self.rows, self.schema)
        self._encode()
        self._refuse_absent()
        # What is fitted at once needs features that are there already.
        ready = {name for name, spec in self.inputs.items() if name in self.encoded or spec.is_group}
        ready |= {name for name, spec in self.recipe.inputs.items() if countable(spec, over_named=True)}
        self.fittable = set(self.inputs) <= ready
        self.folds = self._cut(folds)
        self._fold_of: dict[tuple[int, bool], Fold] = {}
        self.precision = "float32"

    def __getstate__(self) -> dict[str, Any]:
        """For another process: without encoders, whose outputs are stored, and without what it makes itself."""
        state = {name: value for name, value in vars(self).items() if name not in ("full", "accelerator", "_fold_of")}
        return {"plugins": carried(), "state": state}

    def __setstate__(self, sent: dict[str, Any]) -> None:
        receive(sent["plugins"])
        vars(self).update(sent["state"])
        self.accelerator, self._fold_of = make_accelerator(self.recipe.train.device), {}

    groups = property(lambda self: self.cutting.groups, doc="Codes of rows that stay together; None for none.")
    modalities = property(lambda self: list(self.inputs), doc="What is compared.")

    def _sample(self, most: int) -> None:
        """Take rows at random until there are enough, whole groups."""
        random = np.random.default_rng(self.recipe.train.seed)
        every = len(self.rows)
        codes = self.rows if self.groups is None else self.groups[self.rows]
        rank = dict(zip(random.permutation(np.unique(codes)).tolist(), range(every), strict=False))
        order = np.array([rank[code] for code in codes.tolist()])
        edge = np.sort(order)[most - 1]
        self.rows = self.rows[order <= edge]
        self.notes.append(f"{len(self.rows):,} of {every:,} rows are compared, drawn at random")

    def _encode(self) -> None:
        """Features of frozen encoders, once for all candidates, folds and seeds."""
        targets = self.targets
        torch.manual_seed(self.recipe.train.seed)  # a frozen encoder from scratch is the same in every session
        self.full = build_model(self.recipe_of("concat"), self.inputs, targets).to(self.device).eval()
        lenient = self.recipe.data.on_error != "refuse"
        problems: list[str] | None = [] if lenient else None
        source = make_source(self.recipe, self.table, self.inputs, targets, self._cache(), problems, lenient)
        frozen = prepare.frozen_inputs(self.recipe, self.full, self.inputs, self.verbose, for_folds=True)
        self.notes += frozen.attach(source, self.rows, expected_epochs(self.recipe.train))
        self.encoded = source.encoded
        self.stand_ins = {name: StoredEncoder.of(self.full.encoders[name]) for name in self.encoded}
        for encoded in self.encoded.values():
            if encoded.problems and not lenient:
                first = next(iter(encoded.problems.values()))
                raise DataError(f"{first}; {prepare.LENIENT}")
        self._handle_unusable(source)
        self.encoder_ms = {name: self._encoder_ms(name) for name in self.inputs}

    def _handle_unusable(self, source: TableSource) -> None:
        """Leave out rows with cells that can't be used, or name the cells that count as missing."""
        if self.recipe.data.on_error == "refuse":
            return
        for rows in np.array_split(self.rows, max(1, len(self.rows) // 256)):
            source.batch(rows)
        if self.recipe.data.on_error == "skip":
            self.rows = np.setdiff1d(self.rows, list(source.unusable))
        elif source.problems:
            count, some = len(source.problems), source.problems[0]
            self.notes.append(f"{count:,} cells can't be used and count as missing, such as {some}")

    def _refuse_absent(self) -> None:
        for name, encoded in self.encoded.items():
            if not (encoded.positions[self.rows] >= 0).any():
                raise DataError(f"{self.table.source}: no row has {name}; leave it out with --type {name}=ignore")

    def _cache(self) -> Cache:
        return Cache(int(self.recipe.train.cache_mb * 1e6))

    def _cut(self, count: int) -> list[np.ndarray]:
        labels = self.task.strata(self.truth[self.rows])
        if labels is not None and self.cutting.moments is None:
            sizes = np.bincount(labels)
            rare = [str(self.task.classes[i]) for i in np.flatnonzero((sizes < count) & (sizes > 0))]  # type: ignore[attr-defined]
            if rare:
                self.notes.append(
                    f"{len(rare)} classes have fewer than {count} rows, so some folds are tested without them "
                    f"({', '.join(rare[:5])})"
                )
        return self.cutting.folds(self.rows, count, labels)

    def fold(self, number: int, method: str = "concat") -> Fold:
        """Processors and scales are fitted on the fold's own training rows; for methods without a loop words count."""
        recipe = self.recipe_of(method)
        key = (number, any(recipe.inputs[name] != spec for name, spec in self.recipe.inputs.items()))
        if key not in self._fold_of:
            test = self.folds[number]
            rest = self.cutting.before(self.rows, test)
            train_rows, val, weights = self.cutting.parts(rest, self.task.strata(self.truth[rest]))
            targets = self.targets
            if self.task.learns_scale:
                targets, _ = build_targets(self.recipe, self.table, train_rows)
            fresh = recipe.model_copy(
                update={"inputs": {n: s for n, s in recipe.inputs.items() if n not in self.encoded}}
            )
            learned = build_inputs(fresh, self.table, train_rows, self.schema)
            inputs = {name: learned.get(name, spec) for name, spec in self.inputs.items()}
            problems: list[str] | None = [] if self.recipe.data.on_error == "missing" else None
            lenient = self.recipe.data.on_error != "refuse"
            table_source = make_source(self.recipe, self.table, inputs, targets, self._cache(), problems, lenient)
            table_source.encoded = self.encoded
            source = self._in_memory(table_source)
            truth = table_source.targets[self.name].numpy()
            self._fold_of[key] = Fold(train_rows, val, test, inputs, targets, source, truth, weights)
        return self._fold_of[key]

    def _in_memory(self, source: TableSource) -> Source:
        """Tensors, where every input is stored or tabular and they fit; indexing them is all that a batch costs."""
        plain = all(name in self.encoded or spec.is_group for name, spec in source.inputs.items())
        size = sum(encoded.positions.size * encoded.width * 4 for encoded in self.encoded.values())
        if not plain or size > IN_MEMORY:
            return source
        batch = source.batch(self.rows)
        place = np.full(len(self.table), 0)
        place[self.rows] = np.arange(len(self.rows))
        inputs = {name: value.features for name, value in batch.inputs.items()}
        return Renumbered(TensorSource(inputs, batch.targets), place)

    def recipe_of(self, method: str) -> Recipe:
        """The comparison's recipe with another fusion; options of a method apply to that method alone."""
        fusion = self.recipe.fusion
        options = fusion.options if fusion.method == method else {}
        section = {**fusion.model_dump(include=SHARED, exclude_defaults=True), "method": method, **options}
        values = self.recipe.model_dump(mode="json", exclude_defaults=True)
        return counted(with_positions(Recipe.parse({**values, "fusion": section})), over_named=True)

    def model(self, candidate: Candidate, fold: Fold, seed: int) -> MultimodalModel:
        """An untrained model; frozen encoders are represented by their width."""
        inputs = {name: fold.inputs[name] for name in candidate.modalities}
        torch.manual_seed(seed)
        fitted = candidate.method in FITTED
        ready = {name: self.stand_ins[name].again(fitted) for name in inputs if name in self.encoded}
        return build_model(self.recipe_of(candidate.method), inputs, fold.targets, ready=ready).to(self.device)

    def run(self, candidate: Candidate, number: int, seed: int) -> Answer:
        """Train a candidate on a fold and answer its test rows.

        Raises:
            PlaitError: the loss is no number, or the method does not fit the data.
        """
        fold = self.fold(number, "linear" if candidate.kind == "baseline" else candidate.method)
        reset_peak()
        start = time.monotonic()
        if candidate.kind == "baseline":
            predictions = baseline_answers(candidate.method, self, fold)
            return self._answer(
                fold, predictions, {"train_seconds": time.monotonic() - start, "peak_bytes": peak_bytes()}
            )
        model = self.model(candidate, fold, seed)
        train_on = partial(self._train, fold=fold, seed=seed)
        lesson = self._lesson(candidate, fold, seed)
        progress = fit(model, lesson, partial(train_on, model, fold.train), lambda twin, rows, _: train_on(twin, rows))
        seconds = time.monotonic() - start
        peak = peak_bytes()
        plan = BatchPlan(fold.test, 1024, shuffle=False)
        outputs = outputs_of(model.eval(), fold.source, plan, "float32", self.device)
        predictions = fold.targets.predictions(outputs)[self.name]
        latency = row_ms(model, fold.source.batch(fold.test[:1]).to(self.device))
        latency += sum(self.encoder_ms[name] for name in candidate.modalities)
        costs = {"parameters": size_of(model), "train_seconds": seconds, "peak_bytes": peak, "latency_ms": latency}
        costs |= {} if progress is None else {"converged": bool(progress.converged), "epochs": progress.epoch}
        return self._answer(fold, predictions, costs)

    def _answer(self, fold: Fold, predictions: Any, costs: dict[str, float]) -> Answer:
        if not np.isfinite(predictions.flat if isinstance(predictions, Ragged) else predictions).all():
            raise DataError("its answers are not numbers")
        metric = self.metric.name
        scores = fold.targets.metrics({self.name: predictions}, {self.name: fold.truth[fold.test]}, [metric])
        base = {"parameters": 0, "latency_ms": 0.0, "converged": True, "epochs": 0}
        return Answer(fold.test, predictions, scores.get(metric, float("nan")), {**base, **costs})

    def _lesson(self, candidate: Candidate, fold: Fold, seed: int) -> Lesson:
        """What needs no rows to stop by learns from those, too."""
        closed = candidate.method in CLOSED_FORM
        rows = np.sort(np.concatenate([fold.train, fold.val])) if closed else fold.train
        if fold.weights is not None:
            rows = rows[fold.weights[rows] > 0]
        val = None if closed else FittedRows(fold.source, fold.val, [fold.truth[fold.val]])
        groups = None if self.groups is None else self.groups[rows]
        truth = {self.name: fold.truth}
        return Lesson(fold.source, rows, val, truth, fold.targets, self.device, groups, seed, weights=fold.weights)

    def _train(self, model: MultimodalModel, rows: np.ndarray, fold: Fold, seed: int) -> Progress:
        targets = fold.targets
        plan = BatchPlan(rows, self.recipe.train.batch_size, seed=seed)
        precision = self.precision
        settings = replace(self.recipe.train, seed=seed, precision=precision)  # type: ignore[arg-type]
        val = BatchPlan(fold.val, 1024, shuffle=False)
        truth = {self.name: _as_tensor(fold.truth[fold.val])}

        def validate(model: torch.nn.Module) -> dict[str, float]:
            outputs = outputs_of(model, fold.source, val, precision, self.device)
            truths = {self.name: truth[self.name].numpy()}
            scores = targets.metrics(targets.predictions(outputs), truths, [metric.name])
            return scores | {"loss": float(targets.loss(outputs, truth))}

        metric = prepare.metric_of(self.recipe, targets)
        torch.manual_seed(seed)
        workers = 0 if isinstance(fold.source, Renumbered) else prepare.workers_of(self.recipe)
        val_part = (fold.source, fold.val)
        blend = blend_of(model, settings, targets, fold.source, plan, val_part, self.accelerator, workers, fold.weights)
        objective = Objective(settings, targets, model, blend=blend, row_weights=fold.weights)
        options = {"validate": validate, "metric": metric, "workers": workers, "around_step": objective.around_step}
        return train(model, fold.source, plan, objective, settings, **options)  # type: ignore[arg-type]

    def on_folds(self, folds: list[np.ndarray], groups: np.ndarray | None) -> "Experiment":
        """The same experiment on other folds; this one stays as it is."""
        other = copy.copy(self)
        other.folds, other.cutting, other._fold_of = folds, replace(self.cutting, groups=groups), {}
        return other

    def pointless(self) -> list[str]:
        """Fusions that attend to tokens, where every modality is one vector: they cost more and see no more."""
        some = self.rows[:64]
        vectors = {name for name in self.inputs if getattr(self.full.encoders[name], "fixed", False)}
        if len(vectors | self.encoded.keys()) < len(self.inputs) or any(
            one.take(some).features["stored"].shape[1] > 1 for one in self.encoded.values()
        ):
            return []
        names = [name for name in FUSIONS if reads_positions(name)]
        self.notes.append(
            f"every modality is one vector here, so {', '.join(names)} have no tokens to attend to and are left out "
            "(--preset best compares them too, and so does --fusions)"
        )
        return names

    def measurement(self) -> Measure:
        """What is measured of the compared rows."""
        rows, metric = self.answered, self.metric
        place = np.zeros(len(self.table), dtype=np.int64)
        place[rows] = np.arange(len(rows))
        beside = "r2" if "r2" in self.task.measures and metric.name != "r2" else None
        return Measure(
            metric.name,
            self.measured,
            self.targets.measures.get(metric.name, True),
            self.truth[rows],
            [place[fold] for fold in self.folds],
            None if self.groups is None else self.groups[rows],
            None if self.task.ragged else self.task.space,
            self.cutting.name,
            None if beside is None else partial(self.measure, beside),
        )

    @property
    def answered(self) -> np.ndarray:
        """Rows that a fold tests: all of them, but for the earliest where folds follow time."""
        return np.sort(np.concatenate(self.folds))

    def _encoder_ms(self, name: str) -> float:
        """Milliseconds of preparing and encoding one value of a modality behind a frozen encoder, the median."""
        if name not in self.encoded:
            return 0.0  # trained with each candidate, and in its own time
        present = self.rows[(self.encoded[name].positions[self.rows] >= 0).any(axis=1)]
        plain = make_source(self.recipe, self.table, {name: self.inputs[name]}, None)

        def encode() -> None:
            self.full.encode(name, plain.batch(present[:1]).inputs[name].to(self.device), 1)

        with torch.inference_mode():
            return median_ms(encode, 5) if len(present) else 0.0

    @property
    def metric(self) -> Metric:
        """What decides."""
        return prepare.metric_of(self.recipe, self.targets)

    def measure(self, metric: str, truth: Any, predictions: Any) -> float:
        """A metric of some rows; NaN where it is not defined."""
        return self.task.score(truth, predictions, [metric]).get(metric, float("nan"))

    def measured(self, truth: Any, predictions: Any) -> float:
        """What decides, of some rows; NaN where it is not defined."""
        return self.measure(self.metric.name, truth, predictions)


def _as_tensor(truth: Any) -> Any:
    return truth.tensor() if isinstance(truth, Ragged) else torch.from_numpy(truth)
