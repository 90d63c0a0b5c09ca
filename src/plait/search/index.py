"""A searchable table on disk: vectors, columns and thumbnails in LanceDB."""

import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NotRequired

import numpy as np
import pyarrow as pa
from typing_extensions import TypedDict

from plait import console, former_names
from plait.data.schema import Schema
from plait.data.table import Table
from plait.encoders.weights import hash_weights
from plait.errors import DataError, RunError, import_extra
from plait.files.atomic import LOCK, unwritable, write_json
from plait.files.reading import checked, read_json
from plait.modalities import MODALITIES, Media, Modality, show_cell
from plait.predictor import Predictor
from plait.values import as_number, as_text, is_missing, number_form

FORMAT = 1
META, ROWS = "catalogue.json", "rows"
ANN_FROM = 100_000  # rows from which an approximate index is made
PART = 2_048  # rows that are embedded and written at once
SIDE = 192  # pixels of a thumbnail's longer side


class Meta(TypedDict):
    """What `catalogue.json` says: the model that made the vectors, and the columns."""

    format: int
    run: str
    model: str
    side: str
    modality: str
    columns: dict[str, Literal["number", "text"]]
    stored: NotRequired[dict[str, str]]  # what a column is called in the database, which has no room for some names
    forms: NotRequired[dict[str, dict[str, str]]]  # how a column writes its numbers
    pictures: list[str]
    heard: NotRequired[bool]  # a column holds sounds or videos, of which the first ten seconds are kept
    film: NotRequired[bool]  # they are of videos
    root: str


class Index:
    """Rows that can be searched, and what embedded them.

    Args:
        path: the folder, `NAME.lance`.

    Raises:
        RunError: it is no index, damaged, or a newer plait wrote it.
        MissingExtra: LanceDB is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not (path / META).is_file():
            raise RunError(f"{path}: expected an index; make one with: plait index RUN TABLE -o {path}")
        content = read_json(path / META, dict[str, Any])
        if content.get("format") != FORMAT:
            raise RunError(f"{path}: written by another version of plait; make it again with plait index")
        self.meta: Meta = checked(content, Meta, path / META, RunError)
        self._table: Any = None

    @classmethod
    def create(cls, path: Path, predictor: Predictor, run: str, side: str, schema: Schema) -> "Index":
        """An empty index.

        Raises:
            RunError: the folder can't be written, or holds something else.
        """
        unfinished = (LOCK, META, f"{ROWS}.lance")  # of a first write that was killed
        if path.exists() and any(entry.name not in unfinished for entry in path.iterdir()):
            raise RunError(f"{path}: holds something that is no index; choose another with -o")
        modalities = {name: MODALITIES.get(column.modality) for name, column in schema.items()}
        numeric = {name for name, modality in modalities.items() if modality is not None and modality.numeric}
        kinds = {name: "number" if name in numeric else "text" for name in schema}
        played = [one for one in modalities.values() if one is not None and one.heard]
        meta = {
            "format": FORMAT,
            "run": run,
            "model": fingerprint(predictor),
            "side": side,
            "modality": predictor.inputs_[side].modality,
            "columns": kinds,
            "stored": {name: f"c{place}" for place, name in enumerate(kinds)},
            "forms": {name: column.form for name, column in schema.items() if column.form},
            "pictures": [name for name, modality in modalities.items() if modality is not None and modality.pictured],
            "heard": bool(played),
            "film": bool(played) and played[0].made_of is not None,
            "root": "",
        }
        write_json(path / META, meta)
        return cls(path)

    @property
    def columns(self) -> dict[str, str]:
        """Column → `number` or `text`."""
        return dict(self.meta["columns"])

    @property
    def stored(self) -> dict[str, str]:
        """Column → what the database calls it: a name of ours, or in older indices the column's own."""
        return self.meta.get("stored") or {name: name for name in self.columns}

    @property
    def table(self) -> Any:
        """LanceDB's table; None where nothing was added yet."""
        if self._table is None:
            lancedb = import_extra("lancedb", "search")
            os.environ.setdefault("RUST_LOG", "error")
            database = lancedb.connect(str(self.path))
            if _rows(self.path).is_dir():
                try:
                    self._table = database.open_table(ROWS)
                except (OSError, ValueError, RuntimeError) as error:
                    if not is_begun(self.path):
                        return None
                    raise RunError(f"{self.path}: the index is damaged ({_first(error)}); make it again") from error
        return self._table

    def __len__(self) -> int:
        return 0 if self.table is None else int(self.table.count_rows())

    def require_model(self, predictor: Predictor, run: str) -> None:
        """Refuse another model than the one that made the vectors.

        Raises:
            RunError: it is another.
        """
        model = fingerprint(predictor)
        if self.meta["model"] != model:
            raise RunError(
                f"{self.path}: its vectors were made by {self.meta['run']} (model {self.meta['model'][:12]}…), and "
                f"{run} is another model ({model[:12]}…); use --run {self.meta['run']}, or make the index again"
            )

    def keys(self) -> set[str]:
        """Content keys of the rows that are there."""
        return set() if self.table is None else set(self.read(["id"]).column("id").to_pylist())

    def read(self, columns: Sequence[str], where: str | None = None) -> pa.Table:
        """Columns of all rows, or of those that a filter (SQL, as `parse_where` writes it) lets through.

        Raises:
            DataError: the filter can't be applied to the columns.
            RunError: the rows can't be read.
        """
        query = self.table.search().select(list(columns)).limit(max(1, len(self)))
        try:
            return (query.where(where) if where else query).to_arrow()
        except (OSError, ValueError, RuntimeError) as error:
            if where is None:
                raise RunError(f"{self.path}: its rows can't be read ({_first(error)}); make it again") from error
            raise DataError(f"--where: can't be applied ({_first(error)})") from error

    def add(self, rows: pa.Table) -> None:
        """Append rows, whole or not at all.

        Raises:
            RunError: they can't be written; what was there stays.
        """
        try:
            if self.table is None:
                shutil.rmtree(_rows(self.path), ignore_errors=True)  # a first write that was killed
                database = import_extra("lancedb", "search").connect(str(self.path))
                self._table = database.create_table(ROWS, rows)
            else:
                self.table.add(rows)
        except (OSError, ValueError, RuntimeError) as error:
            advice = "the same command goes on where it stopped"
            raise unwritable(self.path, error, advice) from error

    def build_indices(self, verbose: bool = False) -> None:
        """Full text over the texts, and from 100,000 rows on an approximate index over the vectors.

        Raises:
            RunError: they can't be written; the rows stay.
        """
        lancedb = import_extra("lancedb", "search")
        try:
            self.table.optimize()
            for name in (self.stored[text] for text in self.texts):
                # ICU finds words where no spaces part them, such as 企鹅.
                config = lancedb.index.FTS(base_tokenizer="icu", stem=False, remove_stop_words=False)
                self.table.create_index(name, config=config, replace=True)
            count = len(self)
            if count >= ANN_FROM:
                if verbose:
                    console.say(f"{self.path}: an approximate index over {count:,} vectors")
                parts = int(np.clip(count**0.5, 64, 4096))
                config = lancedb.index.IvfFlat(distance_type="dot", num_partitions=parts)
                self.table.create_index("vector", config=config, replace=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise unwritable(self.path, error, "the same command goes on where it stopped") from error

    @property
    def texts(self) -> list[str]:
        """Columns of words."""
        pictures = set(self.meta["pictures"])
        return [name for name, kind in self.columns.items() if kind == "text" and name not in pictures]

    @property
    def indexed(self) -> bool:
        """Whether full text can be searched in all columns of words; not so where indexing was stopped before."""
        return {self.stored[name] for name in self.texts} <= {
            column for index in self.table.list_indices() for column in index.columns
        }

    @property
    def root(self) -> Path:
        """The folder that image paths start from."""
        return Path(self.meta["root"])

    def set_root(self, root: Path | None) -> None:
        """Keep the folder of the table's images."""
        if root is not None and not self.meta["root"]:
            self.meta["root"] = str(root.resolve())
            write_json(self.path / META, self.meta)


def is_begun(path: Path) -> bool:
    """Whether an index's folder holds rows: a version of the table that was written to its end."""
    return any((_rows(path) / "_versions").glob("*.manifest"))


def _rows(path: Path) -> Path:
    return path / f"{ROWS}.lance"


def fingerprint(predictor: Predictor) -> str:
    """A hash of all that vectors depend on: weights and processors."""
    digest = hashlib.sha256(hash_weights(predictor.model_).encode())
    for name, spec in predictor.inputs_.items():
        digest.update(json.dumps([name, spec.processor.to_json()], sort_keys=True).encode())
    return digest.hexdigest()


def row_keys(table: Table, rows: np.ndarray, schema: Schema, media: Media) -> list[str]:
    """A key per row, made of its cells and of the contents of its files, whatever their paths."""
    keys = []
    modalities = {name: MODALITIES.get(column.modality) for name, column in schema.items()}
    columns = {name: table.cells(name, rows) for name in table.columns}
    for place in range(len(rows)):
        digest = hashlib.blake2b(digest_size=16)
        for name, cells in columns.items():
            parts: list[bytes] = [as_text(cells[place]).encode()]
            modality = modalities.get(name)
            if modality is not None and modality.media:
                parts = [_key(modality, piece, media) for piece in modality.pieces(cells[place])]
            for part in [name.encode(), *parts]:  # with lengths, so that no two rows hash the same bytes
                digest.update(len(part).to_bytes(8, "little") + part)
        keys.append(digest.hexdigest())
    return keys


def _key(modality: Modality, piece: Any, media: Media) -> bytes:
    try:
        return modality.key(modality.open(piece, media))
    except DataError:
        return str(piece).encode()


def as_rows(
    table: Table,
    rows: np.ndarray,
    keys: Sequence[str],
    vectors: np.ndarray,
    index: Index,
    schema: Schema,
    media: Media,
) -> pa.Table:
    """Rows as an index holds them."""
    columns: dict[str, Any] = {"id": pa.array(keys, pa.string())}
    for name, kind in index.columns.items():
        cells = table.cells(name, rows) if name in table else [None] * len(rows)
        form = index.meta.get("forms", {}).get(name)
        columns[index.stored[name]] = _cells(name, cells, kind, form)
    pictured = [(name, MODALITIES.get(schema[name].modality)) for name in index.meta["pictures"] if name in table]
    pictured.sort(key=lambda pair: pair[1] is None or not pair[1].gridded)  # images before spectrograms
    small: list[bytes | None] = [None] * len(rows)
    for name, modality in pictured[:1]:
        small = [_thumbnail(modality, cell, media) for cell in table.cells(name, rows)]
    columns["thumbnail"] = pa.array(small, pa.binary())
    if index.meta.get("heard"):
        sounds: list[bytes | None] = [None] * len(rows)
        for name, modality in [(n, m) for n, m in pictured if m is not None and m.heard][:1]:
            sounds = [_sound(modality, cell, media) for cell in table.cells(name, rows)]
        columns["sound"] = pa.array(sounds, pa.binary())
    flat = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
    columns["vector"] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    return pa.table(columns)


def _cells(name: str, cells: Sequence[Any], kind: str, form: dict[str, str] | None) -> pa.Array:
    if kind == "number":
        numbers = [None if is_missing(cell) else as_number(name, cell, number_form(form)) for cell in cells]
        return pa.array(numbers, pa.float64())
    texts = [None if is_missing(cell) or isinstance(cell, bytes | dict) else _text(cell) for cell in cells]
    return pa.array(texts, pa.string())


def _text(cell: Any) -> str:
    return ";".join(map(as_text, cell)) if isinstance(cell, list | tuple) else as_text(cell)


def _thumbnail(modality: Modality | None, cell: Any, media: Media) -> bytes | None:
    """The first value of a cell as a small JPEG; None where it has none."""
    pieces = [] if modality is None else show_cell(modality, cell, media, SIDE)
    image = next((one.image for one in pieces if one.image is not None), None)
    if image is None:
        return None
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _sound(modality: Modality | None, cell: Any, media: Media) -> bytes | None:
    """The first sound of a cell, to be played; None where it has none."""
    pieces = [] if modality is None else show_cell(modality, cell, media, SIDE, 1)
    return pieces[0].play() if pieces and pieces[0].play is not None else None


def parts_of(count: int, size: int = PART) -> Iterator[np.ndarray]:
    """Row numbers, so many at a time."""
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))


def _first(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]


__getattr__ = former_names(__name__, {"Catalogue": "plait.search.index.Index"})
