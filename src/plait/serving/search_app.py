"""The search page: words, a dropped picture, filters, more like this."""

import base64
import binascii
import threading
from importlib import resources
from typing import Any

from plait import console
from plait.errors import DataError, PlaitError, import_extra
from plait.search import Query, Searcher

LARGEST_UPLOAD = 20_000_000  # bytes of a request
MOST = 200  # rows an answer
SECURITY = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def make_app(searcher: Searcher, title: str = "plait search") -> Any:
    """A FastAPI application of one catalogue: `/` the page, `/api/about`, `/api/search`, `/thumbnails/ID`.

    Args:
        searcher: the open catalogue.
        title: of the page.

    Raises:
        MissingExtra: FastAPI is not installed.
    """
    fastapi = import_extra("fastapi", "serve")
    responses = import_extra("fastapi.responses", "serve")
    app = fastapi.FastAPI(title=title, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(BoundedBody, limit=LARGEST_UPLOAD)
    one_at_a_time = threading.Lock()  # torch uses all cores for one question
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
        catalogue = searcher.catalogue
        pictures = any(spec.modality == "image" for spec in searcher.predictor.inputs_.values())
        words = any(spec.modality == "text" for spec in searcher.predictor.inputs_.values())
        held = {"title": title, "rows": len(searcher.ids), "columns": catalogue.columns, "texts": catalogue.texts}
        return {**held, "pictures": catalogue.meta["pictures"], "asks_pictures": pictures, "asks_words": words}

    @app.post("/api/search")
    def search(body: dict[str, Any]) -> Any:
        try:
            query, k = _query(body), _count(body.get("k", 60))
            with one_at_a_time:
                hits = searcher.search(query, k)
        except PlaitError as error:
            return responses.JSONResponse({"error": str(error)}, status_code=422)
        shown = [{**hit.to_json(), "picture": hit.thumbnail is not None} for hit in hits]
        return {"hits": shown}

    @app.get("/thumbnails/{identity}")
    def thumbnail(identity: str) -> Any:
        held = searcher.thumbnail(identity)
        if held is None:
            return responses.JSONResponse({"error": "there is no such picture"}, status_code=404)
        return responses.Response(held, media_type="image/jpeg", headers={"Cache-Control": "max-age=86400, immutable"})

    return app


def _query(body: dict[str, Any]) -> Query:
    """What the page asks.

    Raises:
        DataError: a field is of the wrong kind.
    """
    for name in ("text", "like", "where", "mode", "image"):
        if not isinstance(body.get(name) or "", str):
            raise DataError(f"{name}: expected text, got {type(body[name]).__name__}")
    image = None
    if body.get("image"):
        try:
            image = base64.b64decode(body["image"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise DataError("image: expected a picture file in base64") from error
    mode = body.get("mode") or "meaning"
    weights = body.get("weights", [1.0, 1.0])
    if not isinstance(weights, list) or len(weights) != 2 or not all(isinstance(w, int | float) for w in weights):
        raise DataError("weights: expected two numbers")
    return Query(
        text=body.get("text") or None,
        image=image,
        like=body.get("like") or None,
        weights=(float(weights[0]), float(weights[1])),
        where=body.get("where") or None,
        mode=mode,  # type: ignore[arg-type]  # the searcher says what it knows
    )


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST:
        raise DataError(f"k: expected 1 to {MOST}, got {value!r}")
    return value


class BoundedBody:
    """Refuses a request whose body is larger than `limit` bytes with 413, before it stands in memory."""

    def __init__(self, app: Any, limit: int) -> None:
        self.app, self.limit = app, limit

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self.limit:
            await self._refuse(send)
            return
        came, begun, refused = 0, False, False

        async def bounded() -> Any:
            nonlocal came, refused
            message = await receive()
            came += len(message.get("body", b""))
            if came > self.limit:
                refused = True
                return {"type": "http.disconnect"}
            return message

        async def passed(message: Any) -> None:
            nonlocal begun
            if not refused:
                begun = True
                await send(message)

        try:
            await self.app(scope, bounded, passed)
        except Exception:
            if not refused:
                raise
        if refused and not begun:
            await self._refuse(send)

    async def _refuse(self, send: Any) -> None:
        body = b'{"error": "the request is larger than %d bytes"}' % self.limit
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def serve_search(searcher: Searcher, title: str, host: str, port: int) -> None:
    """Answer until Ctrl-C; by default to this machine alone.

    Raises:
        MissingExtra: FastAPI or uvicorn is not installed.
    """
    uvicorn = import_extra("uvicorn", "serve")
    app = make_app(searcher, title)
    if host not in ("127.0.0.1", "localhost", "::1"):
        console.say(f"everybody who reaches {host} can search this catalogue: the page asks for no password")
    console.say(f"http://{host}:{port} (Ctrl-C ends it)")
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)
