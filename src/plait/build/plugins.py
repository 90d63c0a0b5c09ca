"""Plugins: users' own parts beside plait's, from a module, a class, an object or an installed package.

A plugin is a Python module with dicts of the names below, such as `FUSIONS = {"mine": MyFusion}`; their entries can be
used by name like plait's own. A run records which plugins it needs. A plugin is only imported because a person names
it (`--plugin`, `plugins:` in a recipe of their own, Python), and never because a run folder does.
"""

import copy
import importlib
import inspect
import sys
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import torch
from torch import nn

from plait.decoders import DECODERS
from plait.encoders import ENCODERS
from plait.errors import PlaitError, RecipeError, RunError
from plait.fusion import FUSIONS
from plait.modalities import MODALITIES, Modality
from plait.processors import PROCESSORS
from plait.recipe import Recipe
from plait.tasks import TASKS
from plait.types import Tokens

PARTS: dict[str, dict[str, Any]] = {
    "MODALITIES": MODALITIES,
    "PROCESSORS": PROCESSORS,
    "ENCODERS": ENCODERS,
    "FUSIONS": FUSIONS,
    "DECODERS": DECODERS,
    "TASKS": TASKS,
}
# Any of these beside a recipe shows that plait wrote the folder.
OF_RUNS = ("processors", "schema.json", "model.safetensors", "checkpoints", "state.json", "metrics.json")
MARKS = {  # the attribute that shows what kind of part a class is
    "TASKS": "from_table",
    "PROCESSORS": "collate",
    "ENCODERS": "modality",
    "FUSIONS": "stage",
    "DECODERS": "begin",
}
OwnPart: TypeAlias = tuple[str, str, Any]  # the dict, the name in it, and the part
_LOADED: dict[str, list[OwnPart]] = {}  # plugin → its parts


def load(plugin: Any) -> None:
    """Add the parts of a plugin; one that is loaded already stays as it is.

    Args:
        plugin: a module, or the name of one, found in the working directory too; a class, or `module:Class`.

    Raises:
        PlaitError: it can't be imported, has no parts, or has one under a name that plait uses already.
    """
    if not isinstance(plugin, str | ModuleType):
        adopt(_kind_of(plugin), plugin)
        return
    name = plugin if isinstance(plugin, str) else plugin.__name__
    if name in _LOADED:
        return
    module_name, colon, path = name.partition(":")
    module = _imported(module_name) if isinstance(plugin, str) else plugin
    if colon:
        part = getattr(module, path, None)
        if part is None:
            raise PlaitError(f"plugin {name}: {module_name} has no {path}")
        adopt(_kind_of(part), part)
        return
    parts = [(kind, key, part) for kind in PARTS for key, part in getattr(module, kind, {}).items()]
    if not parts:
        raise PlaitError(f"plugin {name}: expected dicts such as FUSIONS = {{…}}; known: {', '.join(PARTS)}")
    receive({name: parts})


def load_all(plugins: Iterable[Any] | Mapping[str, Any]) -> None:
    """Load several plugins, see `load`. A mapping holds objects by the place that they had: `fusion`, `decoder`, or the
    name of a column.
    """
    if isinstance(plugins, Mapping):
        kinds = {"fusion": "FUSIONS", "decoder": "DECODERS"}
        for place, module in plugins.items():
            adopt(kinds.get(place, "ENCODERS"), module, place)
        return
    for plugin in plugins:
        load(plugin)


def _kind_of(part: Any) -> str:
    """The name of the dict that a class or an object belongs to, by its attributes."""
    if isinstance(part, Modality):
        return "MODALITIES"
    for kind, mark in MARKS.items():
        if hasattr(part, mark):
            return kind
    raise PlaitError(
        f"{getattr(part, '__name__', part)!s:.60}: expected a class with one of {', '.join(MARKS.values())}; see "
        "docs/extending.md"
    )


def _imported(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # last: a file here never stands in for an installed module
    try:
        return importlib.import_module(name)
    except Exception as error:  # a module may raise anything when it is imported
        first = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise PlaitError(f"plugin {name}: can't be imported ({type(error).__name__}: {first})") from error


def receive(plugins: Mapping[str, Iterable[OwnPart]]) -> None:
    """Add the parts of plugins, which were just loaded or come from another process of a comparison.

    Raises:
        PlaitError: a name is taken.
    """
    for plugin, offered in plugins.items():
        parts = list(offered)
        for kind, name, part in parts:
            if PARTS[kind].get(name, part) is not part and plugin not in _LOADED:
                raise PlaitError(f"plugin {plugin}: {kind} has {name!r} already; give it another name")
        _LOADED.setdefault(plugin, parts)
        for kind, name, part in _LOADED[plugin]:
            PARTS[kind].setdefault(name, part)


@cache
def load_installed() -> None:
    """Add the entry points of installed packages: `plait.fusions`, `plait.encoders`, …, each a name and a part.

    Raises:
        PlaitError: one can't be imported, or its name is taken.
    """
    for kind in PARTS:
        for entry in entry_points(group=f"plait.{kind.lower()}"):
            plugin = entry.dist.name if entry.dist is not None else entry.value
            try:
                part = entry.load()
            except Exception as error:
                raise PlaitError(f"entry point {entry.name} of {plugin}: can't be imported ({error})") from error
            if PARTS[kind].setdefault(entry.name, part) is not part:
                raise PlaitError(f"entry point {entry.name} of {plugin}: {kind} has that name already")
            _LOADED.setdefault(plugin, []).append((kind, entry.name, part))


def load_for(recipe: Recipe, source: Path | None = None) -> None:
    """Load the plugins that a recipe names, if a person wrote the recipe and not plait.

    Args:
        recipe: of a user, or of a run.
        source: its file; a recipe in a run folder imports nothing.

    Raises:
        PlaitError: one can't be imported.
        RunError: a run's recipe names one that nobody has loaded.
    """
    load_installed()
    beside = () if source is None else tuple(source.parent / name for name in OF_RUNS)
    if recipe.plugins and (recipe.resolved or any(path.exists() for path in beside)):
        require(recipe.plugins, source or "the recipe")
        return
    for name in recipe.plugins:
        load(name)


def require(plugins: Collection[str], source: object) -> None:
    """Refuse a run whose plugins nobody has loaded.

    Raises:
        RunError: the message says what to type to load them.
    """
    load_installed()
    lacking = [name for name in plugins if name not in _LOADED]
    if lacking:
        wanted = " ".join(f"--plugin {name.partition('@')[0]}" for name in lacking)
        objects = [name.partition("@")[2] for name in lacking if "@" in name]
        python = f"plugins={{{', '.join(f'{place!r}: …' for place in objects)}}}" if objects else "plugins=[…]"
        raise RunError(
            f"{source}: needs parts of somebody's own, {', '.join(lacking)}; if you trust them, name them: {wanted} "
            f"(in Python: {python})"
        )


def named(values: Mapping[str, Any]) -> dict[str, Any]:
    """Sections of a recipe, with classes and objects replaced by names under which they are registered.

    `fusion=MyFusion`, `fusion={"method": MyFusion}`, a decoder likewise, `inputs={"photo": {"encoder": MyEncoder}}`.

    Raises:
        RecipeError: something is neither a class nor a module of torch.
    """
    out = dict(values)
    for section, kind in (("fusion", "FUSIONS"), ("decoder", "DECODERS")):
        value = out.get(section)
        if value is not None and not isinstance(value, str | Mapping):
            out[section] = {"method": adopt(kind, value, section)}
        elif isinstance(value, Mapping) and not isinstance(value.get("method", ""), str):
            out[section] = {**value, "method": adopt(kind, value["method"], section)}
    inputs = out.get("inputs")
    if isinstance(inputs, Mapping):
        out["inputs"] = {column: _named_encoder(str(column), spec) for column, spec in inputs.items()}
    return out


def _named_encoder(column: str, spec: Any) -> Any:
    encoder = spec.get("encoder") if isinstance(spec, Mapping) else None
    if encoder is None or isinstance(encoder, str):
        return spec
    return {**spec, "encoder": adopt("ENCODERS", encoder, column)}


def adopt(kind: str, part: Any, place: str = "") -> str:
    """Register a class, or an object to copy, and return its name.

    That is `module:Class`, for an object `module:Class@place`. A class that is defined again, as in a notebook,
    replaces the former one.

    Raises:
        RecipeError: it is neither a class nor a module of torch.
    """
    is_class = inspect.isclass(part)
    cls = part if is_class else type(part)
    if not is_class and not isinstance(part, nn.Module | Modality):
        raise RecipeError(f"expected a name, a class or an nn.Module, got {part!r:.60}")
    name = f"{cls.__module__}:{cls.__qualname__}" + ("" if is_class else f"@{place}")
    if isinstance(part, Modality):
        name = part.name
    if ":" in name or name in _LOADED:
        PARTS[kind].pop(name, None)
        _LOADED.pop(name, None)
    receive({name: [(kind, name, part if is_class or isinstance(part, Modality) else Copies(part))]})
    return name


class Copies:
    """Makes copies of a module, so that each run and each fold begins with the module as it was passed.

    Args:
        module: an encoder, which brings its processor, or a fusion.
    """

    def __init__(self, module: Any) -> None:
        self.module = copy.deepcopy(module)
        self.stage = getattr(module, "stage", "mid")
        self.modality = getattr(module, "modality", "")

    def __call__(self, *given: Any) -> Any:
        """A copy. There are no options, because the module exists already.

        Raises:
            ValueError: it is a fusion that does not fit the widths of this model's encoders.
        """
        twin = copy.deepcopy(self.module)
        if len(given) > 1 and isinstance(
            given[0], Mapping
        ):  # a fusion: widths by modality, and the width of its output
            widths, width = given[:2]
            try:
                with torch.no_grad():
                    pooled = copy.deepcopy(twin).eval()({n: Tokens.missing(2, dim) for n, dim in widths.items()}).pooled
            except (RuntimeError, KeyError) as error:
                raise ValueError(f"it does not take {dict(widths)}: {str(error).splitlines()[0]}") from error
            if pooled.shape[1] != width:
                raise ValueError(f"it gives vectors of {pooled.shape[1]} numbers, fusion.dim is {width}")
        return twin

    def fit_processor(self, values: Iterable[Any]) -> Any:
        """The processor that the encoder has."""
        return self.module.processor


def needed(recipe: Recipe) -> list[str]:
    """The plugins whose parts a recipe names."""
    names = {
        ("FUSIONS", recipe.fusion.method),
        ("DECODERS", recipe.decoder.method),
        *(("TASKS", spec.type) for spec in recipe.task),
        *(("ENCODERS", spec.encoder) for spec in recipe.inputs.values()),
        *(("MODALITIES", spec.modality) for spec in recipe.inputs.values()),
    }
    names |= {("ENCODERS", MODALITIES[spec.modality].default) for spec in recipe.inputs.values() if spec.modality}
    return sorted(plugin for plugin, parts in _LOADED.items() if any((kind, name) in names for kind, name, _ in parts))


def carried() -> dict[str, list[OwnPart]]:
    """All loaded plugins, to be sent to another process; see `receive`."""
    return dict(_LOADED)
