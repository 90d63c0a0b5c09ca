"""The search page: its answers, its limits, and the page itself in a browser."""

import base64
import io
import json
import math
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from plait.search import Query, Searcher, index_table
from plait.serving import search_app
from plait.serving.guard import impatient
from plait.serving.search_app import make_app

pytest.importorskip("fastapi")


@pytest.fixture(scope="session")
def searcher(squares: Path) -> Searcher:
    path = squares / "page.lance"
    index_table(squares / "pairs", squares / "squares.csv", path, verbose=False)
    return Searcher(path)


@pytest.fixture(scope="session")
def client(searcher: Searcher) -> Any:
    from fastapi.testclient import TestClient

    return TestClient(make_app(searcher, "squares"), base_url="http://127.0.0.1:8000", raise_server_exceptions=False)


def test_answers_are_the_searchers(client: Any, searcher: Searcher, squares: Path) -> None:
    asked = {"text": "a blue square", "k": 5, "where": "price < 20"}
    hits = client.post("/api/search", json=asked).json()["hits"]
    assert [hit["id"] for hit in hits] == [
        hit.id for hit in searcher.search(Query("a blue square", where="price < 20"), 5)
    ]
    image = base64.b64encode((squares / "4.png").read_bytes()).decode()
    found = client.post("/api/search", json={"image": image, "k": 3}).json()["hits"]
    assert {hit["row"]["title"] for hit in found} == {"a red square"}
    like = client.post("/api/search", json={"like": hits[0]["id"], "k": 3}).json()["hits"]
    assert hits[0]["id"] not in {hit["id"] for hit in like}
    picture = client.get(f"/thumbnails/{hits[0]['id']}")
    assert picture.headers["content-type"] == "image/jpeg" and picture.content[:2] == b"\xff\xd8"
    about = client.get("/api/about").json()
    assert about["rows"] == 64 and about["columns"]["price"] == "number"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "the query is empty"),
        ({"text": 3}, "text: expected text"),
        ({"text": "x", "k": 100_000}, "k: expected 1 to 200"),
        ({"text": "x", "where": "price < 20; drop table rows"}, "no part of a filter"),
        ({"image": "%%%"}, "base64"),
        ({"image": base64.b64encode(b"no picture").decode()}, "image can't be used"),
        ({"text": "x", "weights": "heavy"}, "weights: expected two numbers"),
        ({"text": "x", "mode": "magic"}, "unknown mode"),
        ({"text": "x", "weights": [math.nan, 1]}, "weights: expected two numbers"),
        ({"text": "x", "weights": [math.inf, 1]}, "weights: expected two numbers"),
        ({"text": "x", "weights": [10**400, 1]}, "weights: expected two numbers"),
        ({"text": "x", "weights": [True, 1]}, "weights: expected two numbers"),
        ({"text": "x", "weights": [0, 0]}, "not both zero"),
        ({"text": "x", "k": 10**30}, "k: expected 1 to 200"),
        ({"text": "x", "k": math.nan}, "k: expected 1 to 200"),
        ({"text": "a \ud800 b"}, "half a character"),
        ({"text": "x", "where": "title = '\udfff'"}, "half a character"),
        ({"text": "x", "mode": "\ud800"}, "unknown mode"),
        ({"like": "\ud800"}, "has no row"),
        (
            {"text": "x", "where": "price in (" + ",".join(map(str, range(200_000))) + ")"},
            "more than 20,000 characters",
        ),
        ({"text": "x", "where": "price < 1e999"}, "too large a number"),
        ({"text": "x", "where": "price < " + "9" * 5000}, "too large a number"),
    ],
)
def test_wrong_questions_are_one_line(body: dict[str, Any], said: str, client: Any) -> None:
    started = time.monotonic()
    answer = client.post("/api/search", content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == 422 and said in answer.json()["error"]
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "asked", [b"", b"{", b"[NaN]", b"3", b"\xff\xfe", b'{"text": ' + b"[" * 100_000, b'{"k": ' + b"9" * 10_000 + b"}"]
)
def test_what_is_no_question_is_422(client: Any, asked: bytes) -> None:
    answer = client.post("/api/search", content=asked, headers={"content-type": "application/json"})
    assert answer.status_code == 422 and "expected a question as" in answer.json()["error"]


def test_weights_of_any_size_are_weights(client: Any, squares: Path) -> None:
    image = base64.b64encode((squares / "4.png").read_bytes()).decode()
    ids = [
        [hit["id"] for hit in client.post("/api/search", json=body).json()["hits"]]
        for body in ({"text": "red", "image": image, "weights": [w, w], "k": 5} for w in (1, 1e299, 1e-300))
    ]
    assert ids[0] == ids[1] == ids[2] and len(ids[0]) == 5


@pytest.mark.parametrize(
    ("bound", "host", "status"),
    [
        ("127.0.0.1", "127.0.0.1:8000", 200),
        ("127.0.0.1", "localhost", 200),
        ("127.0.0.1", "LOCALHOST.:8000", 200),
        ("127.0.0.1", "[::1]:8000", 200),
        ("127.0.0.1", "evil.example", 421),
        ("127.0.0.1", "127.0.0.1.evil.example:8000", 421),
        ("127.0.0.1", "evil@127.0.0.1", 421),
        ("127.0.0.1", "192.168.1.9", 421),
        ("127.0.0.1", "", 421),
        ("192.168.1.9", "192.168.1.9:8000", 200),
        ("shop.local", "shop.local", 200),
        ("shop.local", "evil.example", 421),
        ("::1", "[::1]", 200),
        ("0.0.0.0", "192.168.1.9:8000", 200),
        ("0.0.0.0", socket.gethostname(), 200),
        ("0.0.0.0", "evil.example", 421),
        ("::", "[2001:db8::7]:8000", 200),
    ],
)
def test_only_this_machines_names_are_answered(searcher: Searcher, bound: str, host: str, status: int) -> None:
    from fastapi.testclient import TestClient

    client = TestClient(make_app(searcher, "squares", bound))
    answer = client.get("/api/about", headers={"host": host})
    assert answer.status_code == status
    if status == 421:
        assert "own names only" in answer.json()["error"]


def test_a_picture_that_takes_a_gigabyte_is_refused(client: Any) -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (6000, 6000)).save(buffer, "PNG")
    answer = client.post("/api/search", json={"image": base64.b64encode(buffer.getvalue()).decode()})
    assert answer.status_code == 422 and "6000 x 6000 pixels are more than" in answer.json()["error"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", None),
        (b"GET / HTTP/1.1\r\nHost: 127", None),
        (b"GET /api/about HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET / HT", b"200"),
        (b"POST /api/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50\r\n\r\n{", b"408"),
    ],
)
def test_half_a_request_is_waited_for_a_while_only(searcher: Searcher, sent: bytes, status: bytes | None) -> None:
    uvicorn = pytest.importorskip("uvicorn")
    app = make_app(searcher, "squares", patience=0.5)
    config = uvicorn.Config(app, port=0, log_level="error", timeout_keep_alive=60)
    config.load()
    config.http_protocol_class = impatient(config.http_protocol_class, 0.5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    with socket.create_connection(server.servers[0].sockets[0].getsockname()[:2], timeout=10) as line:
        line.sendall(sent)
        came = b"".join(iter(lambda: line.recv(65536), b""))  # until the server hangs up
    server.should_exit = True
    thread.join(timeout=10)
    assert came == b"" if status is None else came.startswith(b"HTTP/1.1 " + status)


def test_large_requests_are_413(client: Any, monkeypatch: pytest.MonkeyPatch, searcher: Searcher) -> None:
    huge = b'{"text": "' + b"x" * (search_app.LARGEST_UPLOAD + 1) + b'"}'
    headers = {"content-type": "application/json"}
    assert client.post("/api/search", content=huge, headers=headers).status_code == 413

    def endless() -> Iterator[bytes]:  # no content-length: counted as it comes
        for _ in range(30):
            yield b"x" * 1_000_000

    assert client.post("/api/search", content=endless(), headers=headers).status_code == 413
    assert client.post("/api/search", content=b"x", headers={"content-length": "1000000000"}).status_code == 413


def test_a_bomb_is_refused(client: Any) -> None:
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
    answer = client.post("/api/search", json={"image": base64.b64encode(buffer.getvalue()).decode()})
    assert answer.status_code == 422 and "image can't be used" in answer.json()["error"]


def test_paths_stay_inside_and_headers_are_set(client: Any) -> None:
    for path in ("/thumbnails/..%2f..%2fetc%2fpasswd", "/thumbnails/x' OR '1'='1", "/../catalogue.json"):
        assert client.get(path).status_code == 404
    headers = client.get("/").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.fixture(scope="module")
def address(searcher: Searcher) -> Iterator[str]:
    uvicorn = pytest.importorskip("uvicorn")
    server = uvicorn.Server(uvicorn.Config(make_app(searcher, "squares"), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(200):
        if server.started:
            break
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


def test_the_page_in_a_browser(browser: Any, address: str, squares: Path, searcher: Searcher) -> None:
    from playwright.sync_api import expect  # polls without eval, which the page's own policy forbids

    page = browser.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    page.goto(address)
    expect(page).to_have_title("squares")
    page.keyboard.press("/")
    page.keyboard.type("a red square")
    page.keyboard.press("Enter")
    page.wait_for_selector(".hit")
    expected = [hit.row["title"] for hit in searcher.search(Query("a red square"), 60)]
    assert page.locator(".hit .words").first.inner_text().startswith(expected[0])
    assert page.locator(".hit").count() == 60
    assert page.evaluate("document.querySelector('.hit img').naturalWidth") > 0  # the thumbnail came
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("[...document.querySelectorAll('.open')].indexOf(document.activeElement)") == 1
    page.keyboard.press("Enter")
    assert page.locator("dialog[open] dd").count() >= 5
    page.keyboard.press("Escape")
    page.locator(".like").first.click()
    expect(page.locator("#said")).to_contain_text("like this one")
    assert "like=" in page.url
    page.set_input_files("#file", str(squares / "6.png"))  # a blue one
    expect(page.locator(".words").first).to_contain_text("blue")
    page.click("summary")
    page.fill("#where", "price < 3")
    page.click("button[type=submit]")
    expect(page.locator(".hit")).to_have_count(6)
    page.fill("#where", "prise < 3")
    page.click("button[type=submit]")
    expect(page.locator("#said")).to_contain_text("did you mean 'price'")
    refused = [text for text in problems if "422" not in text]  # the browser reports a refused question itself
    assert not refused
    page.close()


def test_the_page_on_a_phone(browser: Any, address: str) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 740})
    page.goto(f"{address}/?q=green")
    page.wait_for_selector(".hit")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360  # nothing sticks out
    assert page.locator("button[type=submit]").bounding_box()["height"] >= 44  # large enough for a thumb
    page.close()


def test_what_a_row_holds_is_never_markup(browser: Any, squares: Path, tmp_path: Path) -> None:
    import pandas as pd

    frame = pd.read_csv(squares / "squares.csv")[:30]
    for name in frame["photo"]:
        shutil.copy(squares / name, tmp_path / name)
    frame["note"] = [f"<img src=x onerror=\"document.title='taken'\"> {n}" for n in range(30)]
    frame.to_csv(tmp_path / "odd.csv", index=False)
    index_table(squares / "pairs", tmp_path / "odd.csv", tmp_path / "odd.lance", verbose=False)
    import uvicorn

    server = uvicorn.Server(
        uvicorn.Config(make_app(Searcher(tmp_path / "odd.lance"), "odd"), port=0, log_level="error")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/?q=red")
    page.wait_for_selector(".hit")
    assert "<img src=x" in page.locator(".words").first.inner_text()
    assert page.title() == "odd"
    page.close()
    server.should_exit = True
    thread.join(timeout=10)
