"""The search page: words, a dropped image, filters, more like this."""

import base64
import binascii
import json
import math
import socket
import threading
from importlib import resources
from typing import Any

from plait import console
from plait.errors import DataError, PlaitError, import_extra
from plait.modalities import AUDIO, IMAGE
from plait.processors.image import refuse_heavy
from plait.search import Query, Searcher
from plait.search.searcher import Hit
from plait.serving.guard import PATIENCE, BoundedBody, KnownHosts, impatient

LARGEST_UPLOAD = 20_000_000  # bytes of a request
MOST = 200  # rows an answer
LARGEST = 1e300  # of weights: larger whole numbers are no floats
SECURITY = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def make_app(
    searcher: Searcher, title: str = "plait search", host: str = "127.0.0.1", patience: float = PATIENCE
) -> Any:
    """A FastAPI application of one index: `/` the page, `/api/about`, `/api/search`, `/thumbnails/ID`, `/sounds/ID`.

    Args:
        searcher: the open index.
        title: of the page.
        host: that is listened on; requests that name another are refused.
        patience: seconds in which a request must have come.

    Raises:
        MissingExtra: FastAPI is not installed.
    """
    fastapi = import_extra("fastapi", "serve")
    responses = import_extra("fastapi.responses", "serve")
    run_in_threadpool: Any = import_extra("fastapi.concurrency", "serve").run_in_threadpool
    app = fastapi.FastAPI(title=title, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(BoundedBody, limit=LARGEST_UPLOAD, patience=patience)
    app.add_middleware(KnownHosts, host=host)  # the one that is added last comes first
    one_at_a_time = threading.Lock()  # torch uses all cores for one query
    files = resources.files("plait.serving")

    @app.middleware("http")
    async def secure(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers.update(SECURITY)
        return response

    @app.get("/")
    def page() -> Any:
        return responses.HTMLResponse(files.joinpath("search.html").read_text(encoding="utf-8"))

    @app.get("/search.js")
    def script() -> Any:
        return responses.Response(files.joinpath("search.js").read_bytes(), media_type="text/javascript")

    @app.get("/search.css")
    def style() -> Any:
        return responses.Response(files.joinpath("search.css").read_bytes(), media_type="text/css")

    @app.get("/api/about")
    def about() -> dict[str, Any]:
        index = searcher.index
        kinds = [spec.kind for spec in searcher.predictor.inputs_.values() if spec.kind is not None]
        read = {kind.name for kind in kinds}
        words = any(kind.words for kind in kinds)
        facts = {"title": title, "rows": len(searcher.ids), "columns": index.columns, "texts": index.texts}
        files = [name for name in (IMAGE.name, AUDIO.name) if name in read]
        return {**facts, "pictures": index.meta["pictures"], "asks_files": files, "asks_words": words}

    def answer(raw: bytes) -> Any:
        try:
            body = _read(raw)
            query, k = _query(body), _count(body.get("k", 60))
            with one_at_a_time:
                hits = searcher.search(query, k)
        except PlaitError as error:
            return responses.JSONResponse({"error": str(error)}, status_code=422)
        film = bool(searcher.index.meta.get("film"))
        return responses.JSONResponse({"hits": [_hit_as_json(hit, film) for hit in hits]})

    async def search(request: Any) -> Any:
        return await run_in_threadpool(answer, await request.body())

    app.add_route("/api/search", search, methods=["POST"])

    @app.get("/thumbnails/{identity}")
    def thumbnail(identity: str) -> Any:
        jpeg = searcher.thumbnail(identity)
        if jpeg is None:
            return responses.JSONResponse({"error": "there is no such image"}, status_code=404)
        return responses.Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "max-age=86400, immutable"})

    @app.get("/sounds/{identity}")
    def sound(identity: str) -> Any:
        played = searcher.sound(identity)
        if played is None:
            return responses.JSONResponse({"error": "there is no such sound"}, status_code=404)
        kind = "video/webm" if searcher.index.meta.get("film") else "audio/mpeg"
        return responses.Response(played, media_type=kind, headers={"Cache-Control": "max-age=86400, immutable"})

    return app


def _read(raw: bytes) -> dict[str, Any]:
    """A question as the page sends it.

    Raises:
        DataError: it is no JSON object.
    """
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:  # RecursionError: thousands of brackets
        raise DataError(f"expected a question as JSON, got {raw[:40]!r}") from error
    if not isinstance(body, dict):
        raise DataError(f"expected a question as a JSON object, got {type(body).__name__}")
    return body


def _hit_as_json(hit: Hit, film: bool) -> dict[str, Any]:
    """A row as JSON has it: no NaN, no infinity."""
    fields = {**hit.to_json(), "picture": hit.thumbnail is not None, "sound": hit.heard, "film": film}
    fields["row"] = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in fields["row"].items()}
    return fields


def _query(body: dict[str, Any]) -> Query:
    """What the page asks.

    Raises:
        DataError: a field is of the wrong kind.
    """
    for name in ("text", "like", "where", "mode", "image", "audio"):
        if not isinstance(body.get(name) or "", str):
            raise DataError(f"{name}: expected text, got {type(body[name]).__name__}")
    image, audio = _file(body, IMAGE.name), _file(body, AUDIO.name)
    if image is not None:
        try:
            refuse_heavy(image)
        except DataError as error:
            raise DataError(f"the query's image can't be used: {error}") from error
    mode = body.get("mode") or "meaning"
    weights = body.get("weights", [1.0, 1.0])
    if not isinstance(weights, list) or len(weights) != 2 or not all(_is_number(w) for w in weights):
        raise DataError("weights: expected two numbers")
    return Query(
        text=body.get("text") or None,
        image=image,
        audio=audio,
        like=body.get("like") or None,
        weights=(float(weights[0]), float(weights[1])),
        where=body.get("where") or None,
        mode=mode,  # type: ignore[arg-type]  # the searcher says what it knows
    )


def _file(body: dict[str, Any], name: str) -> bytes | None:
    """A file that the page sends."""
    if not body.get(name):
        return None
    try:
        return base64.b64decode(body[name], validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(f"{name}: expected a file in base64") from error


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST < value < LARGEST


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST:
        raise DataError(f"k: expected 1 to {MOST}, got {value!r}")
    return value


def serve_search(searcher: Searcher, title: str, host: str, port: int) -> None:
    """Answer until Ctrl-C; by default to this machine alone.

    Raises:
        MissingExtra: FastAPI or uvicorn is not installed.
        DataError: there is no such host.
    """
    uvicorn = import_extra("uvicorn", "serve")
    try:
        socket.getaddrinfo(host, port)
    except OSError as error:
        raise DataError(f"--host {host}: there is no such host ({error.strerror or error})") from error
    app = make_app(searcher, title, host)
    if host not in ("127.0.0.1", "localhost", "::1"):
        console.say(f"everybody who reaches {host} can search this index: the page asks for no password")
    console.say(f"http://{f'[{host}]' if ':' in host else host}:{port} (Ctrl-C ends it)")
    config = uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False)
    config.load()
    config.http_protocol_class = impatient(config.http_protocol_class)
    uvicorn.Server(config).run()
