"""plait: one model from many modalities.

>>> from plait import Predictor
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plait.predictor import Predictor

__version__ = "0.1.0"
__all__ = ["Predictor", "__version__"]

# Where modules were before they stood in rooms; both names work until version 0.3.
MOVED = {
    "plait.ablation": "plait.evaluation.modalities",
    "plait.answering": "plait.tasks.answers",
    "plait.baseline": "plait.runs.baseline",
    "plait.boosting": "plait.runs.fitted",
    "plait.runs.boosting": "plait.runs.fitted",
    "plait.build_encoders": "plait.build.encoders",
    "plait.build_pairs": "plait.build.pairs",
    "plait.build_text": "plait.build.generation",
    "plait.checking": "plait.checks.tables",
    "plait.constructing": "plait.build.options",
    "plait.data.check": "plait.checks.health",
    "plait.data.duplicates": "plait.checks.duplicates",
    "plait.data.encoded": "plait.features.column",
    "plait.data.features": "plait.features.store",
    "plait.data.noise": "plait.modalities.noises",
    "plait.data.paths": "plait.modalities.media",
    "plait.demo": "plait.cli.demo",
    "plait.distilling": "plait.runs.teacher",
    "plait.doctor": "plait.checks.doctor",
    "plait.encoders.engine": "plait.features.engine",
    "plait.encoders.seeing": "plait.encoders.vlm_vision",
    "plait.facts": "plait.runs.facts",
    "plait.few_shot": "plait.inference.few_shot",
    "plait.finishing": "plait.runs.finish",
    "plait.fitting": "plait.runs.prepare",
    "plait.frozen": "plait.features.frozen",
    "plait.judging": "plait.runs.validation",
    "plait.layers.absent": "plait.layers.missing_token",
    "plait.layers.few_rows": "plait.layers.small_batch_linear",
    "plait.objective": "plait.training.objective",
    "plait.opening": "plait.runs.tables",
    "plait.outcome": "plait.runs.summary",
    "plait.predicting": "plait.inference.predict",
    "plait.reading": "plait.files.reading",
    "plait.report.written": "plait.report.generated",
    "plait.reranking": "plait.inference.reranking",
    "plait.run_folder": "plait.runs.folder",
    "plait.running": "plait.runs.train",
    "plait.scoring": "plait.evaluation.result_files",
    "plait.search.catalogue": "plait.search.index",
    "plait.search.narrow": "plait.search.int8_index",
    "plait.self_critic": "plait.training.self_critical",
    "plait.shots": "plait.inference.shots",
    "plait.splitting": "plait.runs.split",
    "plait.stacking": "plait.runs.stacking",
    "plait.starting": "plait.runs.warm_start",
    "plait.storage": "plait.features.listing",
    "plait.unread": "plait.build.unread",
    "plait.writing": "plait.inference.generate",
    "plait.zero_shot": "plait.inference.zero_shot",
}


def __getattr__(name: str) -> Any:
    """`Predictor` is imported when it is first asked for, so that `import plait` stays quick."""
    if name == "Predictor":
        from plait.predictor import Predictor

        return Predictor
    raise AttributeError(f"module 'plait' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__doc__", "__file__", "__name__", "__path__"]


def former_names(module: str, names: Mapping[str, str], rest: str = "") -> Callable[[str], Any]:
    """A module's `__getattr__` that finds what was here under its former name, with a warning, until version 0.3.

    Args:
        module: its `__name__`.
        names: former name → where it is now, in full.
        rest: the module in which all other names are now; empty for none.
    """

    def find(name: str) -> Any:
        import warnings

        place, _, now = names.get(name, f"{rest}.{name}" if rest and not name.startswith("__") else "").rpartition(".")
        found = vars(import_module(place)).get(now) if place else None
        if found is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warnings.warn(f"{module}.{name} is now {place}.{now}", DeprecationWarning, stacklevel=2)
        return found

    return find


class _Moved:
    """Finds modules under their former names, with a warning."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in MOVED else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        import warnings

        old, new = module.__name__, MOVED[module.__name__]
        warnings.warn(f"{old} is now {new}; the old name goes with version 0.3", DeprecationWarning, stacklevel=2)
        sys.modules[old] = import_module(new)


sys.meta_path.append(_Moved())
