"""The door of the real-time server: ``/connection/websocket``.

Litestar checks where the request comes from and accepts; who it is, the session learns from the
``connect`` command. Under uvicorn with our protocol classes the connection then leaves ASGI.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from litestar import WebSocket, websocket
from litestar.di import NamedDependency
from litestar.types import ControllerRouterHandler

from channels.websocket.direct import DETACH
from channels.websocket.emulation import emulation, preflight
from channels.websocket.http_stream import http_stream
from channels.websocket.origins import origin_allowed
from channels.websocket.portable import serve
from channels.websocket.sse import sse_by_get, sse_by_post
from hub.limits import address_of
from hub.realtime import (
    JSON_FRAMES,
    JSON_MESSAGES,
    PROTOBUF_FRAMES,
    PROTOBUF_MESSAGES,
    Node,
)

__all__ = ["routes"]

_JSON = "centrifuge-json"
_PROTOBUF = "centrifuge-protobuf"


def wants_protobuf(offered: Sequence[str], asked: Iterable[str | None]) -> bool:
    """Which encoding a client gets: Protobuf if it offers only that subprotocol or asks for it by
    the query, otherwise JSON, which also wins where both subprotocols are offered."""
    return (_PROTOBUF in offered and _JSON not in offered) or "protobuf" in asked


@websocket("/connection/websocket", opt={"public": True})
async def connect(
    socket: "WebSocket[Any, Any, Any]",
    node: NamedDependency[Node],
) -> None:
    """A client of the Centrifugo protocol (version 2), in JSON or Protobuf."""
    headers = socket.headers
    allowed = node.client.allowed_origins
    if not origin_allowed(headers.get("origin"), headers.get("host"), allowed):
        await socket.close(code=4403, reason="origin not allowed")
        return
    address = address_of(socket)
    if node.addresses.full(address):
        await _too_many(socket)
        return
    offered: list[str] = socket.scope["subprotocols"]
    asked = (socket.query_params.get("format"), socket.query_params.get("cf_protocol"))
    binary = wants_protobuf(offered, asked)
    subprotocol = _PROTOBUF if binary and _PROTOBUF in offered else _JSON
    await socket.accept(subprotocols=subprotocol if subprotocol in offered else None)
    extensions: dict[str, Any] = socket.scope.get("extensions") or {}
    detach = extensions.get(DETACH)
    if detach is None:
        await serve(socket, node, PROTOBUF_MESSAGES if binary else JSON_MESSAGES, address)
    else:
        detach(node, PROTOBUF_FRAMES if binary else JSON_FRAMES, address)


async def _too_many(socket: "WebSocket[Any, Any, Any]") -> None:
    """429 instead of a handshake: unlike a close code that ends an SDK for good, it comes back."""
    extensions: dict[str, Any] = socket.scope.get("extensions") or {}
    if "websocket.http.response" not in extensions:
        await socket.close(code=4429, reason="too many connections")
        return
    head = {"type": "websocket.http.response.start", "status": 429}
    await socket.send(head | {"headers": [(b"retry-after", b"10")]})  # type: ignore[arg-type]
    await socket.send({"type": "websocket.http.response.body", "body": b""})  # type: ignore[arg-type]


routes: list[ControllerRouterHandler] = [
    preflight,  # before the others, or Litestar gives each of them an OPTIONS of its own
    connect,
    http_stream,
    sse_by_get,
    sse_by_post,
    emulation,
]
