"""A run on disk: recipe, schema, weights, processors, metrics. Each file appears whole or not at all."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from math import inf
from pathlib import Path
from typing import Any, Literal

from typing_extensions import TypedDict

from plait.build.plugins import require
from plait.data.batches import InputSpec
from plait.data.schema import Schema, load_schema, save_schema
from plait.data.table import Table
from plait.errors import RunError, unknown
from plait.files.atomic import claimed, sweep, unwritable, write_json, write_text
from plait.files.reading import read_json, read_yaml
from plait.modalities import GROUPS, MODALITIES
from plait.processors import PROCESSORS, load_processor, save_processor
from plait.recipe import FORMAT, Recipe, check_format
from plait.tasks import Targets
from plait.training.checkpoint import LAST

LOG, ANSWERS = "log.jsonl", "answers"
HELD = {  # file → what a folder with it is, and advice; in this order, for a comparison has a recipe too
    "state.json": ("comparison", ""),
    "catalogue.json": ("index", ""),
    "recipe.yaml": ("run", "continue it with --resume, or "),
}
PLUGGED = "a part of somebody's own comes with --plugin MODULE"
LONGEST_NAME = 100  # characters of a folder that is named after a table and its targets


class Listed(TypedDict):
    """An input in `processors/inputs.json`."""

    name: str
    columns: list[str]
    modality: str
    config: dict[str, Any] | None


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run, and how its files are read and written.

    Args:
        path: the folder.
    """

    path: Path

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def weights(self) -> Path:
        return self.path / "model.safetensors"

    @property
    def trained(self) -> bool:
        """Whether it holds weights to go on with, final ones or those of a checkpoint."""
        return self.weights.exists() or (self.checkpoints / LAST).exists()

    @property
    def has_results(self) -> bool:
        """Whether it is worth keeping: it holds weights, or answers of a comparison."""
        return self.trained or any((self.path / ANSWERS).glob("*.npz"))

    def refuse_existing(self, but: str = "") -> None:
        """Raise `RunError` where the folder already holds something that plait wrote, other than `but`."""
        try:
            occupant = next(
                (kind_and_advice for name, kind_and_advice in HELD.items() if (self.path / name).exists()), None
            )
        except OSError as error:  # such as a name that is too long
            raise unwritable(self.path, error) from error
        if occupant is not None and occupant[0] != but:
            article = "an" if occupant[0][0] in "aeiou" else "a"
            raise RunError(f"{self.path}: holds {article} {occupant[0]} already; {occupant[1]}choose another with -o")

    def write_text(self, name: str, text: str) -> None:
        """Replace a file in one step.

        Raises:
            RunError: the disk is full or the folder not writable; the old file stays.
        """
        write_text(self.path / name, text)

    def write_json(self, name: str, value: Any) -> None:
        write_json(self.path / name, value)

    def read_json(self, name: str, kind: Any = Any) -> Any:
        """Read a JSON file, whose content must be of a kind; see `plait.files.reading.checked` for kinds.

        Raises:
            RunError: missing, damaged, or something else.
        """
        return read_json(self.path / name, kind)

    def append_log(self, record: Mapping[str, Any]) -> None:
        """Add a line to `log.jsonl`.

        Raises:
            RunError: the disk is full.
        """
        try:
            with (self.path / LOG).open("a", encoding="utf-8") as file:
                file.write(json.dumps(record, default=float) + "\n")
        except OSError as error:
            raise unwritable(self.path / LOG, error) from error

    def trim_log(self, epoch: int, step: int) -> None:
        """Cut the records of steps after a checkpoint off `log.jsonl`, because a resumed run does those steps again.

        Args:
            epoch, step: what is done: whole epochs, and batches of the next one.
        """
        path = self.path / LOG
        keep_until, read_until = 0, 0
        for line in path.read_bytes().splitlines(keepends=True) if path.exists() else []:
            read_until += len(line)
            try:
                record = json.loads(line)
                at = (int(record["epoch"]), float(record.get("step", inf))) if "epoch" in record else None
            except ValueError:  # a kill left half of it
                break
            if at is not None and at > (epoch + 1, step):
                break
            keep_until = keep_until if at is None else read_until  # samples belong to the epoch whose record follows
        if path.exists():
            os.truncate(path, keep_until)

    def save_setup(
        self,
        recipe: Recipe,
        schema: Schema,
        inputs: Mapping[str, InputSpec],
        targets: Targets,
        encoders: Any,
    ) -> None:
        """Write everything but weights and results. The recipe comes last: a folder with one is complete."""
        names = list(inputs)
        for position, name in enumerate(names):
            save_processor(inputs[name].processor, self.path / "processors" / f"{position}.json")
        listing = [
            {
                "name": name,
                "columns": inputs[name].columns,
                "modality": inputs[name].modality,
                "config": getattr(encoders[name], "config", None) or {},
            }
            for name in names
        ]
        self.write_json("processors/inputs.json", listing)
        self.write_json("processors/targets.json", targets.to_json())
        save_schema(schema, self.path / "schema.json")
        self.write_recipe(recipe)

    def write_recipe(self, recipe: Recipe) -> None:
        header = f"# written by plait; the same run again: plait train recipe.yaml\nplait_format: {FORMAT}\n"
        self.write_text("recipe.yaml", header + recipe.write())

    def read_recipe(self) -> Recipe:
        """The resolved recipe.

        Raises:
            RunError: this is no run folder, or a newer plait wrote it.
        """
        path = self.path / "recipe.yaml"
        if not path.is_file():
            raise RunError(f"{self.path}: expected a run folder with a recipe.yaml, found none")
        values = read_yaml(path, RunError)
        if not isinstance(values, dict):
            raise RunError(f"{path}: expected a recipe, got {type(values).__name__}")
        check_format(values.pop("plait_format", 0), path, RunError)
        recipe = Recipe.parse(values, str(path))
        require(recipe.plugins, path)
        return recipe

    def read_setup(
        self, allow_outside: bool = False
    ) -> tuple[Recipe, Schema, dict[str, InputSpec], Targets, dict[str, dict[str, Any]]]:
        """What `save_setup` wrote: recipe, schema, inputs, targets and the encoders' configurations.

        The caller decides whether media may lie outside a table's folder, whatever the recipe says: the run may be a
        stranger's, while the tables that it will read are the caller's own.

        Raises:
            RunError: something is missing, damaged or newer.
        """
        recipe = self.read_recipe()
        recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"allow_outside": allow_outside})})
        listing: list[Listed] = self.read_json("processors/inputs.json", list[Listed])
        inputs: dict[str, InputSpec] = {}
        configs: dict[str, dict[str, Any]] = {}
        for position, entry in enumerate(listing):
            path = self.path / "processors" / f"{position}.json"
            processor = load_processor(path)
            modality = MODALITIES.get(entry["modality"]) or GROUPS.get(entry["modality"])
            if modality is None:
                message = unknown("modality", entry["modality"][:60], [*MODALITIES, *GROUPS])
                raise RunError(f"{self.path / 'processors/inputs.json'}: {message}; {PLUGGED}")
            # Files may have been edited: processor, modality and recipe must agree on every input.
            fitting = tuple(PROCESSORS[name] for name in modality.processors)
            fits = isinstance(processor, fitting) or getattr(processor, "modality", None) == entry["modality"]
            if not fits or not entry["columns"] or entry["name"] in inputs:
                raise RunError(f"{path}: is not what prepares {entry['modality']} of input {entry['name'][:60]!r}")
            if entry["modality"] not in GROUPS and entry["name"] not in recipe.inputs:
                raise RunError(f"{self.path}: recipe.yaml has no input {entry['name'][:60]!r}, and processors/ has one")
            inputs[entry["name"]] = InputSpec(tuple(entry["columns"]), processor, entry["modality"])
            configs[entry["name"]] = entry["config"] or {}
        if not inputs:
            raise RunError(f"{self.path / 'processors/inputs.json'}: expected the inputs of a run, found none")
        targets = Targets.from_json(self.read_json("processors/targets.json"), self.path / "processors/targets.json")
        return recipe, load_schema(self.path / "schema.json"), inputs, targets, configs


def name_of_run(recipe: Recipe, table: Table) -> str:
    """What a new run's folder is named after: the table, and its targets or its task."""
    stem = Path(table.source).stem if table.root is not None else "frame"
    return "-".join([stem, *(recipe.targets or [str(recipe.task[0].type)])])


@contextmanager
def claimed_folder(
    output: str | Path | None, stem: str, parent: str = "runs", goes_on: str = ""
) -> Iterator[RunFolder]:
    """A folder that no other process may write to meanwhile: `output`, else `parent/stem-1` or the next free number.

    Where the work fails before there are results, what was written is removed, so that the corrected command finds
    the folder as it was.

    Args:
        output: the folder; None for a new one.
        stem: what a new one is named after.
        parent: where new ones lie.
        goes_on: what the folder may already hold: a `run`, a `comparison`, or nothing.

    Raises:
        RunError: it holds something already, another process has it, or it can't be written.
    """
    with ExitStack() as stack:
        if output is not None:
            run = RunFolder(Path(output).expanduser())
            stack.enter_context(claimed(run.path, partial(getattr, run, "has_results")))
        else:
            run = stack.enter_context(_numbered(Path(parent), stem))
        run.refuse_existing(but=goes_on)
        if goes_on:
            sweep(run.path)
        yield run


@contextmanager
def passing_folder(output: str | Path | Literal[False] | None) -> Iterator[tuple[str | Path | None, bool]]:
    """Where a run goes, and whether it stays: with False to a folder that is gone afterwards."""
    if output is not False:
        yield output, True
        return
    with tempfile.TemporaryDirectory(prefix="plait-") as folder:
        yield Path(folder) / "run", False


@contextmanager
def _numbered(parent: Path, stem: str) -> Iterator[RunFolder]:
    """The first of `stem-1`, `stem-2`, … that does not exist yet, claimed."""
    stem = stem.replace("/", "_")[:LONGEST_NAME]
    for number in count(1):
        run = RunFolder(parent / f"{stem}-{number}")
        with ExitStack() as stack:
            try:
                stack.enter_context(claimed(run.path, partial(getattr, run, "has_results"), new=True))
            except FileExistsError:
                continue
            yield run
            return
