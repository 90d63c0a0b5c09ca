"""The query side: words, images, rows like a row, filters, full text, and both together."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from plait.data.table import Table
from plait.errors import DataError, RunError, import_extra, unknown
from plait.inference.zero_shot import embed_side, embed_texts, side_of_kind
from plait.modalities import AUDIO, IMAGE
from plait.predictor import Predictor
from plait.search.exact import ExactIndex
from plait.search.index import ANN_FROM, Index
from plait.search.indexing import model_of
from plait.search.ranking import reciprocal_rank_fusion
from plait.search.where import parse_where
from plait.training.precision import multiplies_faster_in_bfloat16

Mode = Literal["meaning", "words", "both"]
MODES = ("meaning", "words", "both")
DEEPER = 10  # a fusion takes so many times k from each of its rankings
PROBES, REFINED = 20, 4  # of the approximate index
LONGEST_QUERY, LONGEST_FILTER = 10_000, 20_000  # characters


@dataclass(frozen=True)
class Query:
    """What is looked for; at least one of `text`, `image`, `audio` and `like`.

    Args:
        text: words.
        image: an image file, or its bytes.
        audio: a sound file, or its bytes.
        like: the id of a row of the index.
        weights: of text, and of each of the others where both are given.
        where: a filter such as `price < 20`.
        mode: `meaning` by vectors, `words` by full text, `both` by reciprocal-rank fusion.
    """

    text: str | None = None
    image: Path | bytes | None = None
    audio: Path | bytes | None = None
    like: str | None = None
    weights: tuple[float, float] = (1.0, 1.0)
    where: str | None = None
    mode: Mode = "meaning"

    @property
    def files(self) -> dict[str, Path | bytes]:
        """Modality → the file that is looked for."""
        given = {IMAGE.name: self.image, AUDIO.name: self.audio}
        return {modality: file for modality, file in given.items() if file is not None}


@dataclass
class Hit:
    """A row that was found.

    Args:
        id: of the row.
        score: cosine; where rankings were fused their sum of `1 / (60 + rank)`; where it was reranked the probability
            of a match.
        row: its columns.
        thumbnail: JPEG; None where the row has no image.
        heard: the row has a sound, see `Searcher.sound`.
    """

    id: str
    score: float
    row: dict[str, Any]
    thumbnail: bytes | None = field(default=None, repr=False)
    heard: bool = False

    def to_json(self) -> dict[str, Any]:
        """Without what is only shown."""
        return {key: value for key, value in asdict(self).items() if key not in ("thumbnail", "heard")}


class Searcher:
    """An index that is open to questions. Vectors of up to 100,000 rows stand in memory and are searched exactly.

    Args:
        path: of the index.
        run: where the model is now; None for where it was.

    Raises:
        RunError: the index can't be read, is empty, or another model made it.
    """

    def __init__(self, path: str | Path, run: str | Path | None = None) -> None:
        self.index = Index(Path(path).expanduser())
        if self.index.table is None:
            raise RunError(f"{path}: the index is empty; run plait index again")
        self.predictor = model_of(self.index, run)
        self.ids: list[str] = self.index.read(["id"]).column("id").to_pylist()
        self._place = {identity: place for place, identity in enumerate(self.ids)}
        self.exact: ExactIndex | None = None
        self._width: int = self.index.table.schema.field("vector").type.list_size
        if len(self.ids) < ANN_FROM:
            vectors = self.index.read(["vector"]).column("vector").combine_chunks()
            matrix = _matrix(vectors)
            if not np.isfinite(matrix).all():
                raise RunError(f"{path}: a vector is no number; make the index again with plait index")
            self.exact = ExactIndex(matrix, multiplies_faster_in_bfloat16())

    def search(self, query: Query, k: int = 20) -> list[Hit]:
        """The k best rows, the best first.

        Raises:
            DataError: the query is empty or too long, the image is none, the filter is none, the row is not there.
        """
        self._check(query)
        where = (
            parse_where(query.where, self.index.columns, self.index.stored)
            if query.where and query.where.strip()
            else None
        )
        if query.mode == "words":
            return self._hits(self._by_words(str(query.text), k, where))
        vector = self._vector(query)
        if query.mode == "meaning":
            alone = query.like and not query.text and not query.files
            skip = 1 if alone else 0  # not the row itself
            nearest = self._by_vector(vector, k + skip, where)
            return self._hits([(p, s) for p, s in nearest if not (skip and self.ids[p] == query.like)][:k])
        deeper = DEEPER * k
        rankings = [self._by_vector(vector, deeper, where), self._by_words(str(query.text), deeper, where)]
        fused = reciprocal_rank_fusion([[place for place, _ in ranking] for ranking in rankings])
        return self._hits(fused[:k])

    def rerank(self, hits: Sequence[Hit], query: Query, matcher: Predictor) -> list[Hit]:
        """The same rows in the order of a matching run, which looks at the query and each row together.

        Raises:
            RunError: the run is none of matching, or reads what the query and the index do not have.
        """
        # The run has to read one text, which is the query, and one image, from the index's first column of images.
        kinds_of = {name: spec.kind for name, spec in matcher.inputs_.items()}
        texts = [name for name, kind in kinds_of.items() if kind is not None and kind.words]
        images = [name for name, kind in kinds_of.items() if kind is not None and kind.media]
        kinds = [task.kind for task in matcher.targets_.tasks.values()]
        matches = matcher.targets_.pairs is not None and matcher.targets_.joint
        image_columns = self.index.meta["pictures"]
        if not matches or len(texts) != 1 or len(images) != 1 or not image_columns or not query.text:
            raise RunError(
                "--rerank: expected a run of matching (train with --task matching) of one image and one text, words "
                f"to look for, and an index with images; the run does {', '.join(kinds)}"
            )
        if not hits:
            return []
        text, picture = (matcher.inputs_[name].columns[0] for name in (texts[0], images[0]))
        paths = [hit.row[image_columns[0]] for hit in hits]
        if any(path is None for path in paths):
            raise RunError(
                "--rerank: some rows keep their images in the table itself; put them in files and index again"
            )
        table = Table(pa.table({text: [query.text] * len(hits), picture: paths}), self.index.root, "the rows found")
        chances = np.asarray(matcher.predict_proba(table))[:, 1]
        order = np.argsort(-chances, kind="stable")
        return [replace(hits[i], score=float(chances[i])) for i in order]

    def _check(self, query: Query) -> None:
        if query.mode not in MODES:
            raise DataError(f"--mode: {unknown('mode', query.mode, MODES)}")
        words = (query.text or "").strip()
        if not words and not query.files and query.like is None:
            raise DataError("the query is empty; give words, --image FILE, --audio FILE, or several of them")
        for text in (words, query.where or ""):
            if any("\ud800" <= letter <= "\udfff" for letter in text):
                raise DataError(f"the query holds half a character, which is no text: {text[:40]!a}")
        if len(query.where or "") > LONGEST_FILTER:
            raise DataError(f"--where: more than {LONGEST_FILTER:,} characters; ask in several queries")
        if len(words) > LONGEST_QUERY:
            raise DataError(f"the query has {len(words):,} characters, more than {LONGEST_QUERY:,}; shorten it")
        if query.mode != "meaning" and not words:
            raise DataError(f"--mode {query.mode} looks for words, and the query has none")
        if query.mode != "meaning" and not self.index.texts:
            raise DataError(f"--mode {query.mode}: the index has no column of words to look in")
        if query.like is not None and query.like not in self._place:
            raise DataError(f"the index has no row {query.like[:40]!r}")
        if not all(0 <= weight < math.inf for weight in query.weights) or not any(query.weights):
            raise DataError(f"--weights: expected two numbers, not negative and not both zero, got {query.weights}")

    def _vector(self, query: Query) -> np.ndarray:
        """The sum of what is looked for, weighed; of length one."""
        parts = []
        if (query.text or "").strip():
            parts.append((query.weights[0], embed_texts(self.predictor, [str(query.text)])[0]))
        parts += [(query.weights[1], self._file(modality, file)) for modality, file in query.files.items()]
        if query.like is not None:
            parts.append((query.weights[1], self._stored(self._place[query.like])))
        if len(parts) == 1:
            return parts[0][1]
        largest = max(query.weights)  # scaled by it, 1e308 and 1e308 do not overflow
        vector = sum(weight / largest * part for weight, part in parts)
        length = float(np.linalg.norm(vector))
        if not 0 < length < math.inf:
            raise DataError("--weights: what is left of the query is nothing; give one of its parts more weight")
        return np.asarray(vector / length, np.float32)

    def _file(self, modality: str, file: Path | bytes) -> np.ndarray:
        side = side_of_kind(self.predictor, modality)
        column = self.predictor.inputs_[side].columns[0]
        if isinstance(file, Path):
            if not file.is_file():
                raise DataError(f"{file}: there is no such {modality}")
            file = file.read_bytes()
        try:
            vector = embed_side(self.predictor, side, pd.DataFrame({column: [file]}))[0]
        except DataError as error:
            raise DataError(f"the query's {modality} can't be used: {str(error).split(': ', 2)[-1]}") from error
        if not np.isfinite(vector).all() or not vector.any():
            raise DataError(f"the query's {modality} can't be used: there is nothing in it")
        return vector

    def _stored(self, place: int) -> np.ndarray:
        if self.exact is not None:
            return self.exact.vectors[place]
        rows = self.index.read(["vector"], f"`id` = '{self.ids[place]}'")
        return _matrix(rows.column("vector").combine_chunks())[0]

    def _by_vector(self, vector: np.ndarray, k: int, where: str | None) -> list[tuple[int, float]]:
        if len(vector) != self._width:
            raise RunError(f"{self.index.path}: its vectors are {self._width} wide, not {len(vector)}; make it again")
        if self.exact is not None:
            allowed = None if where is None else self._allowed(where)
            scores, places = self.exact.search(vector[None], k, allowed)
            return list(zip(places[0].tolist(), scores[0].tolist(), strict=True))
        request = self.index.table.search(vector, vector_column_name="vector").distance_type("dot")
        request = request.nprobes(PROBES).refine_factor(REFINED).select(["id", "_distance"]).limit(k)
        try:
            result = (request.where(where, prefilter=True) if where else request).to_arrow()
        except (OSError, ValueError, RuntimeError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0][:160]
            if where is None:
                raise RunError(f"{self.index.path}: its vectors can't be searched ({reason}); make it again") from error
            raise DataError(f"--where: can't be applied ({reason})") from error
        distances = result.column("_distance").to_pylist()
        return [(self._place[i], 1 - d) for i, d in zip(result.column("id").to_pylist(), distances, strict=True)]

    def _allowed(self, where: str) -> np.ndarray:
        allowed = np.zeros(len(self.ids), dtype=bool)
        result = self.index.read(["id"], where)
        allowed[[self._place[identity] for identity in result.column("id").to_pylist()]] = True
        return allowed

    def _by_words(self, text: str, k: int, where: str | None) -> list[tuple[int, float]]:
        match: Any = import_extra("lancedb.query", "search").MatchQuery
        rankings = []
        for name in self.index.texts:
            request = self.index.table.search(match(text, self.index.stored[name]), query_type="fts")
            request = request.select(["id", "_score"]).limit(k)
            try:
                result = (request.where(where, prefilter=True) if where else request).to_arrow()
            except (OSError, ValueError, RuntimeError) as error:
                raise DataError(f"the words can't be looked for ({str(error).splitlines()[0][:160]})") from error
            places = [self._place[identity] for identity in result.column("id").to_pylist()]
            rankings.append((places, result.column("_score").to_pylist()))
        if len(rankings) == 1:
            return list(zip(*rankings[0], strict=True))
        return reciprocal_rank_fusion([places for places, _ in rankings])[:k]

    def _hits(self, ranked: Sequence[tuple[int, float]]) -> list[Hit]:
        rows = {row["id"]: row for row in self._rows([self.ids[place] for place, _ in ranked])}
        hits = []
        stored = self.index.stored
        heard = self._heard(list(rows))
        for place, score in ranked:
            row = rows[self.ids[place]]
            cells = {name: row[stored[name]] for name in self.index.columns}
            hits.append(Hit(row["id"], float(score), cells, row["thumbnail"], row["id"] in heard))
        return hits

    def _rows(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        if not ids:
            return []
        listed = ", ".join(f"'{identity}'" for identity in ids)  # our own hex
        columns = ["id", "thumbnail", *self.index.stored.values()]
        rows: list[dict[str, Any]] = self.index.read(columns, f"`id` IN ({listed})").to_pylist()
        return rows

    def _heard(self, ids: Sequence[str]) -> set[str]:
        """Those of some rows that have a sound."""
        if not ids or not self.index.meta.get("heard"):
            return set()
        listed = ", ".join(f"'{identity}'" for identity in ids)
        return set(self.index.read(["id"], f"`id` IN ({listed}) AND `sound` IS NOT NULL").column("id").to_pylist())

    def sound(self, identity: str) -> bytes | None:
        """A row's sound as a short MP3; None where it has none, or there is no such row."""
        if identity not in self._place or not self.index.meta.get("heard"):
            return None
        sounds: list[bytes | None] = self.index.read(["sound"], f"`id` = '{identity}'").column(0).to_pylist()
        return sounds[0] if sounds else None

    def thumbnail(self, identity: str) -> bytes | None:
        """A row's small image; None where it has none, or there is no such row."""
        if identity not in self._place:
            return None
        thumbnails: list[bytes | None] = self.index.read(["thumbnail"], f"`id` = '{identity}'").column(0).to_pylist()
        return thumbnails[0] if thumbnails else None


def _matrix(vectors: Any) -> np.ndarray:
    """A column of vectors → `[N, D]` float32."""
    whole = vectors.combine_chunks() if isinstance(vectors, pa.ChunkedArray) else vectors
    return whole.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False).reshape(len(whole), -1)
