"""Fit a table, predict a table: the library's main class, with scikit-learn's names."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
import pandas as pd
import torch

from plait.build import plugins as own_parts
from plait.build.model import build_model
from plait.data.batches import InputSpec, TableSource
from plait.data.plan import BatchPlan
from plait.data.readers import Openable
from plait.data.schema import Schema
from plait.data.splits import draw
from plait.errors import DataError, PlaitError, RecipeError, RunError
from plait.evaluation.modalities import ModalityReport, Scorer, modality_report
from plait.evaluation.noise import chosen_noises
from plait.model import MultimodalModel
from plait.recipe import Recipe, names_of, sections_for
from plait.report.run_report import write_report
from plait.runs import prepare
from plait.runs.facts import Stopwatch
from plait.runs.finish import finish
from plait.runs.folder import RunFolder, claimed_folder, name_of_run
from plait.runs.split import group_codes
from plait.runs.summary import announce, write_problems
from plait.runs.tables import need_targets, open_given, source_for
from plait.runs.train import decide_precision, folder_of_run, recipe_to_train, train_run
from plait.tasks import Targets
from plait.tasks.answers import OnError, answer_array, answer_frame
from plait.training.checkpoint import load_state, load_tensors, save_tensors
from plait.training.devices import make_accelerator, pick_device
from plait.training.evaluate import Runner
from plait.training.randomness import own_randomness
from plait.types import POOLED

TableLike: TypeAlias = Openable
Name: TypeAlias = str | int  # of a column; those of frames may be numbers
PREDICTION_BATCH = 256
NOTHING_ASKED = "what should be predicted? Name a column with --target COLUMN, or say --task retrieval or matching"
UNFITTED = "the predictor is not fitted; call fit() or Predictor.load()"


class Predictor:
    """A model that is fitted on a table's rows.

    Args:
        target: the column to predict, or several; none with `task={"type": "retrieval"}`.
        output: folder of the run; None for `runs/NAME-1`, `-2`, …
        types: column → `text image number category date ignore`, where plait's own guess is wrong.
        inputs: column → options such as `{"modality": "text", "encoder": "packaged:minilm", "frozen": True}`; None
            for every column that is not ignored.
        task, fusion, head, data, train, tabular, decoder, generation: sections of the recipe, as dicts. A fusion, a
            decoder or an encoder may be your own class, or an instance of it (docs/extending.md).
        plugins: modules with your own parts, or their names.
        verbose: show progress.

    Attributes that end in an underscore exist after `fit`: `recipe_`, `schema_`, `metrics_`, `classes_`, `model_`,
    `run_`.

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
        target: Name | Sequence[Name] | None = None,
        *,
        output: str | Path | None = None,
        types: Mapping[Any, str] | None = None,
        inputs: Mapping[Any, Any] | None = None,
        task: Mapping[str, Any] | None = None,
        fusion: Mapping[str, Any] | str | None = None,
        head: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        train: Mapping[str, Any] | None = None,
        tabular: Mapping[str, Any] | None = None,
        decoder: Mapping[str, Any] | str | None = None,
        generation: Mapping[str, Any] | None = None,
        plugins: Sequence[Any] = (),
        verbose: bool = True,
    ) -> None:
        targets = [target] if isinstance(target, str | int) else list(target or [])
        sections = {"inputs": inputs, "fusion": fusion, "head": head, "data": data, "train": train, "tabular": tabular}
        sections |= {"decoder": decoder, "generation": generation, "task": task}
        own_parts.load_all(plugins)
        values = sections_for(targets, own_parts.named(sections), types)
        self.recipe = Recipe.parse(values, "Predictor")
        self.typed: Collection[str] = names_of(values)
        self.output = output
        self.verbose = verbose

    @classmethod
    def from_recipe(
        cls,
        recipe: Recipe | str | Path,
        output: str | Path | None = None,
        verbose: bool = True,
        typed: Collection[str] = (),
    ) -> Self:
        """A predictor of a whole recipe, given or read from YAML.

        Settings that nothing reads are left out and noted; those in `typed` (`fusion.rank`) are an error.
        """
        predictor = cls(output=output, verbose=verbose)
        predictor.typed = typed
        predictor.recipe = recipe if isinstance(recipe, Recipe) else Recipe.read(recipe)
        own_parts.load_for(predictor.recipe, None if isinstance(recipe, Recipe) else Path(recipe))
        return predictor

    @own_randomness()
    def fit(
        self,
        table: TableLike | None = None,
        val: TableLike | None = None,
        test: TableLike | None = None,
        resume: bool = False,
    ) -> Self:
        """Train, evaluate, and write the run folder.

        Args:
            table: the rows: a path, a frame, dicts; None for the table that the recipe names.
            val, test: other tables to validate and test on; else the recipe's, else a tenth is for validation.
            resume: continue from the run folder's last checkpoint.

        Raises:
            PlaitError: something in data or recipe does not fit; nothing is lost.
            Interrupted: Ctrl-C; the run folder can be resumed.
        """
        watch = Stopwatch()
        if not self.recipe.task:
            raise RecipeError(NOTHING_ASKED)
        recipe, tables = open_given(self.recipe, {"train": table, "val": val, "test": test})
        accelerator = make_accelerator(recipe.train.device)
        main = accelerator.is_main_process
        recipe = recipe_to_train(recipe, self.output, resume, self.verbose)
        prepared = prepare.prepare(recipe, *tables, typed=() if resume else self.typed)
        prepared.model.to(accelerator.device)
        with accelerator.main_process_first():  # the others read what the first has stored
            prepare.encode_frozen(prepared, self.verbose and main)
        prepare.check_media(prepared)
        watch.lap("reading and checking")
        recipe = decide_precision(prepared, accelerator)
        prepared.recipe = recipe
        # The folder is made only now, so that a mistake leaves none behind.
        with folder_of_run(accelerator, self.output, name_of_run(recipe, tables[0]), resume) as folder:
            self._adopt(recipe, prepared.schema, prepared.inputs, prepared.targets, prepared.model, folder)
            if main:
                if self.verbose:
                    announce(prepared, folder)
                folder.save_setup(recipe, prepared.schema, prepared.inputs, prepared.targets, prepared.model.encoders)
                write_problems(folder, prepared.problems)
            history = train_run(prepared, accelerator, folder, resume, self.verbose)
            watch.lap("training")
            self.metrics_, self.targets_ = {}, prepared.targets  # which are calibrated now
            if main:
                callbacks = (self._outputs, self._modalities, write_report)
                self.metrics_ = finish(prepared, folder, history, watch, *callbacks, self.verbose)
            accelerator.wait_for_everyone()
        return self

    def predict(self, table: TableLike, on_error: OnError = "refuse") -> np.ndarray | pd.DataFrame:
        """The answer to each row: `[N]`, or a frame with a column for each target where there are several.

        Args:
            table: the rows.
            on_error: what to do about a cell that can't be used: `refuse` it as an error, `skip` its row (the answer is
                None), or count the cell as `missing`.
        """
        source = self._source(table, None, None if on_error == "refuse" else [])
        predictions, skipped = self._predictions(source), source.unusable if on_error == "skip" else ()
        answers = {n: answer_array(self.targets_.tasks[n].answers(p), skipped) for n, p in predictions.items()}
        return next(iter(answers.values())) if len(answers) == 1 else pd.DataFrame(answers)

    def predict_proba(self, table: TableLike) -> np.ndarray | dict[str, np.ndarray]:
        """`[N, C]` probabilities in the order of `classes_`; a dict of them where there are several targets.

        Raises:
            RecipeError: a target has no classes.
        """
        self.targets_.require_probabilities()
        probabilities = self._predictions(self._source(table, None))
        return next(iter(probabilities.values())) if len(probabilities) == 1 else probabilities

    def predict_frames(
        self,
        table: TableLike,
        rows: int = 16_384,
        problems: list[str] | None = None,
        on_error: OnError = "refuse",
    ) -> Iterator[pd.DataFrame]:
        """Answers and probabilities as frames of up to `rows` rows, so that a long table is never in memory as a whole.

        The first column is the row's number. Cells that can't be used are appended to `problems`, if given; `on_error`
        decides what becomes of their rows, as in `predict`.
        """
        noted = problems if problems is not None else []
        source = self._source(table, None, None if on_error == "refuse" else noted)
        for start in range(0, len(source), rows):
            chosen = np.arange(start, min(start + rows, len(source)))
            predictions = self.targets_.predictions(self._outputs(source, chosen))
            yield answer_frame(self.targets_, predictions, chosen, source.unusable if on_error == "skip" else ())

    def evaluate(self, table: TableLike, metrics: Sequence[str] | None = None) -> dict[str, float]:
        """Metrics over the rows of a table that has the target: all that fit, or the named ones.

        Raises:
            DataError: the table lacks the target, or has no row to score.
            RecipeError: a metric is unknown.
        """
        for name in metrics or ():
            self.targets_.choose_metric(name)
        source = self._scored_source(table)
        scores = self.targets_.metrics(self._predictions(source), prepare.Part(source, np.arange(len(source))).truth())
        if not scores:
            raise DataError(f"{source.table.source}: no row has a target that training knew; there is nothing to score")
        return {name: scores[name] for name in metrics if name in scores} if metrics else scores

    def modalities(
        self, table: TableLike, curves: bool = False, noises: Sequence[str] = (), rows: int | None = None
    ) -> ModalityReport:
        """What each modality contributes on a table: the score without it, with it shuffled, with it alone.

        Args:
            table: rows with the target.
            curves: also score it as a growing share of the rows lacks each modality.
            noises: also score it as values get worse: `blur jpeg typos word_drop number_noise`, or `all`.
            rows: how many rows to score at most, drawn at random by the run's seed; None for all.

        Raises:
            RecipeError: a noise is unknown, or fits no modality; or nothing is predicted from several.
        """
        if self.is_retrieval:
            raise RecipeError("in retrieval each input has a vector of its own; there is no answer that several share")
        source = self._scored_source(table)
        chosen_noises(noises, {name: spec.modality for name, spec in self.inputs_.items()})
        chosen = draw(np.arange(len(source)), rows, self.recipe_.train.seed)
        self._frozen.attach(source, chosen)
        return self._modalities(source, chosen, curves, noises)

    def _modalities(
        self, source: TableSource, rows: np.ndarray, curves: bool = False, noises: Sequence[str] = ()
    ) -> ModalityReport:
        truth, plan = prepare.Part(source, rows).truth(), self._plan(source, rows)
        groups = group_codes(self.recipe_, source.table, rows)
        scorer = Scorer(self._runner, self.targets_, truth, self._metric, plan, groups)
        return modality_report(scorer, source, list(self.inputs_), curves=curves, noises=noises)

    def score(self, table: TableLike) -> float:
        """The metric that picked the best epoch, on a table; for scikit-learn's tools higher is better."""
        name, higher = self._metric
        return self.evaluate(table, [name]).get(name, np.nan) * (1 if higher else -1)

    def embed(self, table: TableLike) -> np.ndarray | dict[str, np.ndarray]:
        """`[N, H]` float32, the fused vector of each row; in retrieval `[N, D]` of each input, NaN where missing."""
        outputs = self._outputs(source := self._source(table, None), np.arange(len(source)))
        if not self.is_retrieval:
            return outputs[POOLED].numpy()
        vectors = self.targets_.predictions(outputs)[self.targets_.names[0]]
        vectors = np.where((vectors == 0).all(axis=2, keepdims=True), np.nan, vectors)
        return {name: vectors[:, side] for side, name in enumerate(self.inputs_)}

    is_retrieval = property(lambda self: not self.targets_.joint, doc="Each input has a vector of its own.")

    @property
    def classes_(self) -> list[str] | dict[str, list[str]]:
        """The classes, in the order of `predict_proba`; a dict of them where there are several targets."""
        classes = {name: list(getattr(task, "classes", [])) for name, task in self.targets_.tasks.items()}
        return next(iter(classes.values())) if len(classes) == 1 else classes

    def save(self, folder: str | Path) -> Path:
        """Write a fitted predictor: everything that `load` needs, without checkpoints and report.

        Raises:
            RunError: the folder can't be written or holds a run already.
        """
        if not hasattr(self, "model_"):
            raise PlaitError(UNFITTED)
        with claimed_folder(folder, "") as run:
            run.save_setup(self.recipe_, self.schema_, self.inputs_, self.targets_, self.model_.encoders)
            save_tensors(self.model_.state_dict(), run.weights)
            run.write_json("metrics.json", self.metrics_)
        return run.path

    @classmethod
    @own_randomness()  # weights are drawn before they are read
    def load(
        cls,
        folder: str | Path,
        device: str = "auto",
        verbose: bool = False,
        allow_outside: bool = False,
        plugins: Sequence[Any] | Mapping[str, Any] = (),
    ) -> Self:
        """Read a run folder. Nothing in it is executed; media may leave a table's folder only with `allow_outside`.

        A run with users' own parts needs them in `plugins`: modules, their names, or classes.

        Raises:
            RunError: it is not a run, or is damaged, unfinished, or from a newer plait.
        """
        if not isinstance(folder, str | Path):
            raise RunError(f"expected the path of a run folder, got {type(folder).__name__}")
        own_parts.load_all(plugins)
        run = RunFolder(Path(folder).expanduser())
        recipe, schema, inputs, targets, configs = run.read_setup(allow_outside)
        if not run.weights.exists():
            raise RunError(f"{run.path}: the run is not finished; continue it with: plait train --resume {run.path}")
        model = build_model(recipe, inputs, targets, configs)
        load_state(model, load_tensors(run.weights)[0], run.weights)
        predictor = cls.assembled(recipe, schema, inputs, targets, model, run, device, verbose)
        metrics = run.path / "metrics.json"
        predictor.metrics_ = run.read_json("metrics.json", dict[str, dict[str, float]]) if metrics.exists() else {}
        return predictor

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
        """A predictor of parts that exist already; `metrics_` is empty."""
        predictor = cls(verbose=verbose)
        predictor.recipe, predictor.metrics_ = recipe, {}
        predictor._adopt(recipe, schema, inputs, targets, model.eval(), run)
        predictor.model_.to(pick_device(device))
        return predictor

    # What the methods above share.

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
        self._frozen = prepare.frozen_inputs(recipe, model, inputs, self.verbose)

    def _source(self, table: TableLike, targets: Targets | None, problems: list[str] | None = None) -> TableSource:
        if not hasattr(self, "model_"):
            raise PlaitError(UNFITTED)
        return source_for(self.recipe_, table, self.inputs_, targets, problems, self.verbose)

    def _scored_source(self, table: TableLike) -> TableSource:
        """A table that has the targets.

        Raises:
            DataError: it lacks one.
        """
        source = need_targets(self._source(table, self.targets_), self.targets_)
        return prepare.with_drawn(self.recipe_, prepare.Part(source, np.arange(len(source))), self.targets_).source

    def _predictions(self, source: TableSource) -> dict[str, np.ndarray]:
        return self.targets_.predictions(self._outputs(source, np.arange(len(source))))

    def _outputs(self, source: TableSource, rows: np.ndarray, plan: BatchPlan | None = None) -> dict[str, torch.Tensor]:
        if plan is None:
            self._frozen.attach(source, rows)
        return self._runner.outputs(source, plan or self._plan(source, rows))

    @property
    def _runner(self) -> Runner:
        precision = self.recipe_.train.precision.replace("auto", "float32")
        return Runner(self.model_, precision, self.model_.device, prepare.workers_of(self.recipe_))

    @property
    def _metric(self) -> tuple[str, bool]:
        return self.targets_.choose_score(self.recipe_.train.metric)

    def _plan(self, source: TableSource, rows: np.ndarray) -> BatchPlan:
        codes = prepare.batch_codes(self.recipe_, self.inputs_, source.table)
        return BatchPlan(rows, PREDICTION_BATCH, None if codes is None else codes[rows], shuffle=False)
