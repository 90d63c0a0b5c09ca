"""A run on disk: recipe, schema, weights, processors, metrics. Written file by file in one step each."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from plait.data.batches import InputSpec
from plait.data.schema import Schema, load_schema, save_schema
from plait.errors import RunError
from plait.processors import load_processor, save_processor
from plait.recipe import Recipe
from plait.tasks import Targets

FORMAT = 1  # of the folder; a reader refuses a newer one


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

    def read_json(self, name: str) -> Any:
        """Read a JSON file.

        Raises:
            RunError: absent or damaged.
        """
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{self.path / name}: can't be read ({error})") from error

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
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise RunError(f"{path}: can't be read ({error})") from error
        if not isinstance(values, dict):
            raise RunError(f"{path}: expected a recipe, got {type(values).__name__}")
        written = values.pop("plait_format", 0)
        if not isinstance(written, int) or written > FORMAT:
            raise RunError(
                f"{path}: written by a newer plait (format {written}, this one reads {FORMAT}); upgrade plait"
            )
        return Recipe.parse(values, str(path))

    def read_setup(self) -> tuple[Recipe, Schema, dict[str, InputSpec], Targets, dict[str, dict[str, Any]]]:
        """What `save_setup` wrote: recipe, schema, inputs, targets and the encoders' configurations.

        Raises:
            RunError: something is absent, damaged or newer.
        """
        recipe = self.read_recipe()
        listing = self.read_json("processors/inputs.json")
        inputs, configs = {}, {}
        for position, entry in enumerate(listing):
            processor = load_processor(self.path / "processors" / f"{position}.json")
            inputs[entry["name"]] = InputSpec(tuple(entry["columns"]), processor, entry["modality"])
            configs[entry["name"]] = entry["config"] or {}
        targets = Targets.from_json(self.read_json("processors/targets.json"))
        return recipe, load_schema(self.path / "schema.json"), inputs, targets, configs


def run_folder(output: str | Path | None, stem: str, parent: str = "runs") -> RunFolder:
    """The given folder, else `parent/stem-1` or the first number that is free."""
    if output is not None:
        return RunFolder(Path(output).expanduser())
    number = 1
    while (Path(parent) / f"{stem}-{number}").exists():
        number += 1
    return RunFolder(Path(parent) / f"{stem}-{number}")
