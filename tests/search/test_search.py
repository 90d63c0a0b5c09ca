"""Indexs: what is found, filters, appending, and what is refused."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from plait.errors import DataError, RunError
from plait.predictor import Predictor
from plait.search import ExactIndex, Index, Query, Searcher, exact, index_table, parse_where
from plait.search import searcher as searcher_module
from plait.search.indexing import describe
from plait.search.int8_index import Int8Index
from plait.search.showing import contact_sheet, in_protocol, weights_in


@pytest.fixture(scope="session")
def index(squares: Path) -> Path:
    path = squares / "squares.lance"
    found = index_table(squares / "pairs", squares / "squares.csv", path, verbose=False)
    assert (found.rows, found.added, found.known) == (64, 64, 0)
    return path


@pytest.fixture(scope="session")
def searcher(index: Path) -> Searcher:
    return Searcher(index)


def test_words_find_pictures(searcher: Searcher) -> None:
    hits = searcher.search(Query("a red square"), k=8)
    assert sum(hit.row["title"].split()[1] == "red" for hit in hits) >= 7
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(hit.thumbnail and hit.thumbnail[:2] == b"\xff\xd8" for hit in hits)


def test_a_picture_finds_itself_and_its_like(squares: Path, searcher: Searcher) -> None:
    hits = searcher.search(Query(image=squares / "5.png"), k=16)
    own = next(hit for hit in hits if hit.row["photo"] == "5.png")
    assert own.score == pytest.approx(1.0, abs=1e-4)  # the stored vector is the image's own
    assert {hit.row["title"] for hit in hits} == {"a green square"}
    again = searcher.search(Query(image=(squares / "5.png").read_bytes()), k=16)
    assert [hit.id for hit in again] == [hit.id for hit in hits]
    like = searcher.search(Query(like=own.id), k=15)
    assert {hit.id for hit in like} == {hit.id for hit in hits} - {own.id}  # but not itself


def test_a_mix_is_the_weighed_sum(squares: Path, searcher: Searcher) -> None:
    words, picture = Query("a blue square"), Query(image=squares / "0.png")
    one, other = searcher._vector(words), searcher._vector(picture)
    mixed = searcher._vector(Query("a blue square", squares / "0.png", weights=(0.25, 0.75)))
    expected = 0.25 * one + 0.75 * other
    assert np.allclose(mixed, expected / np.linalg.norm(expected), atol=1e-6)
    only = searcher.search(Query("a blue square", squares / "0.png", weights=(1, 0)), k=5)
    assert [hit.id for hit in only] == [hit.id for hit in searcher.search(words, k=5)]


def test_filters_and_full_text_and_both(searcher: Searcher) -> None:
    hits = searcher.search(Query("red", where="price < 10 and kind = 'small'"), k=50)
    assert len(hits) == 20 and all(hit.row["price"] < 10 and hit.row["kind"] == "small" for hit in hits)
    words = searcher.search(Query("shop 17", mode="words"), k=3)
    assert words[0].row["photo"] == "17.png"
    both = searcher.search(Query("green shop 17", mode="both"), k=10)
    meaning = [hit.id for hit in searcher.search(Query("green shop 17"), k=100)]
    text = [hit.id for hit in searcher.search(Query("green shop 17", mode="words"), k=100)]

    def fused(identity: str) -> float:
        return sum(1 / (61 + ranking.index(identity)) for ranking in (meaning, text) if identity in ranking)

    assert [hit.score for hit in both] == pytest.approx([fused(hit.id) for hit in both])
    assert not searcher.search(Query("red", where="price > 1000"), k=5)


def test_only_new_rows_are_added(squares: Path, index: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy.lance"
    frame = pd.read_csv(squares / "squares.csv")
    for name in frame["photo"]:
        shutil.copy(squares / name, tmp_path / name)
    frame[:40].to_csv(tmp_path / "first.csv", index=False)
    first = index_table(squares / "pairs", tmp_path / "first.csv", path, verbose=False)
    changed = pd.concat([frame, frame[:3]])  # three come twice
    changed.loc[changed["photo"] == "0.png", "price"] = 99.0
    changed.to_csv(tmp_path / "second.csv", index=False)
    second = index_table(squares / "pairs", tmp_path / "second.csv", path, verbose=False)
    assert (first.added, second.added, second.known, second.rows) == (40, 25, 42, 65)
    again = index_table(squares / "pairs", tmp_path / "second.csv", path, verbose=False)
    assert (again.added, again.rows) == (0, 65)
    Image.new("RGB", (24, 24), (9, 9, 9)).save(tmp_path / "5.png")  # the same path, another image
    assert index_table(squares / "pairs", tmp_path / "second.csv", path, verbose=False).added == 1


def test_a_index_keeps_its_side(squares: Path, tmp_path: Path) -> None:
    path, table = tmp_path / "titles.lance", squares / "squares.csv"
    assert index_table(squares / "pairs", table, path, side="title", verbose=False).rows == 64
    again = index_table(squares / "pairs", table, path, verbose=False)  # the same side without a word
    assert (again.rows, again.without, again.known) == (64, 0, 64)
    with pytest.raises(RunError, match="holds vectors of title, not of photo"):
        index_table(squares / "pairs", table, path, side="photo", verbose=False)


def test_indices_that_were_not_built_are(squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, table = tmp_path / "late.lance", squares / "squares.csv"
    monkeypatch.setattr(Index, "build_indices", lambda self, verbose: None)  # stopped before
    index_table(squares / "pairs", table, path, verbose=False)
    monkeypatch.undo()
    assert index_table(squares / "pairs", table, path, verbose=False).added == 0
    assert Searcher(path).search(Query("shop 17", mode="words"), k=1)[0].row["photo"] == "17.png"


def test_rows_without_a_picture_are_left_out(squares: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(squares / "squares.csv")
    for name in frame["photo"]:
        shutil.copy(squares / name, tmp_path / name)
    frame.loc[3:5, "photo"] = None
    frame.to_csv(tmp_path / "some.csv", index=False)
    found = index_table(squares / "pairs", tmp_path / "some.csv", tmp_path / "some.lance", verbose=False)
    assert (found.rows, found.without) == (61, 3)


def test_an_approximate_index_answers_as_the_exact_one(
    squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("plait.search.index", "plait.search.searcher"):
        monkeypatch.setattr(f"{module}.ANN_FROM", 50)
    index_table(squares / "pairs", squares / "squares.csv", tmp_path / "ann.lance", verbose=False)
    approximate = Searcher(tmp_path / "ann.lance")
    assert approximate.exact is None
    assert any("ivf" in str(index.index_type).lower() for index in approximate.index.table.list_indices())
    monkeypatch.setattr(searcher_module, "ANN_FROM", 100_000)
    exact = Searcher(tmp_path / "ann.lance")
    for words in ("a red square", "big blue"):
        hits = approximate.search(Query(words, where="price >= 1"), k=10)
        expected = exact.search(Query(words, where="price >= 1"), k=10)
        assert len({hit.id for hit in hits} & {hit.id for hit in expected}) >= 9
        assert hits[0].score == pytest.approx(expected[0].score, abs=1e-3)
    assert approximate.search(Query(like=hits[0].id), k=2)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (Query(), "the query is empty"),
        (Query("   "), "the query is empty"),
        (Query("x" * 20_000), "20,000 characters"),
        (Query(image=b"no picture at all"), "image can't be used"),
        (Query(image=Path("/nowhere.png")), "there is no such image"),
        (Query("red", where="price < 20; drop table rows"), "no part of a filter"),
        (Query("red", where="prise < 20"), "did you mean 'price'"),
        (Query("red", where="price < 'cheap'"), "expected a number"),
        (Query("red", like="0" * 32), "has no row"),
        (Query("red", mode="other"), "unknown mode"),  # type: ignore[arg-type]
        (Query(image=b"x", mode="words"), "the query has none"),
        (Query("red", weights=(0, 0)), "--weights"),
    ],
)
def test_queries_that_are_refused(query: Query, said: str, searcher: Searcher) -> None:
    with pytest.raises(DataError, match=said):
        searcher.search(query)


def test_a_bomb_is_no_query(searcher: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")  # 50 kB that would be 1.2 GB
    with pytest.raises(DataError, match="400000000|20000 x 20000|more than the allowed"):
        searcher.search(Query(image=buffer.getvalue()))


def test_another_model_is_refused(squares: Path, index: Path, tmp_path: Path) -> None:
    other = Predictor.load(squares / "pairs")
    with __import__("torch").no_grad():
        next(iter(other.model_.fusion.parameters())).add_(0.5)
    other.save(tmp_path / "other")
    with pytest.raises(RunError, match="is another model"):
        Searcher(index, tmp_path / "other")
    with pytest.raises(RunError, match="is another model"):
        index_table(tmp_path / "other", squares / "squares.csv", index, verbose=False)


def test_folders_that_are_no_index(squares: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="expected an index"):
        Searcher(tmp_path)
    (tmp_path / "catalogue.json").write_text("{")
    with pytest.raises(RunError, match="not JSON"):
        Searcher(tmp_path)
    (tmp_path / "catalogue.json").unlink()
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(RunError, match="no index"):
        index_table(squares / "pairs", squares / "squares.csv", tmp_path, verbose=False)


def test_a_full_disk_keeps_what_was_there(squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "full.lance"
    monkeypatch.setattr("plait.search.indexing.parts_of", lambda count: iter(np.array_split(np.arange(count), 4)))
    whole = Index.add

    def full(self: Index, rows: pa.Table) -> None:
        if self.table is not None and len(self) >= 32:
            self.table.add = lambda _: (_ for _ in ()).throw(OSError("No space left on device"))
        whole(self, rows)

    monkeypatch.setattr(Index, "add", full)
    with pytest.raises(RunError, match="No space left on device"):
        index_table(squares / "pairs", squares / "squares.csv", path, verbose=False)
    monkeypatch.setattr(Index, "add", whole)
    found = index_table(squares / "pairs", squares / "squares.csv", path, verbose=False)
    assert (found.rows, found.added, found.known) == (64, 32, 32)


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("price<20", "`price` < 20"),
        ("price >= -1.5e2", "`price` >= -150.0"),
        ("not kind in ('a','b''c')", "(NOT `kind` IN ('a', 'b''c'))"),
        ("price between 1 and 2 or kind is not null", "(`price` BETWEEN 1 AND 2 OR `kind` IS NOT NULL)"),
        ("\"odd name\" not like '%x%'", "`odd name` NOT LIKE '%x%'"),
        ("(price == 1)", "(`price` = 1)"),
    ],
)
def test_filters_are_written_anew(text: str, sql: str) -> None:
    assert parse_where(text, {"price": "number", "kind": "text", "odd name": "text"}) == sql


@pytest.mark.parametrize(
    "text",
    [
        "price < 20; drop table rows",
        "price < 20 -- and so on",
        "1 = 1",
        "price < (select 1)",
        "kind = 'a' or '1'='1'",
        "kind = 'a' union select id",
        "price < 20 /* x */",
        'kind = "a"',
        "sleep(5)",
        "",
        "(price < 1",
        "(" * 200 + "price<1" + ")" * 200,
    ],
)
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="--where"):
        parse_where(text, {"price": "number", "kind": "text"})


@given(st.text(max_size=60))
def test_no_text_becomes_other_sql(text: str) -> None:
    """Whatever comes out holds nothing outside quotes but our own words, columns and numbers."""
    import re

    try:
        sql = parse_where(text, {"price": "number", "kind": "text"})
    except DataError:
        return
    bare = re.sub(r"'(?:[^']|'')*'", "", sql)
    assert re.fullmatch(r"(?:`price`|`kind`|AND|OR|NOT|IN|LIKE|BETWEEN|IS|NULL|[-+0-9.e<>=!(), ])*", bare)


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 700), k=st.integers(1, 30), queries=st.integers(1, 40), half=st.booleans())
def test_exact_search_is_exact(count: int, k: int, queries: int, half: bool) -> None:
    random = np.random.default_rng(count * 31 + k)
    vectors = random.normal(size=(count, 16)).astype(np.float32)
    asked = random.normal(size=(queries, 16)).astype(np.float32)
    scores, places = ExactIndex(vectors, half).search(asked, k)
    expected = np.sort(asked @ vectors.T, axis=1)[:, ::-1][:, :k]
    assert np.allclose(scores, expected, atol=1e-5)
    assert np.allclose(np.einsum("qkd,qd->qk", vectors[places], asked), scores, atol=1e-5)
    allowed = random.random(count) < 0.5
    _, some = ExactIndex(vectors, half).search(asked, k, allowed)
    assert allowed[some].all() and some.shape[1] == min(k, allowed.sum())


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(64, 900),
    dim=st.integers(1, 70),
    k=st.integers(1, 14),
    kind=st.sampled_from(["spread", "groups", "spikes", "zeros", "twins"]),
)
def test_the_narrow_copy_misses_none_of_the_best(count: int, dim: int, k: int, kind: str) -> None:
    random = np.random.default_rng(count * 71 + dim)
    vectors = random.normal(size=(count, dim)).astype(np.float32)
    if kind == "groups":
        vectors += 3 * random.normal(size=(9, dim)).astype(np.float32)[random.integers(0, 9, count)]
    elif kind == "spikes":  # one number takes the whole scale
        vectors[np.arange(count), random.integers(0, dim, count)] *= 1000
    elif kind == "zeros":
        vectors[::3] = 0
    elif kind == "twins":
        vectors[count // 2 :] = vectors[: count - count // 2]
    narrow = Int8Index(torch.from_numpy(vectors))
    k = min(k, narrow.deepest)
    for query in random.normal(size=(3, dim)).astype(np.float32):
        found = narrow.candidates(torch.from_numpy(query), k)
        if found is None:
            continue
        exact = vectors.astype(np.float64) @ query
        best = np.sort(exact)[::-1][:k]
        assert np.allclose(np.sort(exact[found.numpy()])[::-1][:k], best, atol=1e-9)
    assert narrow.candidates(torch.full((dim,), torch.nan), k) is None


def test_an_index_that_is_asked_often_gives_the_same_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plait.search.exact.LARGE", 1)
    random = np.random.default_rng(0)
    vectors, asked = (random.normal(size=(count, 64)).astype(np.float32) for count in (5000, 6))
    index = ExactIndex(vectors)
    before = [index.search(query[None], 10) for query in asked]
    for _ in range(exact.OFTEN):
        index.search(asked[:1], 10)
    assert index._narrow is not None
    for query, (scores, places) in zip(asked, before, strict=True):
        again, same = index.search(query[None], 10)
        assert same.tolist() == places.tolist() and np.allclose(again, scores, atol=1e-5)
    close = ExactIndex(vectors / 1000 + 1)  # nothing to tell apart in 8 bits: all of them are candidates
    answers = [close.search(asked[:1], 3)[1].tolist() for _ in range(exact.OFTEN + 2)]
    assert close._narrow is None and all(answer == answers[0] for answer in answers)


def test_a_contact_sheet_is_a_picture(searcher: Searcher) -> None:
    import io

    sheet = contact_sheet(searcher.search(Query("red"), k=7))
    with Image.open(io.BytesIO(sheet)) as picture:
        assert picture.size == (5 * 200, 2 * 216)
        assert len(picture.getcolors(1 << 24) or []) > 100
    assert in_protocol("iterm2", b"abc") == "\033]1337;File=inline=1;size=3:YWJj\a"
    kitty = in_protocol("kitty", bytes(9000))
    assert kitty.startswith("\033_Ga=T,f=100,m=1;") and kitty.count("\033_G") == 3 and "m=0;" in kitty
    with pytest.raises(DataError, match="expected two numbers"):
        weights_in("1")


def test_two_that_index_at_once_bring_each_row_once(squares: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "plait", "index", squares / "pairs", squares / "squares.csv", "-o", "two.lance"]
    both = [subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    ids = Index(tmp_path / "two.lance").read(["id"]).column("id").to_pylist()
    assert len(ids) == len(set(ids)) == 64


def test_a_first_write_that_was_killed_blocks_nothing(squares: Path, tmp_path: Path, index: Path) -> None:
    path = tmp_path / "killed.lance"
    shutil.copytree(index, path)
    for manifest in (path / "rows.lance" / "_versions").iterdir():
        manifest.unlink()
    with pytest.raises(RunError, match="the index is empty; run plait index again"):
        Searcher(path)
    found = index_table(squares / "pairs", squares / "squares.csv", path, "title", verbose=False)  # another side, even
    assert (found.rows, found.added) == (64, 64) and Searcher(path).search(Query("a red square"), 1)


def test_a_mistake_leaves_no_index(squares: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(squares / "squares.csv").assign(photo=None)
    with pytest.raises(DataError, match="nothing to index"):
        index_table(squares / "pairs", frame, tmp_path / "none.lance", verbose=False)
    assert list(tmp_path.iterdir()) == []


def test_columns_may_have_any_name(squares: Path, tmp_path: Path) -> None:
    names = {"price": "price.eur", "note": "_score", "kind": "id"}
    frame = pd.read_csv(squares / "squares.csv").rename(columns=names)
    frame.insert(0, "", range(len(frame)))  # what pandas calls the index that it wrote
    frame["row `x`"], frame["vector"] = frame["_score"], frame["id"]
    frame["photo"] = [(squares / name).read_bytes() for name in frame["photo"]]
    index_table(squares / "pairs", frame, tmp_path / "odd.lance", verbose=False)
    searcher = Searcher(tmp_path / "odd.lance")
    where = """"price.eur" < 3 and "id" = 'small' and "row `x`" like 'from%' and "" <> '1'"""
    found = searcher.search(Query("a red square", where=where), k=10)
    assert {hit.row["price.eur"] for hit in found} == {0.0, 1.0, 1.5, 2.0, 2.5} and found[0].row["vector"] == "small"
    assert searcher.search(Query("shop 7", mode="words"), k=1)[0].row["_score"] == "from shop 7"


def test_columns_that_a_later_table_adds_or_lacks_are_said(squares: Path, tmp_path: Path) -> None:
    table = pd.read_csv(squares / "squares.csv")
    path = tmp_path / "later.lance"
    index_table(squares / "pairs", squares / "squares.csv", path, verbose=False)
    table.rename(columns={"price": "cost"}).to_csv(squares / "later.csv", index=False)
    found = index_table(squares / "pairs", squares / "later.csv", path, verbose=False)
    assert (found.left_out, found.lacking, found.added) == (("cost",), ("price",), 64)
    assert "its first table gave: cost; not in this table, so empty in its rows: price" in describe(found, path)


def test_what_is_no_lack_of_space_is_not_called_one(
    index: Path,
) -> None:
    held = Index(index)
    with pytest.raises(RunError, match="can't be written") as caught:
        held.add(pa.table({"other": [1]}))
    assert "space" not in str(caught.value)
