"""What is found, by words, by images and by both; what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from plait.errors import DataError, RunError
from plait.predictor import Predictor
from plait.search import Query, Searcher, index_table


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
