"""``/connection/sse``: the protocol as server-sent events, for clients that have only those.

``GET`` carries the first frame in the query (``cf_connect``), as an EventSource must; ``POST`` in
the body. Each reply and push is an event of its own. JSON only. Later commands come by
``/emulation``.
"""

from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.types import ASGIApp

from channels.websocket.frames import MOST_BYTES
from channels.websocket.streams import answer, open_stream
from hub.realtime import JSON, Encoding, Node

__all__ = ["sse_by_get", "sse_by_post"]

_MEDIA_TYPE = "text/event-stream; charset=utf-8"
_OPENING = b"\r\n"


def _events(payload: bytes) -> bytes:
    """Messages are joined by line feeds and hold none themselves."""
    return b"data: " + payload.replace(b"\n", b"\n\ndata: ") + b"\n\n"


_JSON_EVENTS = Encoding(JSON, _events)


@get("/connection/sse", opt={"public": True}, include_in_schema=False)
async def sse_by_get(
    request: Request[Any, Any, Any],
    node: NamedDependency[Node],
) -> ASGIApp:
    """An EventSource."""
    frame = request.query_params.get("cf_connect", "").encode()
    if len(frame) > MOST_BYTES:
        return answer(413, {})
    return _open(request, node, frame)


@post(
    "/connection/sse",
    opt={"public": True},
    status_code=200,
    request_max_body_size=MOST_BYTES,
    include_in_schema=False,
)
async def sse_by_post(
    request: Request[Any, Any, Any],
    node: NamedDependency[Node],
) -> ASGIApp:
    """A reader of events that can send a body."""
    return _open(request, node, await request.body())


def _open(request: Request[Any, Any, Any], node: Node, frame: bytes) -> ASGIApp:
    return open_stream(request, node, _JSON_EVENTS, frame, media_type=_MEDIA_TYPE, opening=_OPENING)
