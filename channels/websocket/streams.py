"""A session over an HTTP answer that goes on until the session ends.

The answer starts at once; its body is what the session writes, joined per turn of the loop. There
is no close frame here: the goodbye is a push, the last thing before the answer ends. What a peer
does not read is bounded as on every transport (3008), and its connection is dropped, not waited
for. Under uvicorn with our HTTP protocol class a stopping server tells the stream.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from litestar import Request
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, Receive, Scope, Send

from channels.websocket.direct import HOLD
from channels.websocket.origins import cross_origin_headers
from channels.websocket.outbox import Outbox
from hub.limits import address_of
from hub.realtime import SLOW, Encoding, Node

__all__ = ["LiveStream", "answer", "open_stream"]

_CLOSE_SECONDS = 1.0
_UNCACHED = {
    "cache-control": "private, no-cache, no-store, must-revalidate, max-age=0",
    "pragma": "no-cache",
    "x-accel-buffering": "no",  # nginx would collect the pushes into blocks
}


def answer(status: int, headers: Mapping[str, str]) -> ASGIApp:
    """An answer without a body."""
    return ASGIResponse(status_code=status, headers=dict(headers), is_head_response=status == 204)


def open_stream(
    request: Request[Any, Any, Any],
    node: Node,
    encoding: Encoding,
    frame: bytes,
    *,
    media_type: str,
    opening: bytes = b"",
) -> ASGIApp:
    """The answer to a request that opens a session with ``frame``: a stream, or a refusal (403
    for a page that may not, 429 for an address that has its share)."""
    headers = cross_origin_headers(request, node.client.allowed_origins)
    if headers is None:
        return answer(403, {})
    address = address_of(request)
    if node.addresses.full(address):
        return answer(429, headers | {"retry-after": "10"})
    headers |= _UNCACHED | {"content-type": media_type}
    return LiveStream(node, encoding, frame, headers, address, opening)


class LiveStream:
    """An ASGI application that runs one session and ends with it."""

    def __init__(
        self,
        node: Node,
        encoding: Encoding,
        frame: bytes,
        headers: Mapping[str, str],
        address: str = "",
        opening: bytes = b"",
    ) -> None:
        self._node = node
        self._encoding = encoding
        self._frame = frame
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._address = address
        self._opening = opening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        outbox = Outbox()
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        if self._opening:
            await send(_part(self._opening))
        session = self._node.open(outbox, self._encoding, address=self._address, emulated=True)
        extensions: dict[Any, Any] = scope.get("extensions") or {}
        hold: Callable[..., Any] | None = extensions.get(HOLD)
        drop = hold(lambda: self._node.drain(session)) if hold else None
        session.receive(self._frame)
        gone = asyncio.ensure_future(_gone(receive))
        writer = asyncio.ensure_future(self._write(outbox, send))
        ended = asyncio.ensure_future(outbox.ended.wait())
        tasks = (gone, writer, ended)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if outbox.overflowed:
                session.close(SLOW)
            if outbox.closed is not None and not gone.done():
                await asyncio.wait([gone, writer], timeout=_CLOSE_SECONDS)
        finally:
            session.lost()
            finished = writer.done() and not writer.cancelled() and writer.exception() is None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if drop is not None and not finished:
                drop()
                await asyncio.sleep(0)  # the server notices before we return

    async def _write(self, outbox: Outbox, send: Send) -> None:
        while True:
            await outbox.wait()
            ready = outbox.take_all() if not outbox.overflowed else b""
            if outbox.closed is not None:
                ready += self._encoding.goodbye(*outbox.closed)
            if ready:
                await send(_part(ready))
            if outbox.closed is not None:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return


async def _gone(receive: Receive) -> None:
    with suppress(OSError):
        while (await receive())["type"] != "http.disconnect":
            pass


def _part(body: bytes) -> Any:
    return {"type": "http.response.body", "body": body, "more_body": True}
