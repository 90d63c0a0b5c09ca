"""Fit a table, predict a table: the library's main class, with scikit-learn's names."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import pandas as pd
import torch

from plait.build import plugins as own_parts
from plait.data.batches import InputSpec, TableSource
from plait.data.plan import BatchPlan
from plait.data.readers import Openable
from plait.data.schema import Schema
from plait.data.splits import draw
from plait.errors import DataError, RecipeError
from plait.estimator.given import Given, joined, rows_of
from plait.estimator.params import Estimator, with_probabilities
from plait.evaluation.modalities import ModalityReport, Scorer, modality_report
from plait.evaluation.noise import chosen_noises
from plait.model import MultimodalModel
from plait.recipe import Recipe
from plait.report.run_report import write_report
from plait.runs import prepare
from plait.runs.facts import Stopwatch
from plait.runs.finish import finish
from plait.runs.folder import RunFolder, claimed_folder, name_of_run, passing_folder
from plait.runs.saved import read_run
from plait.runs.split import group_codes
from plait.runs.summary import announce, write_problems
from plait.runs.tables import need_targets, open_given, source_for
from plait.runs.threshold import check_thresholds
from plait.runs.train import decide_precision, folder_of_run, recipe_to_train, train_run
from plait.tasks import Targets
from plait.tasks.answers import OnError, answer_array, answer_frame
from plait.training.checkpoint import save_tensors
from plait.training.devices import make_accelerator, pick_device
from plait.training.evaluate import Runner
from plait.training.randomness import own_randomness
from plait.types import POOLED

TableLike: TypeAlias = Openable | np.ndarray
Name: TypeAlias = str | int  # of a column; those of frames may be numbers
PREDICTION_BATCH = 256
NOTHING_ASKED = "what should be predicted? Name a column with --target COLUMN, or say --task retrieval or matching"


class Predictor(Estimator):
    """A model that is fitted on a table's rows; an estimator of scikit-learn's.

    Args:
        target: the column to predict, or several; none with `task={"type": "retrieval"}`, or where `fit` gets `y`.
        output: folder of the run; None for `runs/NAME-1`, `-2`, …; False to leave nothing behind, as in
            `cross_val_score`.
        types: column → `text image audio number category date ignore`, where plait's own guess is wrong.
        inputs: column → options such as `{"modality": "text", "encoder": "packaged:minilm", "frozen": True}`; None
            for every column that is not ignored.
        task, fusion, head, data, train, tabular, decoder, generation: sections of the recipe, as dicts. A fusion, a
            decoder or an encoder may be your own class, or an instance of it (docs/extending.md).
        plugins: modules with your own parts, or their names.
        verbose: show progress.
        recipe: a whole recipe, which the other settings go on top of.

    scikit-learn's tools know whether it is a classifier once it is fitted, or where `task={"type": "classification"}`
    (or `regression`) says so. `set_params` takes keys of sections, too: `train__learning_rate`, `fusion__method`.

    After `fit` there are `recipe_`, `schema_`, `metrics_`, `classes_`, `feature_names_in_`, `model_` and `run_`.

    >>> import tempfile
    >>> frame = pd.DataFrame({"size": [n / 8 for n in range(40)], "big": ["no"] * 20 + ["yes"] * 20})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     predictor = Predictor("big", output=folder, train={"epochs": 2, "device": "cpu"}, verbose=False)
    ...     answers = predictor.fit(frame).predict(frame)
    >>> answers.shape, predictor.classes_.tolist()
    ((40,), ['no', 'yes'])
    """

    model_: MultimodalModel
    inputs_: dict[str, InputSpec]

    def __init__(
        self,
        target: Name | Sequence[Name] | None = None,
        *,
        output: str | Path | Literal[False] | None = None,
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
        recipe: Recipe | None = None,
    ) -> None:
        # As they were given, for scikit-learn's `clone`; what they ask for is read where it is needed.
        self.target, self.output, self.types, self.inputs, self.task = target, output, types, inputs, task
        self.fusion, self.head, self.data, self.train, self.tabular = fusion, head, data, train, tabular
        self.decoder, self.generation, self.plugins, self.verbose = decoder, generation, plugins, verbose
        self.recipe = recipe
        self.asked()  # a mistake shows here

    @classmethod
    def from_recipe(
        cls,
        recipe: Recipe | str | Path,
        output: str | Path | Literal[False] | None = None,
        verbose: bool = True,
        typed: Collection[str] = (),
    ) -> Self:
        """A predictor of a whole recipe, given or read from YAML.

        Settings that nothing reads are left out and noted; those in `typed` (`fusion.rank`) are an error.
        """
        whole = recipe if isinstance(recipe, Recipe) else Recipe.read(recipe)
        own_parts.load_for(whole, None if isinstance(recipe, Recipe) else Path(recipe))
        predictor = cls(output=output, verbose=verbose, recipe=whole)
        predictor.typed = typed
        return predictor

    @own_randomness()
    def fit(
        self,
        X: TableLike | None = None,
        y: Any = None,
        sample_weight: Any = None,
        *,
        val: TableLike | None = None,
        test: TableLike | None = None,
        resume: bool = False,
    ) -> Self:
        """Train, evaluate, and write the run folder.

        Args:
            X: the rows: a path, a frame, dicts, an array, lists; None for the table that the recipe names.
            y: the targets, where they are no column of X.
            sample_weight: `[N]` how much each row counts in training; else as the column `data.weight` says.
            val, test: other tables to validate and test on; else the recipe's, else a tenth is for validation.
            resume: continue from the run folder's last checkpoint.

        Raises:
            PlaitError: something in data or recipe does not fit; nothing is lost.
            Interrupted: Ctrl-C; the run folder can be resumed.
        """
        given = joined(X, y, sample_weight, self.asked()[0].targets)
        with passing_folder(self.output) as (output, kept):
            self._fit(given, val, test, output, resume)
        if not kept:
            self.run_ = None
        return self

    def _fit(self, given: Given, val: Any, test: Any, output: str | Path | None, resume: bool) -> None:
        watch = Stopwatch()
        recipe, typed = self.asked()
        recipe = given.asked_in(recipe)
        if not recipe.task:
            raise RecipeError(NOTHING_ASKED)
        recipe, tables = open_given(recipe, {"train": given.table, "val": val, "test": test})
        accelerator = make_accelerator(recipe.train.device)
        main, recipe = accelerator.is_main_process, recipe_to_train(recipe, output, resume, self.verbose)
        prepared = prepare.prepare(recipe, *tables, typed=() if resume else typed)
        prepared.model.to(accelerator.device)
        with accelerator.main_process_first():  # the others read what the first has stored
            prepare.encode_frozen(prepared, self.verbose and main)
        check_thresholds(prepared)
        prepare.check_media(prepared)
        watch.lap("reading and checking")
        prepared.recipe = recipe = decide_precision(prepared, accelerator)
        # The folder is made only now, so that a mistake leaves none behind.
        with folder_of_run(accelerator, output, name_of_run(recipe, tables[0]), resume) as folder:
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

    def predict(self, X: TableLike, on_error: OnError = "refuse") -> np.ndarray | pd.DataFrame:
        """The answer to each row: `[N]`, or a frame with a column for each target where there are several.

        Args:
            X: the rows, as in `fit`; an array has the columns that training saw, in their order.
            on_error: what to do about a cell that can't be used: `refuse` it as an error, `skip` its row (the answer is
                None), or count the cell as `missing`.
        """
        source = self._source(X, None, None if on_error == "refuse" else [])
        predictions, skipped = self._predictions(source), source.unusable if on_error == "skip" else ()
        answers = {n: answer_array(self.targets_.tasks[n].answers(p), skipped) for n, p in predictions.items()}
        return next(iter(answers.values())) if len(answers) == 1 else pd.DataFrame(answers)

    @with_probabilities
    def predict_proba(self, X: TableLike) -> np.ndarray | dict[str, np.ndarray]:
        """`[N, C]` probabilities in the order of `classes_`; a dict of them where there are several targets.

        Raises:
            RecipeError: a target has no classes.
        """
        probabilities = self._predictions(self._source(X, None))
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
        self._require_fitted()
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

    def score(self, X: TableLike, y: Any = None) -> float:
        """`train.metric` on a table, else accuracy, or R² of numbers; higher is better, as scikit-learn expects."""
        self._require_fitted()
        metric = self.recipe_.train.metric
        name, higher = self.targets_.choose_score(metric) if metric else self.targets_.usual_score
        rows = rows_of(X, list(self.feature_names_in_))
        table = rows if y is None else joined(rows, y, targets=self.targets_.names).table
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

    def save(self, folder: str | Path) -> Path:
        """Write a fitted predictor: everything that `load` needs, without checkpoints and report.

        Raises:
            RunError: the folder can't be written or holds a run already.
        """
        self._require_fitted()
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
        own_parts.load_all(plugins)
        run, parts, metrics = read_run(folder, allow_outside)
        predictor = cls.assembled(*parts, run, device, verbose)
        predictor.metrics_ = metrics
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
        predictor = cls(verbose=verbose, recipe=recipe)
        predictor.metrics_ = {}
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
        self._require_fitted()
        rows = rows_of(table, list(self.feature_names_in_))
        return source_for(self.recipe_, rows, self.inputs_, targets, problems, self.verbose)

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
