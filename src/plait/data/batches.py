"""Row numbers → `Batch`: each distinct value of a batch is decoded, tokenised and encoded once."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from plait.data.table import Table
from plait.errors import DataError, EmptyValue
from plait.layers.ragged import Ragged
from plait.modalities import GROUPS, MODALITIES, Media, Modality
from plait.processors import Features, Processor
from plait.types import Batch, Input

UNUSABLE, EMPTY = -1, -2  # in place of a value's position; such a value is tried only once


@dataclass(frozen=True)
class InputSpec:
    """How one modality is read.

    Args:
        columns: the columns that it reads; a tabular input reads many.
        processor: prepares one value.
        modality: the name of a modality, or of a group of columns.
    """

    columns: tuple[str, ...]
    processor: Processor
    modality: str

    @property
    def is_group(self) -> bool:
        """Several columns are this one input."""
        return self.modality in GROUPS

    @property
    def kind(self) -> Modality | None:
        """What its one column holds; None for a group of columns."""
        return MODALITIES.get(self.modality)


class Source(Protocol):
    """Anything that makes batches of rows."""

    def __len__(self) -> int: ...

    def batch(self, rows: np.ndarray) -> Batch: ...


class Cache:
    """Prepared values, kept while there is room: a small data set is decoded once per run, a large one once per epoch.

    Args:
        limit: bytes.
    """

    def __init__(self, limit: int) -> None:
        self.room = limit
        self._features: dict[Any, Features] = {}
        self._lock = threading.Lock()

    def get(self, key: Any, make: Callable[[], Features]) -> Features:
        cached = self._features.get(key)
        if cached is not None:
            return cached
        features = make()
        size = sum(array.nbytes for array in features.values()) + 200
        with self._lock:  # another thread may have prepared the same value meanwhile
            if size <= self.room and key not in self._features:
                self._features[key] = features
                self.room -= size
        return features


class StoredColumn(Protocol):
    """Features of a column that were computed before, by row; see `plait.features`."""

    width: int
    positions: np.ndarray
    problems: dict[int, str]

    def take(self, rows: np.ndarray, note: Callable[[int, str], None] | None = None) -> Input: ...


class TableSource:
    """Rows of a table as batches.

    Args:
        table: the rows.
        inputs: modality → how to read it. A column that the table lacks is missing in every row.
        targets: target → `[rows of the table, …]` encoded targets, or `Ragged`.
        allow_outside: media paths may leave the table's folder.
        cache: shared with other sources of the same processors.
        problems: if given, a cell that can't be used counts as missing and is noted here once; else it is an error.

    `unusable` holds the rows with such cells among those read so far. `encoded` holds, for inputs behind a frozen
    encoder, the features of all rows that will be read.
    """

    def __init__(
        self,
        table: Table,
        inputs: Mapping[str, InputSpec],
        targets: Mapping[str, np.ndarray] | None = None,
        allow_outside: bool = False,
        cache: Cache | None = None,
        problems: list[str] | None = None,
    ) -> None:
        self.table = table
        self.inputs = dict(inputs)
        for spec in inputs.values():
            odd = next((name for name in spec.columns if name in table.uncovered), None)
            if odd is not None:  # its cells were left out when the table was made, and are not missing
                raise DataError(f"{table.source}: column {odd!r} can't be read: {table.uncovered[odd]}")
        self.targets = {name: _as_target(values) for name, values in (targets or {}).items()}
        self.allow_outside = allow_outside
        self.cache = cache or Cache(0)
        self.problems = problems
        self.unusable: set[int] = set()
        self._reported: set[str] = set()
        self.encoded: dict[str, StoredColumn] = {}
        self._row_marker = object()  # marks cache entries that are this table's rows, not values

    def __len__(self) -> int:
        return len(self.table)

    def batch(self, rows: np.ndarray) -> Batch:
        """Read, prepare and pad the values of some rows.

        Raises:
            DataError: a cell or file can't be used; the message names row and column.
        """
        numbers = torch.from_numpy(np.asarray(rows, dtype=np.int64))
        targets = {name: _target_rows(values, numbers) for name, values in self.targets.items()}
        inputs = {name: self._input(name, rows) for name in self.inputs}
        return Batch(inputs, targets, numbers)

    def find_problems(self, rows: np.ndarray) -> list[dict[str, Any]]:
        """Cells of some rows that can't be used, each with row (from 1), column and what is wrong."""
        problems = []
        for row in rows:
            for name in self.inputs:
                try:
                    self._input(name, np.array([row]))
                except DataError as error:
                    problems.append({"row": int(row) + 1, "input": name, "problem": str(error)})
        return problems

    def _input(self, name: str, rows: np.ndarray) -> Input:
        if name in self.encoded:
            return self.encoded[name].take(np.asarray(rows), None if self.problems is None else self._note)
        spec = self.inputs[name]
        columns = [name for name in spec.columns if name in self.table]
        if spec.is_group:
            return self._grouped(spec, columns, rows)
        if not columns:
            return Input({}, torch.full((len(rows), 1), -1))
        return self._distinct(spec, MODALITIES[spec.modality], columns[0], rows)

    def _grouped(self, spec: InputSpec, columns: list[str], rows: np.ndarray) -> Input:
        cells = {name: self.table.cells(name, rows) for name in columns}
        features = []
        for position, row in enumerate(rows):
            values = {name: cells[name][position] for name in columns}
            try:
                features.append(self._prepared(spec, int(row), int(row), partial(dict, values)))
            except DataError:
                if self.problems is None:
                    raise
                features.append(self._without_bad_cells(spec, int(row), values))
        return Input(spec.processor.collate(features))

    def _distinct(self, spec: InputSpec, modality: Modality, column: str, rows: np.ndarray) -> Input:
        """Distinct values in order of first use, and the index of each row into them."""
        order: dict[Any, int] = {}
        features: list[Features] = []
        index: list[list[int]] = []
        for row, cell in zip(rows, self.table.cells(column, rows), strict=True):
            positions = []
            for piece in modality.pieces(cell):
                if piece not in order:
                    try:
                        prepared = self._usable(spec, piece, int(row), partial(self._content, modality, piece))
                        order[piece] = UNUSABLE if prepared is None else len(features)
                        features += [] if prepared is None else [prepared]
                    except EmptyValue:
                        order[piece] = EMPTY
                positions.append(order[piece])
            if UNUSABLE in positions:
                self.unusable.add(int(row))
            index.append([position for position in positions if position >= 0])
        return Input(spec.processor.collate(features) if features else {}, _padded(index))

    def _without_bad_cells(self, spec: InputSpec, row: int, values: dict[str, Any]) -> Features:
        good = {}
        for name, value in values.items():
            try:
                spec.processor({name: value})
                good[name] = value
            except DataError as error:
                self._note(row, f"{self.table.source}: row {row + 1}: {error}")
        return spec.processor(good)

    def _usable(self, spec: InputSpec, key: Any, row: int, raw: Callable[[], Any]) -> Features | None:
        """Prepared features; None where the cell can't be used and that is allowed."""
        try:
            return self._prepared(spec, key, row, raw)
        except EmptyValue:
            raise
        except DataError as error:
            if self.problems is None:
                raise
            self._note(row, str(error))
            return None

    def _note(self, row: int, problem: str) -> None:
        """Name a cell that can't be used, the first time that it is met."""
        assert self.problems is not None
        self.unusable.add(row)
        if problem not in self._reported:
            self._reported.add(problem)
            self.problems.append(problem)

    def _prepared(self, spec: InputSpec, key: Any, row: int, raw: Callable[[], Any]) -> Features:
        # Two inputs may read one column, each in its own way.
        key = (self._row_marker if spec.is_group else self.table.root, spec.columns[0], id(spec.processor), key)
        try:
            return self.cache.get(key, lambda: spec.processor(raw()))
        except EmptyValue:
            raise
        except DataError as error:
            where = "" if spec.is_group else f", column {spec.columns[0]!r}"
            raise DataError(f"{self.table.source}: row {row + 1}{where}: {error}") from error

    @property
    def media(self) -> Media:
        """Where the cells of the table look for files."""
        return Media(self.table.root, self.allow_outside)

    def _content(self, modality: Modality, piece: Any) -> Any:
        return modality.open(piece, self.media).content


class TensorSource:
    """Rows that are tensors already, such as cached features: a batch is each tensor indexed once.

    Args:
        inputs: modality → feature → `[N, …]`.
        targets: target → `[N, …]`.
    """

    def __init__(self, inputs: Mapping[str, Mapping[str, Tensor]], targets: Mapping[str, Tensor]) -> None:
        self.inputs = {name: dict(features) for name, features in inputs.items()}
        self.targets = dict(targets)
        self.length = len(next(iter(self.targets.values())))

    def __len__(self) -> int:
        return self.length

    def batch(self, rows: np.ndarray) -> Batch:
        numbers = torch.from_numpy(np.asarray(rows, dtype=np.int64))
        return Batch(
            {
                name: Input({key: tensor[numbers] for key, tensor in features.items()})
                for name, features in self.inputs.items()
            },
            {name: _target_rows(target, numbers) for name, target in self.targets.items()},
            numbers,
        )


def _as_target(values: Any) -> Any:
    return values.tensor() if isinstance(values, Ragged) else torch.from_numpy(values)


def _target_rows(values: Any, rows: Tensor) -> Tensor:
    """Targets of some rows; where their lengths differ they are padded with -1, or with NaN for floats."""
    targets = values[rows]
    if isinstance(targets, Ragged):
        return targets.padded(float("nan") if targets.flat.is_floating_point() else -1)
    return targets


def _padded(index: Sequence[Sequence[int]]) -> Tensor:
    most = max(1, max((len(positions) for positions in index), default=1))
    padded = [list(positions) + [-1] * (most - len(positions)) for positions in index]
    return torch.tensor(padded, dtype=torch.int64).view(len(index), most)
