"""What a page on this machine lets in: requests to its own names, bodies of bounded size, connections in use."""

import asyncio
import ipaddress
import json
import socket
import time
from collections.abc import Callable
from typing import Any

PATIENCE = 30.0  # seconds in which a request must have come


async def refuse(send: Any, status: int, reason: str) -> None:
    """Answer a request with an error in words, and end its connection."""
    body = json.dumps({"error": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class KnownHosts:
    """Answers requests that name this machine, and no others (421).

    A page of a stranger can point a name of its own at 127.0.0.1 (DNS rebinding): the browser then lets it read what
    is served here. Such a request carries the stranger's name.

    Args:
        app: what answers.
        host: that is listened on. Where it is every address (`0.0.0.0`, `::`), the machine's name and any address are
            accepted: an address cannot be rebound.
    """

    def __init__(self, app: Any, host: str) -> None:
        self.app, self.host = app, name_in(host)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan" or self.knows(dict(scope["headers"]).get(b"host", b"").decode("latin-1")):
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await refuse(send, 421, f"this page answers to {self.host} and to this machine's own names only")

    def knows(self, header: str) -> bool:
        """Whether a `Host` header names this machine."""
        name = name_in(header)
        address = _address(name)
        if name in (self.host, "localhost") or (address is not None and address.is_loopback):
            return True
        bound = _address(self.host)
        if bound is None or not bound.is_unspecified:
            return False
        return address is not None or name in (socket.gethostname().lower(), socket.getfqdn().lower())


def name_in(header: str) -> str:
    """The name of a `Host` header, without its port.

    >>> name_in("Localhost:8000"), name_in("[::1]:8000"), name_in("::1"), name_in("127.0.0.1.")
    ('localhost', '::1', '::1', '127.0.0.1')
    """
    if header.startswith("["):
        name = header[1:].partition("]")[0]
    else:
        name = header.partition(":")[0] if header.count(":") == 1 else header
    return name.lower().removesuffix(".")


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


class BoundedBody:
    """Refuses a request whose body is larger than `limit` bytes (413), before it stands in memory, or slow (408).

    Args:
        app: what answers.
        limit: bytes.
        patience: seconds in which the body must have come.
    """

    def __init__(self, app: Any, limit: int, patience: float = PATIENCE) -> None:
        self.app, self.limit, self.patience = app, limit, patience

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self.limit:
            await refuse(send, 413, self._too_large)
            return
        # Bytes so far; whether the body is complete, the answer begun; the status it is refused with, or 0.
        received, whole, begun, refused = 0, False, False, 0
        until = time.monotonic() + self.patience

        async def bounded() -> Any:
            nonlocal received, whole, refused
            try:  # once the body is here, the application waits for the end of the connection, however long
                message = await asyncio.wait_for(receive(), None if whole else until - time.monotonic())
            except TimeoutError:
                refused = 408
                return {"type": "http.disconnect"}
            received += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if received > self.limit:
                refused = 413
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
            slow = f"the request did not come whole within {self.patience:g} seconds"
            await refuse(send, refused, self._too_large if refused == 413 else slow)

    @property
    def _too_large(self) -> str:
        return f"the request is larger than {self.limit} bytes"


def impatient(protocol: Callable[..., Any], patience: float = PATIENCE) -> Callable[..., Any]:
    """uvicorn's protocol, but ending a connection on which no request comes: by itself it would wait for ever.

    Args:
        protocol: uvicorn's class.
        patience: seconds between two looks; a request that came in between, or is being answered, lets it live.
    """

    def make(**options: Any) -> Any:
        connection = protocol(**options)
        if not hasattr(connection, "cycle"):  # another version of uvicorn: do without
            return connection
        connected = connection.connection_made

        def look(transport: Any, before: Any) -> None:
            cycle = connection.cycle  # of the latest request
            answering = cycle is not None and not cycle.response_complete
            if transport.is_closing():
                return
            if answering or cycle is not before:
                asyncio.get_running_loop().call_later(patience, look, transport, cycle)
            else:
                transport.close()

        def connection_made(transport: Any) -> None:
            connected(transport)
            asyncio.get_running_loop().call_later(patience, look, transport, None)

        connection.connection_made = connection_made
        return connection

    return make
