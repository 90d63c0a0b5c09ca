"""A table of sounds and words: indexed, found by words and by sounds, played on the page."""

import base64
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fakes import tone
from plait import Predictor
from plait.errors import DataError, RunError
from plait.search import Query, Searcher, index_table

pytest.importorskip("lancedb")
pytest.importorskip("soundfile")
HEIGHTS = {"low": 250.0, "middle": 1_000.0, "high": 4_000.0}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Searcher]:
    folder = tmp_path_factory.mktemp("sounds")
    rows = []
    for number in range(36):
        name = list(HEIGHTS)[number % 3]
        (folder / f"{number}.wav").write_bytes(tone(0.2 + 0.01 * number, HEIGHTS[name] + number))
        rows.append((f"{number}.wav", f"a {name} tone", number))
    (folder / "silent.wav").write_bytes(tone(0.0))
    pd.DataFrame([*rows, ("silent.wav", "nothing", 99)], columns=["sound", "title", "n"]).to_csv(
        folder / "sounds.csv", index=False
    )
    Predictor(
        task={"type": "retrieval"},
        output=folder / "pairs",
        inputs={
            "sound": {"modality": "audio", "encoder": "fixed:audio_statistics"},
            "title": {"modality": "text", "encoder": "scratch:bag"},
        },
        fusion={"method": "shared_space", "dim": 16, "hidden": 0},
        data={"val": "none"},
        train={"epochs": 20, "batch_size": 36, "learning_rate": 0.01, "precision": "float32", "device": "cpu"},
        verbose=False,
    ).fit(folder / "sounds.csv")
    indexed = index_table(folder / "pairs", folder / "sounds.csv", folder / "index.lance", verbose=False)
    assert indexed.rows == 36 and indexed.without == 1, "a row whose sound is empty can't be found"
    return folder, Searcher(folder / "index.lance")


def titles(hits: Any) -> set[str]:
    return {hit.row["title"] for hit in hits}


def test_words_and_sounds_find_sounds(found: tuple[Path, Searcher], tmp_path: Path) -> None:
    folder, searcher = found
    assert titles(searcher.search(Query("a high tone"), 5)) == {"a high tone"}
    (tmp_path / "new.wav").write_bytes(tone(0.33, 1_010))
    for audio in (tmp_path / "new.wav", tone(0.33, 1_010)):
        assert titles(searcher.search(Query(audio=audio), 5)) == {"a middle tone"}
    hit = searcher.search(Query(audio=folder / "3.wav"), 1)[0]
    assert hit.row["n"] == 3.0 and hit.heard and hit.thumbnail is not None
    assert (searcher.sound(hit.id) or b"")[:2] in (b"\xff\xfb", b"\xff\xf3", b"ID") and searcher.sound("none") is None


def test_what_can_not_be_asked_is_one_line(found: tuple[Path, Searcher]) -> None:
    _, searcher = found
    with pytest.raises(DataError, match="the query's audio can't be used: .*expected sound"):
        searcher.search(Query(audio=b"no sound"))
    with pytest.raises(DataError, match="the query's audio can't be used: there is nothing in it"):
        searcher.search(Query(audio=tone(0.0)))
    with pytest.raises(RunError, match=r"no input of images; it has sound \(audio\), title \(text\)"):
        searcher.search(Query(image=b"x"))


def test_the_page_plays_what_it_finds(found: tuple[Path, Searcher]) -> None:
    pytest.importorskip("fastapi")
    from fastapi.testclient import TestClient

    from plait.serving.search_app import make_app

    _, searcher = found
    client = TestClient(make_app(searcher, "sounds"), base_url="http://127.0.0.1:8000")
    assert client.get("/api/about").json()["asks_files"] == ["audio"]
    body = {"audio": base64.b64encode(tone(0.3, 255)).decode(), "k": 3}
    hits = client.post("/api/search", json=body).json()["hits"]
    assert {hit["row"]["title"] for hit in hits} == {"a low tone"} and all(hit["sound"] for hit in hits)
    sound = client.get(f"/sounds/{hits[0]['id']}")
    assert sound.headers["content-type"] == "audio/mpeg" and len(sound.content) > 500
    assert "media-src 'self'" in sound.headers["content-security-policy"]
    assert client.get("/sounds/none").status_code == 404
    bad = client.post("/api/search", json={"audio": "%%%"})
    assert bad.status_code == 422 and "base64" in bad.json()["error"]
