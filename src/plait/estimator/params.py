"""Parameters and tags, as scikit-learn's tools read and set them."""

import inspect
from collections.abc import Callable, Collection, Sequence
from types import MethodType
from typing import Any, Self

import numpy as np

from plait.build import plugins as own_parts
from plait.build.tasks import task_class
from plait.console import as_html
from plait.data.schema import Schema
from plait.errors import RecipeError, unknown
from plait.recipe import Recipe, names_of, sections_for
from plait.report.notebook import predictor_html
from plait.runs.folder import RunFolder
from plait.tasks import Targets
from plait.tasks.answers import answer_array

SECTIONS = ("task", "fusion", "head", "data", "train", "tabular", "decoder", "generation")


class NoProbabilities(RecipeError, AttributeError):
    """An estimator whose answers are not classes has no such method, as `hasattr` sees."""


class with_probabilities:  # noqa: N801  # a decorator
    """A method that is there only where answers have probabilities."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self.method, self.__doc__ = method, method.__doc__

    def __get__(self, estimator: Any, owner: type) -> Any:
        if estimator is None:
            return self.method
        if hasattr(estimator, "targets_"):
            try:
                estimator.targets_.require_probabilities()
            except RecipeError as error:
                raise NoProbabilities(str(error)) from error
        elif estimator._estimator_type == "regressor":
            raise NoProbabilities("a regression target has no probabilities; use predict")
        return MethodType(self.method, estimator)


class Estimator:
    """What scikit-learn's contract asks of an estimator, over a class whose settings are dicts.

    Not scikit-learn's own base class, because a model that only answers should not have to wait for its import.
    A key of such a dict can be named with two underscores, as in a pipeline: `train__learning_rate`, `fusion__method`.
    """

    target: Any
    types: Any
    plugins: Any
    recipe: Recipe | None
    recipe_: Recipe
    schema_: Schema
    targets_: Targets
    inputs_: Any
    metrics_: dict[str, dict[str, float]]
    run_: RunFolder | None
    typed: Collection[str] = ()  # settings of `recipe` that were typed for this run

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments; if `deep`, also the keys of those that are dicts."""
        params: dict[str, Any] = {name: getattr(self, name) for name in self._param_names()}
        for name in SECTIONS if deep else ():
            section = params.get(name)
            if isinstance(section, dict):
                params |= {f"{name}__{key}": value for key, value in section.items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Replace arguments, or keys of those that are dicts; the dicts that were given stay as they are.

        Raises:
            RecipeError: there is no such argument.
        """
        known = self._param_names()
        whole = {name: value for name, value in params.items() if name.partition("__")[0] not in SECTIONS}
        whole |= {name: value for name, value in params.items() if name in SECTIONS}
        for name, value in params.items():
            section, mark, key = name.partition("__")
            if section not in known or (mark and section not in SECTIONS):
                raise RecipeError(unknown("parameter", name, known))
            if section in SECTIONS and mark:
                old = whole.get(section, getattr(self, section))
                whole[section] = {**({"method": old} if isinstance(old, str) else dict(old or {})), key: value}
        for name, value in whole.items():
            setattr(self, name, value)
        return self

    @classmethod
    def _param_names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    @classmethod
    def _get_param_names(cls) -> list[str]:
        """For scikit-learn's own checks, which ask for them by this name."""
        return sorted(cls._param_names())

    def _changed(self) -> dict[str, Any]:
        """The constructor's arguments that are not its defaults."""
        defaults = inspect.signature(type(self).__init__).parameters
        return {
            name: value for name, value in self.get_params(deep=False).items() if value is not defaults[name].default
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._changed().items())})"

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags

        target = TargetTags(required=False, multi_output=True)  # not required: it may be a column of X
        tags = Tags(estimator_type=None, target_tags=target, input_tags=InputTags())
        kind = self._estimator_type
        if kind is not None:
            tags.estimator_type = kind
            tags.classifier_tags = ClassifierTags() if kind == "classifier" else None
            tags.regressor_tags = RegressorTags() if kind == "regressor" else None
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def asked(self) -> tuple[Recipe, Collection[str]]:
        """The recipe that the settings ask for, and the names of those that were typed for this run.

        Raises:
            RecipeError: a setting is unknown or out of range.
        """
        several = isinstance(self.target, Sequence | np.ndarray) and not isinstance(self.target, str)
        targets = list(self.target) if several else [] if self.target is None else [self.target]
        sections = {name: getattr(self, name) for name in ("inputs", *SECTIONS)}
        own_parts.load_all(self.plugins)
        values = sections_for(targets, own_parts.named(sections), self.types)
        if self.recipe is None:
            return Recipe.parse(values, "Predictor"), names_of(values)
        values = {name: value for name, value in values.items() if value}
        return self.recipe.updated(values) if values else self.recipe, {*self.typed, *names_of(values)}

    @property
    def classes_(self) -> np.ndarray | dict[str, np.ndarray]:
        """`[C]` the classes, in the order of `predict_proba`; a dict of them where there are several targets."""
        classes = {name: list(getattr(task, "classes", [])) for name, task in self.targets_.tasks.items()}
        if not any(classes.values()):
            raise AttributeError("nothing that is predicted has classes")
        arrays = {name: answer_array(values) for name, values in classes.items()}
        return next(iter(arrays.values())) if len(arrays) == 1 else arrays

    @property
    def feature_names_in_(self) -> np.ndarray:
        """`[F]` the columns that training saw, without targets and weights."""
        beside = {*self.targets_.names, self.recipe_.data.weight}
        return np.array([name for name in self.schema_ if name not in beside], dtype=object)

    @property
    def n_features_in_(self) -> int:
        """F."""
        return len(self.feature_names_in_)

    @property
    def _estimator_type(self) -> str | None:
        """`classifier` or `regressor`; None where it is neither, or shows only in the data. Older tools ask for it."""
        if hasattr(self, "targets_"):
            return next(iter(self.targets_.tasks.values())).estimator_type
        tasks = self.asked()[0].task
        return getattr(task_class(tasks[0]), "estimator_type", None) if tasks else None

    def _repr_html_(self) -> str:
        """What a notebook shows: the run, its inputs and scores; before training what was asked for."""
        if not hasattr(self, "model_"):
            rows = [(name, repr(value)) for name, value in self._changed().items()]
            return as_html(f"{type(self).__name__}, not fitted", ["parameter", "value"], rows)
        return predictor_html(self.recipe_, self.inputs_, self.targets_, self.metrics_, self.run_)

    def _require_fitted(self) -> None:
        if not hasattr(self, "model_"):
            from plait.estimator.unfitted import NotFitted

            raise NotFitted("the predictor is not fitted; call fit() or Predictor.load()")
