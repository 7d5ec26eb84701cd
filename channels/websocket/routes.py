"""The door of the real-time server: ``/connection/websocket``.

Litestar checks where the request comes from and accepts; who it is, the session learns from the
``connect`` command. Under uvicorn with our protocol classes the connection then leaves ASGI.
"""

from typing import Any
from urllib.parse import urlsplit

from litestar import WebSocket, websocket
from litestar.di import NamedDependency
from litestar.types import ControllerRouterHandler

from channels.websocket.direct import DETACH
from channels.websocket.portable import serve
from hub.realtime import JSON_FRAMES, JSON_MESSAGES, WRONG_PROTOCOL, Node
from hub.settings import Settings

__all__ = ["origin_allowed", "routes"]

_JSON = "centrifuge-json"
_PROTOBUF = "centrifuge-protobuf"


def origin_allowed(origin: str | None, host: str | None, allowed: tuple[str, ...]) -> bool:
    """Whether a page of this origin may connect: no origin (not a browser), our own host, one of
    the allowed origins, or any if ``*`` is among them."""
    if not origin or "*" in allowed:
        return True
    parts = urlsplit(origin)
    return origin.rstrip("/") in allowed or bool(parts.netloc and parts.netloc == host)


@websocket("/connection/websocket", opt={"public": True})
async def connect(
    socket: "WebSocket[Any, Any, Any]",
    node: NamedDependency[Node],
    settings: NamedDependency[Settings],
) -> None:
    """A client of the Centrifugo protocol (version 2, JSON)."""
    headers = socket.headers
    allowed = settings.http.allowed_origins
    if not origin_allowed(headers.get("origin"), headers.get("host"), allowed):
        await socket.close(code=4403, reason="origin not allowed")
        return
    offered: list[str] = socket.scope["subprotocols"]
    wants_protobuf = _PROTOBUF in offered and _JSON not in offered
    wants_protobuf |= "protobuf" in (
        socket.query_params.get("format"),
        socket.query_params.get("cf_protocol"),
    )
    if wants_protobuf:
        await socket.accept(subprotocols=_PROTOBUF if _PROTOBUF in offered else None)
        await socket.close(code=WRONG_PROTOCOL.code, reason=WRONG_PROTOCOL.reason)
        return
    await socket.accept(subprotocols=_JSON if _JSON in offered else None)
    extensions: dict[str, Any] = socket.scope.get("extensions") or {}
    detach = extensions.get(DETACH)
    if detach is None:
        await serve(socket, node, JSON_MESSAGES)
    else:
        detach(node, JSON_FRAMES)


routes: list[ControllerRouterHandler] = [connect]
