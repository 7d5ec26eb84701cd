"""``POST /connection/http_stream``: the protocol for networks that break WebSockets.

The body is the first frame (the connect command, and more); the answer is a line for each reply
and push. With the content type ``application/octet-stream`` both are Protobuf, each message
behind its length. Later commands come by ``/emulation``.
"""

from typing import Any

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.types import ASGIApp

from channels.websocket.frames import MOST_BYTES
from channels.websocket.streams import open_stream
from hub.realtime import JSON, PROTOBUF_MESSAGES, Encoding, Node

__all__ = ["OCTETS", "http_stream"]

OCTETS = "application/octet-stream"


def _lines(payload: bytes) -> bytes:
    return payload + b"\n"


_JSON_LINES = Encoding(JSON, _lines)


@post(
    "/connection/http_stream",
    opt={"public": True},
    status_code=200,
    request_max_body_size=MOST_BYTES,
    include_in_schema=False,
)
async def http_stream(
    request: Request[Any, Any, Any],
    node: NamedDependency[Node],
) -> ASGIApp:
    """A client that reads one endless answer."""
    binary = request.headers.get("content-type", "").startswith(OCTETS)
    return open_stream(
        request,
        node,
        PROTOBUF_MESSAGES if binary else _JSON_LINES,
        await request.body(),
        media_type=OCTETS if binary else "application/json; charset=utf-8",
    )
