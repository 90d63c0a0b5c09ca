"""Inputs behind frozen encoders: encoded once, then read from the feature store."""

import time
from collections.abc import Mapping

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from plait import console
from plait.data.batches import InputSpec, TableSource
from plait.encoders.tuning import device_of, is_frozen, stored_part
from plait.errors import StoreError
from plait.features.column import ColumnEncoder
from plait.features.store import FEATURES
from plait.files.cache import stand_in
from plait.model import MultimodalModel
from plait.training.precision import has_bfloat16

FEWEST = 32  # passes of a row through its encoder that are worth a look at the store at all


class FrozenInputs:
    """The inputs of a model whose encoders are frozen, and what encodes them.

    Args:
        model: its encoders are in evaluation mode wherever nothing of them trains.
        inputs: how each is read.
        features: `auto` for the fastest path that agrees with float32, `float32` for exact paths, `off` for none.
        workers: threads that read and decode.
        allow_outside: media paths may leave the table's folder.
        verbose: show progress.
        for_folds: several folds will read the features. What was fitted to rows of all of them, such as the biases of
            MiniRocket, must not be: it is left to each fold's own training rows.
    """

    def __init__(
        self,
        model: MultimodalModel,
        inputs: Mapping[str, InputSpec],
        features: str,
        workers: int,
        allow_outside: bool,
        verbose: bool,
        for_folds: bool = False,
    ) -> None:
        self.model, self.inputs, self.features = model, inputs, features
        self.workers, self.allow_outside, self.verbose = workers, allow_outside, verbose
        self.for_folds = for_folds
        self._encoders: dict[str, ColumnEncoder] = {}

    @property
    def names(self) -> list[str]:
        """Inputs with an encoder of which nothing trains; numbers and categories need no store."""
        if self.features == "off":
            return []
        names = [name for name, spec in self.inputs.items() if not spec.is_group and self._is_frozen(name)]
        return [
            name for name in names if not (self.for_folds and getattr(self.inputs[name].processor, "learns", False))
        ]

    def _is_frozen(self, name: str) -> bool:
        return is_frozen(self.model.encoders[name])

    def attach(self, source: TableSource, rows: np.ndarray, times: int = 1) -> list[str]:
        """Let a source read some rows' features from the store, after what is missing there was encoded.

        Args:
            source: whose rows they are.
            rows: which.
            times: how often each is read: an epoch reads it once.

        Returns:
            One line an input: how many values were encoded, how, in what time.
        """
        if len(rows) * times < FEWEST:
            return []
        lines = []
        for name in self.names:
            column = self.inputs[name].columns[0]
            if column not in source.table:
                continue
            while True:
                try:
                    lines.append(self._attach(name, source, rows))
                    break
                except StoreError as error:
                    self._encoders.pop(name, None)
                    if stand_in(FEATURES) is None:
                        why = "nor is there room elsewhere, so frozen encoders run anew for every batch"
                        console.say_once(f"{error}; {why}")
                        self.features = "off"
                        return lines
                    why = "what frozen encoders give is kept until this process ends"
                    console.say_once(f"{error}; {why} (set PLAIT_CACHE to another folder to keep it)")
        return lines

    def _attach(self, name: str, source: TableSource, rows: np.ndarray) -> str:
        start = time.monotonic()
        encoder = self._encoder(name)
        before = encoder.encoded
        with _Bar(name, self.verbose) as bar:
            encoder.tell = bar.tell
            source.encoded[name] = encoder.encode(source.table, np.unique(rows))
        return _line(name, encoder, encoder.encoded - before, time.monotonic() - start)

    def _encoder(self, name: str) -> ColumnEncoder:
        if name not in self._encoders:
            encoder, spec = stored_part(self.model.encoders[name]).eval(), self.inputs[name]
            device = device_of(encoder)
            self._encoders[name] = ColumnEncoder(
                spec.columns[0],
                spec.modality,
                encoder,
                spec.processor,
                exact=self.features == "float32",
                half=has_bfloat16(device),
                workers=self.workers,
                allow_outside=self.allow_outside,
            )
        return self._encoders[name]


def _line(name: str, encoder: ColumnEncoder, encoded: int, seconds: float) -> str:
    if not encoded:
        return f"{name}: features of its frozen encoder are in the store"
    engine = encoder.engine
    how = f" by {engine.name} (x{engine.speed:.1f} eager float32 on a probe)" if engine else ""
    return f"{name}: {encoded:,} values through the frozen encoder in {seconds:.1f} s{how}, stored for the next run"


class _Bar:
    """Values done, on a terminal."""

    def __init__(self, name: str, verbose: bool) -> None:
        self.live = verbose and console.stderr.is_terminal
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn())
        self.bar = Progress(*columns, TimeRemainingColumn(), console=console.stderr, transient=True)
        self.name, self.task = name, self.bar.add_task(name, total=None)

    def __enter__(self) -> "_Bar":
        if self.live:
            self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def tell(self, done: int, total: int, engine: str) -> None:
        self.bar.update(self.task, description=f"{self.name} {engine}", completed=done, total=total)
