"""Fit a table, predict a table: the library's front door, with scikit-learn's names."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
import pandas as pd
import torch

from plait import console, fitting
from plait.ablation import ModalityReport, Scorer, chosen_noises, modality_report, noise_curves
from plait.build import build_model
from plait.data.batches import InputSpec, TableSource
from plait.data.plan import BatchPlan
from plait.data.schema import Schema
from plait.data.table import Table
from plait.errors import DataError, PlaitError, RecipeError, RunError
from plait.facts import Stopwatch
from plait.model import MultimodalModel
from plait.opening import need_targets, open_given, source_for
from plait.outcome import announce, write_predictions, write_problems
from plait.recipe import Recipe
from plait.report.run_report import write_report
from plait.run_folder import RunFolder, run_folder
from plait.running import decide_precision, train_run
from plait.tasks import Retrieval, Targets
from plait.training.checkpoint import load_state, load_tensors, save_tensors
from plait.training.devices import make_accelerator, pick_device
from plait.training.evaluate import outputs_of

Frame: TypeAlias = pd.DataFrame
TableLike: TypeAlias = str | Path | pd.DataFrame | Table
PREDICTION_BATCH = 256
NOTHING_ASKED = "what should be predicted? Name a column with --target COLUMN, or say --task retrieval or matching"
MOST_ABLATED = 2000  # rows that a run's report looks at without each modality


class Predictor:
    """One model of a table's rows.

    Args:
        target: the column to predict, or several; none with `task={"type": "retrieval"}`.
        output: folder of the run; None for `runs/NAME-1`, `-2`, …
        types: column → `text image number category date ignore`, over what plait sees.
        inputs: column → options such as `{"modality": "text", "encoder": "packaged:minilm", "frozen": True}`; None
            for every column that is not ignored.
        task, fusion, head, data, train, tabular, decoder, generation: sections of the recipe, as dicts.
        verbose: show progress.

    Attributes that end in an underscore exist once it is fitted: `recipe_`, `schema_`, `metrics_`, `classes_`,
    `model_`, `run_`.

    >>> import tempfile
    >>> frame = pd.DataFrame({"size": [n / 8 for n in range(40)], "big": ["no"] * 20 + ["yes"] * 20})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     predictor = Predictor("big", output=folder, train={"epochs": 2, "device": "cpu"}, verbose=False)
    ...     answers = predictor.fit(frame).predict(frame)
    >>> answers.shape, predictor.classes_
    ((40,), ['no', 'yes'])
    """

    recipe_: Recipe
    schema_: Schema
    model_: MultimodalModel
    inputs_: dict[str, InputSpec]
    targets_: Targets
    metrics_: dict[str, dict[str, float]]
    run_: RunFolder | None

    def __init__(
        self,
        target: str | Sequence[str] | None = None,
        *,
        output: str | Path | None = None,
        types: Mapping[str, str] | None = None,
        inputs: Mapping[str, Any] | None = None,
        task: Mapping[str, Any] | None = None,
        fusion: Mapping[str, Any] | str | None = None,
        head: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        train: Mapping[str, Any] | None = None,
        tabular: Mapping[str, Any] | None = None,
        decoder: Mapping[str, Any] | str | None = None,
        generation: Mapping[str, Any] | None = None,
        verbose: bool = True,
    ) -> None:
        targets = [target] if isinstance(target, str) else list(target or [])
        sections = {"inputs": inputs, "head": head, "data": data, "train": train, "tabular": tabular}
        named = {"fusion": fusion, "decoder": decoder}
        sections |= {name: {"method": given} if isinstance(given, str) else given for name, given in named.items()}
        sections["generation"] = generation
        values: dict[str, Any] = {name: dict(section) for name, section in sections.items() if section}
        if types:
            values.setdefault("data", {})["types"] = dict(types)
        values["task"] = [{**(task or {}), "target": name} for name in targets] or ([dict(task)] if task else [])
        self.recipe = Recipe.parse(values, "Predictor")
        self.output = output
        self.verbose = verbose

    @classmethod
    def from_recipe(cls, recipe: Recipe | str | Path, output: str | Path | None = None, verbose: bool = True) -> Self:
        """A predictor of a whole recipe, given or read from YAML."""
        made = cls(output=output, verbose=verbose)
        made.recipe = recipe if isinstance(recipe, Recipe) else Recipe.read(recipe)
        return made

    def fit(
        self,
        table: TableLike | None = None,
        val: TableLike | None = None,
        test: TableLike | None = None,
        resume: bool = False,
    ) -> Self:
        """Train, evaluate, and write the run folder.

        Args:
            table: the rows; None for the recipe's own.
            val, test: other tables to validate and test on; else the recipe's, else a tenth validates.
            resume: go on from the run folder's last checkpoint.

        Raises:
            PlaitError: something in data or recipe does not fit; nothing is lost.
            Interrupted: Ctrl-C; the run folder can be resumed.
        """
        watch = Stopwatch()
        if not self.recipe.task:
            raise RecipeError(NOTHING_ASKED)
        recipe, tables = open_given(self.recipe, {"train": table, "val": val, "test": test})
        accelerator = make_accelerator(recipe.train.device)
        stem = Path(tables[0].source).stem if tables[0].root is not None else "frame"
        names = recipe.targets or [str(recipe.task[0].type)]
        folder = run_folder(self.output, "-".join([stem, *names]))
        if resume:
            recipe = folder.read_recipe()
        main = accelerator.is_main_process
        if not resume:
            folder.refuse_existing()
        elif folder.weights.exists() and self.verbose:
            console.say(f"{folder.path}: the run is finished already; its results are written again")
        prepared = fitting.prepare(recipe, *tables)
        prepared.model.to(accelerator.device)
        with accelerator.main_process_first():  # the others find what the first has stored
            fitting.encode_frozen(prepared, self.verbose and main)
        fitting.check_media(prepared)
        watch.lap("reading and checking")
        recipe = decide_precision(prepared, accelerator)
        prepared.recipe = recipe
        self._adopt(recipe, prepared.schema, prepared.inputs, prepared.targets, prepared.model, folder)
        if main:
            folder.create()  # only now, so that a mistake leaves no folder behind
            if self.verbose:
                announce(prepared, folder)
            folder.save_setup(recipe, prepared.schema, prepared.inputs, prepared.targets, prepared.model.encoders)
            write_problems(folder, prepared.problems)
        history = train_run(prepared, accelerator, folder, resume, self.verbose)
        watch.lap("training")
        self.metrics_ = {}
        if main:
            self._finish(prepared, history, watch)
        accelerator.wait_for_everyone()
        return self

    def predict(self, table: TableLike) -> np.ndarray | Frame:
        """The answer to each row: `[N]`, or a frame with a column a target where there are several."""
        answers = {n: self.targets_.tasks[n].answers(p) for n, p in self._predictions(table).items()}
        return np.array(next(iter(answers.values()))) if len(answers) == 1 else pd.DataFrame(answers)

    def predict_proba(self, table: TableLike) -> np.ndarray | dict[str, np.ndarray]:
        """`[N, C]` probabilities in the order of `classes_`; a dict of them where there are several targets.

        Raises:
            RecipeError: a target is a number.
        """
        for name, task in self.targets_.tasks.items():
            if task.kind in ("regression", "retrieval", "generation"):
                raise RecipeError(f"{name!r} is a {task.kind} target and has no probabilities; use predict")
        found = self._predictions(table)
        return next(iter(found.values())) if len(found) == 1 else found

    def predict_frames(
        self, table: TableLike, rows: int = 16_384, problems: list[str] | None = None
    ) -> Iterator[Frame]:
        """Answers and probabilities as frames of up to so many rows, so that a long table never stands in memory.

        Where `problems` is given, cells that can't be used count as missing and are named there.
        """
        source = self._source(table, None, problems)
        for start in range(0, len(source), rows):
            chosen = np.arange(start, min(start + rows, len(source)))
            found = self.targets_.predictions(self._outputs(source, chosen))
            yield pd.DataFrame({"row": chosen + 1, **self.targets_.columns(found)})

    def evaluate(self, table: TableLike, metrics: Sequence[str] | None = None) -> dict[str, float]:
        """Metrics over the rows of a table that has the target; all that fit, or the named ones.

        Raises:
            DataError: the table lacks the target, or has no row to score.
            RecipeError: a metric is unknown.
        """
        for name in metrics or ():
            self.targets_.choose_metric(name)
        source = self._scored_source(table)
        truth = {name: values.numpy() for name, values in source.targets.items()}
        outputs = self._outputs(source, np.arange(len(source)))
        found = self.targets_.metrics(self.targets_.predictions(outputs), truth)
        if not found:
            raise DataError(f"{source.table.source}: no row has a target that training knew; there is nothing to score")
        return {name: found[name] for name in metrics if name in found} if metrics else found

    def modalities(
        self, table: TableLike, curves: bool = False, noises: Sequence[str] = (), rows: int | None = None
    ) -> ModalityReport:
        """What each modality gives on a table: the score without it, with it shuffled, with it alone.

        Args:
            table: rows with the target.
            curves: also as a growing share of the rows lacks each modality.
            noises: also as its values get worse: `blur jpeg typos word_drop number_noise`, or `all`.
            rows: score so many rows at most, evenly spaced; None for all.

        Raises:
            RecipeError: a noise is unknown, or fits no modality; or nothing is predicted from several.
        """
        if self.is_retrieval:
            raise RecipeError("in retrieval each input has a vector of its own; there is no answer that several share")
        source = self._scored_source(table)
        chosen_noises(noises, {name: spec.modality for name, spec in self.inputs_.items()})
        chosen = np.arange(len(source))[:: 1 if rows is None else max(1, -(-len(source) // rows))]
        self._frozen.attach(source, chosen)
        return self._modalities(source, chosen, curves, noises)

    def _modalities(
        self, source: TableSource, rows: np.ndarray, curves: bool = False, noises: Sequence[str] = ()
    ) -> ModalityReport:
        truth = {name: values.numpy()[rows] for name, values in source.targets.items()}
        scorer = Scorer(self.model_, self.targets_, truth, self._metric, self._plan(source, rows), *self._running)
        report = modality_report(scorer, source, list(self.inputs_), curves=curves)
        noise = noise_curves(scorer, source, noises, whole=report.all)
        for one in report.modalities:
            one.noise = noise.get(one.name, {})
        return report

    def score(self, table: TableLike) -> float:
        """The metric that picked the best epoch, on a table; for scikit-learn's tools higher is better."""
        name, higher = self._metric
        return self.evaluate(table, [name])[name] * (1 if higher else -1)

    def embed(self, table: TableLike) -> np.ndarray | dict[str, np.ndarray]:
        """`[N, H]` float32, the fused vector of each row; in retrieval `[N, D]` of each input, NaN where absent."""
        source = self._source(table, None)
        outputs = self._outputs(source, np.arange(len(source)))
        if not self.is_retrieval:
            return outputs["pooled"].numpy()
        vectors = self.targets_.predictions(outputs)[self.targets_.names[0]]
        vectors = np.where((vectors == 0).all(axis=2, keepdims=True), np.nan, vectors)
        return {name: vectors[:, side] for side, name in enumerate(self.inputs_)}

    is_retrieval = property(lambda self: isinstance(self.targets_.pairs, Retrieval), doc="Each input has its vector.")

    @property
    def classes_(self) -> list[str] | dict[str, list[str]]:
        """The classes, in the order of `predict_proba`; a dict of them where there are several targets."""
        found = {name: list(getattr(task, "classes", [])) for name, task in self.targets_.tasks.items()}
        return next(iter(found.values())) if len(found) == 1 else found

    def save(self, folder: str | Path) -> Path:
        """Write a fitted predictor: all that `load` needs, without checkpoints and report.

        Raises:
            RunError: the folder can't be written or holds a run already.
        """
        run = RunFolder(Path(folder).expanduser())
        run.refuse_existing()
        run.create()
        run.save_setup(self.recipe_, self.schema_, self.inputs_, self.targets_, self.model_.encoders)
        save_tensors(self.model_.state_dict(), run.weights)
        run.write_json("metrics.json", self.metrics_)
        return run.path

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto", verbose: bool = False, allow_outside: bool = False) -> Self:
        """Read a run folder. Nothing in it is executed, and `allow_outside` alone lets media leave a table's folder.

        Raises:
            RunError: it is no run, damaged, unfinished, or from a newer plait.
        """
        run = RunFolder(Path(folder).expanduser())
        recipe, schema, inputs, targets, configs = run.read_setup(allow_outside)
        if not run.weights.exists():
            raise RunError(f"{run.path}: the run is not finished; continue it with: plait train --resume {run.path}")
        model = build_model(recipe, inputs, targets, configs)
        load_state(model, load_tensors(run.weights)[0], run.weights)
        made = cls.assembled(recipe, schema, inputs, targets, model, run, device, verbose)
        metrics = run.path / "metrics.json"
        made.metrics_ = run.read_json("metrics.json", dict[str, dict[str, float]]) if metrics.exists() else {}
        return made

    @classmethod
    def assembled(
        cls,
        recipe: Recipe,
        schema: Schema,
        inputs: dict[str, InputSpec],
        targets: Targets,
        model: MultimodalModel,
        run: RunFolder | None = None,
        device: str = "auto",
        verbose: bool = False,
    ) -> Self:
        """A predictor of parts that are made already; `metrics_` is empty."""
        made = cls(verbose=verbose)
        made.recipe, made.metrics_ = recipe, {}
        made._adopt(recipe, schema, inputs, targets, model.eval(), run)
        made.model_.to(pick_device(device))
        return made

    # The steps of `fit`, in order.

    def _finish(self, prepared: fitting.Prepared, progress: Any, watch: Stopwatch) -> None:
        """Score the best weights, and write what a reader of the run folder looks for."""
        assert self.run_ is not None
        self.model_.eval()
        save_tensors(self.model_.state_dict(), self.run_.weights)
        scored: dict[str, Any] = {}
        for name in ("val", "test"):
            if name in prepared.parts:
                part = prepared.parts[name]
                outputs = self._outputs(part.source, part.rows, fitting.plan_for(prepared, name, shuffle=False))
                found = self.targets_.predictions(outputs)
                self.metrics_[name] = self.targets_.metrics(found, part.truth())
                scored[name] = (part, outputs, found)
        shown = "test" if "test" in scored else "val"
        modalities = None
        if shown in scored and len(self.inputs_) > 1 and not self.is_retrieval:
            part = scored[shown][0]
            modalities = self._modalities(part.source, part.rows[: MOST_ABLATED // (10 if self.targets_.text else 1)])
            self.run_.write_json("modalities.json", modalities.to_json())
        watch.lap("evaluation")
        self.run_.write_json("metrics.json", self.metrics_)
        write_predictions(self.run_, self.targets_, scored)
        write_report(self.run_, prepared, progress, self.metrics_, scored, watch.seconds, modalities)
        if self.verbose:
            for name, values in self.metrics_.items():
                console.say(f"{name}: " + "  ".join(f"{key} {console.number(value)}" for key, value in values.items()))
            console.say(f"report: {self.run_.path / 'report.html'}")

    # What prediction shares.

    def _adopt(
        self,
        recipe: Recipe,
        schema: Schema,
        inputs: dict[str, InputSpec],
        targets: Targets,
        model: MultimodalModel,
        run: RunFolder | None,
    ) -> None:
        self.recipe_, self.schema_, self.inputs_, self.targets_ = recipe, schema, inputs, targets
        self.model_, self.run_ = model, run
        self._frozen = fitting.frozen_inputs(recipe, model, inputs, self.verbose)

    def _source(self, table: TableLike, targets: Targets | None, problems: list[str] | None = None) -> TableSource:
        if not hasattr(self, "model_"):
            raise PlaitError("the predictor is not fitted; call fit() or Predictor.load()")
        return source_for(self.recipe_, table, self.inputs_, targets, problems, self.verbose)

    def _scored_source(self, table: TableLike) -> TableSource:
        """A table that has the targets.

        Raises:
            DataError: it lacks one.
        """
        source = need_targets(self._source(table, self.targets_), self.targets_)
        return fitting.with_drawn(self.recipe_, fitting.Part(source, np.arange(len(source))), self.targets_).source

    def _predictions(self, table: TableLike) -> dict[str, np.ndarray]:
        source = self._source(table, None)
        return self.targets_.predictions(self._outputs(source, np.arange(len(source))))

    def _outputs(self, source: TableSource, rows: np.ndarray, plan: BatchPlan | None = None) -> dict[str, torch.Tensor]:
        if plan is None:
            self._frozen.attach(source, rows)
        return outputs_of(self.model_, source, plan or self._plan(source, rows), *self._running)

    @property
    def _running(self) -> tuple[str, torch.device, int]:
        """Precision, device and decoding threads."""
        precision = self.recipe_.train.precision
        return "float32" if precision == "auto" else precision, self.model_.device, fitting.workers_of(self.recipe_)

    @property
    def _metric(self) -> tuple[str, bool]:
        """The metric that picked the best epoch, or the task's own where that was the loss."""
        metric = self.targets_.choose_metric(self.recipe_.train.metric)
        return self.targets_.choose_metric(None) if metric[0] == "loss" else metric

    def _plan(self, source: TableSource, rows: np.ndarray) -> BatchPlan:
        codes = fitting.together(self.recipe_, self.inputs_, source.table)
        return BatchPlan(rows, PREDICTION_BATCH, None if codes is None else codes[rows], shuffle=False)
