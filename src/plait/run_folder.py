"""A run on disk: recipe, schema, weights, processors, metrics. Written file by file in one step each."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from typing_extensions import TypedDict

from plait.data.batches import InputSpec
from plait.data.schema import Schema, load_schema, save_schema
from plait.errors import RunError
from plait.processors import (
    ImageProcessor,
    OpenClipTextProcessor,
    TabularProcessor,
    TextProcessor,
    WordsProcessor,
    load_processor,
    save_processor,
)
from plait.reading import read_json, read_yaml
from plait.recipe import Recipe
from plait.tasks import Targets

FORMAT = 1  # of the folder; a reader refuses a newer one
PREPARES: dict[str, tuple[type, ...]] = {
    "text": (TextProcessor, WordsProcessor, OpenClipTextProcessor),
    "image": (ImageProcessor,),
    "tabular": (TabularProcessor,),
}


class Listed(TypedDict):
    """An input in `processors/inputs.json`."""

    name: str
    columns: list[str]
    modality: Literal["text", "image", "tabular"]
    config: dict[str, Any] | None


@dataclass(frozen=True)
class RunFolder:
    """Where a run's files are.

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

    def refuse_existing(self) -> None:
        """Raise `RunError` where the folder holds a run already."""
        if (self.path / "recipe.yaml").exists():
            raise RunError(f"{self.path}: holds a run already; continue it with --resume, or choose another with -o")

    def create(self) -> None:
        """Make the folder.

        Raises:
            RunError: it can't be written.
        """
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            probe = self.path / f".{os.getpid()}.tmp"
            probe.write_text("plait", encoding="utf-8")
            probe.unlink()
        except OSError as error:
            raise RunError(
                f"{self.path}: the folder can't be written ({error.strerror}); choose another with -o"
            ) from error

    def write_text(self, name: str, text: str) -> None:
        """Replace a file in one step.

        Raises:
            RunError: the disk is full or the folder not writable; the old file stays.
        """
        path = self.path / name
        beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(text, encoding="utf-8")
            beside.replace(path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise RunError(f"{path}: can't be written ({error.strerror or error})") from error

    def write_json(self, name: str, value: Any) -> None:
        self.write_text(name, json.dumps(value, indent=1, ensure_ascii=False, default=float) + "\n")

    def read_json(self, name: str, kind: Any = Any) -> Any:
        """Read a JSON file that holds what is expected; see `plait.reading.checked` for kinds.

        Raises:
            RunError: absent, damaged, or something else.
        """
        return read_json(self.path / name, kind)

    def append_log(self, record: Mapping[str, Any]) -> None:
        """Add a line to `log.jsonl`."""
        with (self.path / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, default=float) + "\n")

    def save_setup(
        self,
        recipe: Recipe,
        schema: Schema,
        inputs: Mapping[str, InputSpec],
        targets: Targets,
        encoders: Any,
    ) -> None:
        """Everything but weights and results. The recipe comes last: a folder with one is complete."""
        names = list(inputs)
        (self.path / "processors").mkdir(exist_ok=True)
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
        written = values.pop("plait_format", 0)
        if not isinstance(written, int) or written > FORMAT:
            raise RunError(
                f"{path}: written by a newer plait (format {written}, this one reads {FORMAT}); upgrade plait"
            )
        return Recipe.parse(values, str(path))

    def read_setup(
        self, allow_outside: bool = False
    ) -> tuple[Recipe, Schema, dict[str, InputSpec], Targets, dict[str, dict[str, Any]]]:
        """What `save_setup` wrote: recipe, schema, inputs, targets and the encoders' configurations.

        Whether media may lie outside a table's folder is what the caller says, whatever the recipe does: a run may be
        a stranger's, and the tables that it will read are the caller's own.

        Raises:
            RunError: something is absent, damaged or newer.
        """
        recipe = self.read_recipe()
        recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"allow_outside": allow_outside})})
        listing: list[Listed] = self.read_json("processors/inputs.json", list[Listed])
        inputs: dict[str, InputSpec] = {}
        configs: dict[str, dict[str, Any]] = {}
        for position, entry in enumerate(listing):
            path = self.path / "processors" / f"{position}.json"
            processor = load_processor(path)
            fitting = PREPARES[entry["modality"]]
            if not isinstance(processor, fitting) or not entry["columns"] or entry["name"] in inputs:
                raise RunError(f"{path}: is not what prepares {entry['modality']} of input {entry['name'][:60]!r}")
            if entry["modality"] != "tabular" and entry["name"] not in recipe.inputs:
                raise RunError(f"{self.path}: recipe.yaml has no input {entry['name'][:60]!r}, and processors/ has one")
            inputs[entry["name"]] = InputSpec(tuple(entry["columns"]), processor, entry["modality"])
            configs[entry["name"]] = entry["config"] or {}
        if not inputs:
            raise RunError(f"{self.path / 'processors/inputs.json'}: expected the inputs of a run, found none")
        targets = Targets.from_json(self.read_json("processors/targets.json"), self.path / "processors/targets.json")
        return recipe, load_schema(self.path / "schema.json"), inputs, targets, configs


def run_folder(output: str | Path | None, stem: str, parent: str = "runs") -> RunFolder:
    """The given folder, else `parent/stem-1` or the first number that is free."""
    if output is not None:
        return RunFolder(Path(output).expanduser())
    number = 1
    while (Path(parent) / f"{stem}-{number}").exists():
        number += 1
    return RunFolder(Path(parent) / f"{stem}-{number}")
