"""A column through a frozen encoder: what the store has is read, the rest is decoded, encoded and stored."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from plait.data.table import Table
from plait.encoders.layout import layout_of
from plait.errors import DataError, EmptyValue, RecipeError, RunError
from plait.features.engine import Engine, choose_engine, encoder_key
from plait.features.store import FeatureStore, features_folder
from plait.modalities import MODALITIES, Media
from plait.processors import Features, Processor
from plait.types import Input

BATCH = 32  # values an encoder takes at once
MOST_BYTES = 64_000_000  # of a padded batch
WINDOW, WINDOW_BYTES = 1024, 256_000_000  # values among which those of like length are batched, and what they hold
SAVE = 512  # values between two writes
LARGEST_HALF = 10_000.0  # float16 ends at 65,504
FITS = {"float16": 65_504.0, "float32": 3.4e38}
UNREAD, BAD = -3, -2  # positions of rows that nobody asked for, and of values that can't be used


@dataclass
class EncodedColumn:
    """A column's stored features, by row.

    Args:
        store: the features; None where no row has a value.
        width: of a token's features.
        positions: `[rows of the table, K]` where each row's values lie; -1 for none.
        problems: row → what is wrong with its value.
    """

    store: FeatureStore | None
    width: int
    positions: np.ndarray
    problems: dict[int, str] = field(default_factory=dict)

    def take(self, rows: np.ndarray, note: Callable[[int, str], None] | None = None) -> Input:
        """Features of some rows, `{"stored": [B, K * T, L * D], "stored_mask": [B, K * T]}`.

        Where the encoder says where its tokens lie, `"stored_where": [B, K * T, 2 or 4]` too.

        Raises:
            DataError: a value can't be used, and nobody is to be told of row and problem instead.
        """
        positions = self.positions[rows]
        for row in rows[(positions == BAD).any(axis=1)]:
            if note is None:
                raise DataError(self.problems[int(row)])
            note(int(row), self.problems[int(row)])
        assert (positions != UNREAD).all(), "a row that was not encoded is asked for"
        where = None
        if self.store is None:
            x, mask = np.zeros((len(rows), 1, self.width), np.float32), np.zeros((len(rows), 1), dtype=bool)
        else:
            x, mask, where = self.store.read(positions.ravel())
        x = x.reshape(len(rows), -1, self.width)
        features = {"stored": torch.from_numpy(x), "stored_mask": torch.from_numpy(mask.reshape(len(rows), -1))}
        if where is not None:
            features["stored_where"] = torch.from_numpy(where.reshape(len(rows), -1, where.shape[2]))
        return Input(features, items=positions.shape[1])


@dataclass
class Value:
    """A distinct value on its way: its content's key, and features where the store has none; or nothing in it."""

    key: bytes = b""
    features: Features | None = None
    problem: str = ""
    empty: bool = False


class EncodedValue(NamedTuple):
    """What an encoder gave for a value: `[T, L * D]`, and where its T real tokens lie."""

    key: bytes
    x: np.ndarray
    where: np.ndarray | None


class ColumnEncoder:
    """Brings a frozen encoder's outputs for a column into its store.

    Args:
        column, modality: of the input.
        encoder: frozen.
        processor: prepares one value.
        exact: only float32 paths.
        half: this machine multiplies in bfloat16.
        workers: threads that read and decode.
        allow_outside: media paths may leave the table's folder.
        root: of the stores; None for the user's cache.
        tell: called with (values done, values in all, the engine's name).
    """

    def __init__(
        self,
        column: str,
        modality: str,
        encoder: Any,
        processor: Processor,
        *,
        exact: bool = False,
        half: bool = False,
        workers: int = 1,
        allow_outside: bool = False,
        root: Path | None = None,
        tell: Callable[[int, int, str], None] | None = None,
    ) -> None:
        self.column, self.modality = column, MODALITIES[modality]
        self.encoder, self.processor = encoder, processor
        self.exact, self.half, self.workers, self.allow_outside = exact, half, max(1, workers), allow_outside
        self.folder = (root or features_folder()) / encoder_key(encoder, exact)[:32]
        self.tell = tell or (lambda done, total, engine: None)
        self.engine: Engine | None = None
        self.store = FeatureStore.existing(self.folder)
        self.encoded = 0  # values that the encoder ran on

    def encode(self, table: Table, rows: np.ndarray) -> EncodedColumn:
        """Features of some rows of a table; of values that are stored already nothing is decoded or encoded."""
        slots: dict[Any, int] = {}
        index: list[list[int]] = []
        for cell in table.iterate(self.column, rows):
            values = self.modality.pieces(cell)
            for value in values:
                slots.setdefault(value, len(slots))
            index.append([slots[value] for value in values])
        keys, problems, empty = self._fill(table, list(slots))
        index = [[slot for slot in one if slot not in empty] for one in index] if empty else index
        return self._column(table, rows, index, keys, problems)

    def _column(
        self, table: Table, rows: np.ndarray, index: list[list[int]], keys: list[bytes], problems: dict[int, str]
    ) -> EncodedColumn:
        store, width = self.store, self.encoder.out_dim if self.store is None else self.store.width
        usable = sorted({slot for slots in index for slot in slots} - problems.keys())
        place = np.full(len(keys) + 1, -1, dtype=np.int64)
        if usable and store is not None:
            place[usable] = store.positions([keys[slot] for slot in usable])
            if (place[usable] < 0).any():  # never take a lost row for a missing value
                raise RunError(
                    f"{store.folder}: features that were just stored are damaged; check the disk, and PLAIT_CACHE"
                )
        place[list(problems)] = BAD
        most = max(1, max((len(slots) for slots in index), default=1))
        positions = np.full((len(table), most), UNREAD, dtype=np.int64)
        positions[rows] = -1
        problems_by_row: dict[int, str] = {}
        for row, slots in zip(rows, index, strict=True):
            positions[row, : len(slots)] = place[slots]
            for slot in slots:
                if slot in problems:
                    problems_by_row[int(row)] = (
                        f"{table.source}: row {row + 1}, column {self.column!r}: {problems[slot]}"
                    )
        return EncodedColumn(store, width, positions, problems_by_row)

    def _fill(self, table: Table, values: list[Any]) -> tuple[list[bytes], dict[int, str], set[int]]:
        """Key of each value, what is wrong with some, and those with nothing in them."""
        keys: list[bytes] = []
        problems: dict[int, str] = {}
        empty: set[int] = set()
        waiting: list[Value] = []
        unsaved: list[EncodedValue] = []
        saved = time.monotonic()
        window, held = WINDOW if self.modality.by_length else BATCH, 0
        for slot, value in enumerate(self._prepared(table, values)):
            keys.append(value.key)
            if value.problem:
                problems[slot] = value.problem
            if value.empty:
                empty.add(slot)
            if value.features is not None:
                waiting.append(value)
                held += _bytes(value.features)
            last = slot + 1 == len(values)
            if len(waiting) >= window or held >= WINDOW_BYTES or (last and waiting):
                unsaved += self._encoded(waiting, len(values) - slot)
                waiting, held = [], 0
            if unsaved and (last or len(unsaved) >= SAVE or time.monotonic() - saved > 10):
                self._save(unsaved)
                unsaved, saved = [], time.monotonic()
            if last or slot % BATCH == 0:
                self.tell(slot + 1, len(values), self.engine.name if self.engine else "")
        return keys, problems, empty

    def _prepared(self, table: Table, values: Sequence[Any]) -> Iterator[Value]:
        """Values read, hashed, and decoded where the store lacks them, ahead in threads, in order."""
        ahead: deque[Future[Value]] = deque()
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="plait-decode")
        try:
            for value in values:
                ahead.append(pool.submit(self._prepare, table, value))
                if len(ahead) >= 4 * BATCH:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _prepare(self, table: Table, value: Any) -> Value:
        try:
            opened = self.modality.open(value, Media(table.root, self.allow_outside))
            key = self.modality.key(opened)
            if self.store is not None and self.store.positions([key])[0] >= 0:
                return Value(key)
            return Value(key, self.processor(opened.content))
        except EmptyValue:
            return Value(empty=True)
        except DataError as error:
            return Value(problem=str(error))

    def _encoded(self, values: list[Value], left: int) -> list[EncodedValue]:
        """Values through the encoder, in batches of like length."""
        rows = []
        for batch in in_batches(values):
            features = self.processor.collate([v.features for v in batch if v.features is not None])
            if self.engine is None:
                self.engine = choose_engine(self.encoder, features, left + len(values), self.half, self.exact)
            x = self.engine.run(features).numpy()
            real, where = self._layout(features, x.shape)
            for value, x_TD, real_T, place in zip(batch, x, real, range(len(batch)), strict=True):
                lies = None if where is None else where[place].numpy()[real_T]
                rows.append(EncodedValue(value.key, x_TD[real_T], lies))
        self.encoded += len(values)
        return rows

    def _layout(self, features: dict[str, Tensor], shape: tuple[int, ...]) -> tuple[np.ndarray, Tensor | None]:
        """`[U, T]` bool: a token is real, and where it lies; the encoder says so, as it may give fewer than its
        processor's pieces.
        """
        mask, where = layout_of(self.encoder, features, shape[1])
        for part, tensor in (("mask", mask), ("where", where)):
            if tensor is not None and tensor.shape[:2] != shape[:2]:
                raise RecipeError(
                    f"inputs.{self.column}: the encoder gives {shape[1]} tokens a value, and its layout's {part} "
                    f"{tensor.shape[1]}; make layout(features) agree with forward, or set train.features=off"
                )
        if mask is None or shape[1] == 1:  # a pooled vector stands for its value, whatever that is
            return np.ones(shape[:2], dtype=bool), where
        return mask.numpy(), where

    def _store_for(self, x: np.ndarray, where_width: int) -> FeatureStore:
        if self.store is None:
            half = bool(np.isfinite(x).all() and np.abs(x).max(initial=0) < LARGEST_HALF)
            meta = {
                "width": x.shape[-1],
                "dtype": "float16" if half else "float32",
                "encoder": (getattr(self.encoder, "weights", None) or {}).get("name", type(self.encoder).__name__),
                "engine": self.engine.name if self.engine else "",
                "exact": self.exact,
                **({"where": where_width} if where_width else {}),
            }
            self.store = FeatureStore(self.folder, meta)
        return self.store

    def _save(self, rows: list[EncodedValue]) -> None:
        largest = max(float(np.abs(row.x).max(initial=0)) for row in rows)
        if self.store is not None and not largest <= FITS[self.store.dtype.name]:
            raise RunError(
                f"{self.folder}: the encoder's output {largest:g} does not fit the store's {self.store.dtype}; set "
                "train.features=off"
            )
        where = [row.where for row in rows if row.where is not None]
        store = self._store_for(np.concatenate([row.x for row in rows]), where[0].shape[1] if where else 0)
        store.add([row.key for row in rows], [row.x for row in rows], where)


def in_batches(values: Sequence[Value]) -> Iterator[list[Value]]:
    """Values of like size together, at most 32, and no more than fit into 64 MB when padded to the largest.

    >>> few, many = (Value(features={"wave": np.zeros(n, np.float32)}) for n in (10, 10_000_000))
    >>> [len(batch) for batch in in_batches([few, many, few, many])]
    [2, 1, 1]
    """
    batch: list[Value] = []
    for value in sorted(values, key=lambda value: _bytes(value.features)):
        if batch and (len(batch) == BATCH or (len(batch) + 1) * _bytes(value.features) > MOST_BYTES):
            yield batch
            batch = []
        batch.append(value)
    if batch:
        yield batch


def _bytes(features: Features | None) -> int:
    return sum(array.nbytes for array in (features or {}).values())
