"""``POST /emulation``: later commands of a client that reads a stream.

The body names the node and the session's secret, as the connect reply gave them, and holds a
frame: as a JSON string of lines, or raw in Protobuf. Answers 204 when the frame was handed over
(what it brings comes on the stream), 404 where no such node lives, 400 for a body that is none of
these, 413 for one that is too large, 503 while another node cannot be reached.
"""

from typing import Any

from litestar import HttpMethod, Request, post, route
from litestar.di import NamedDependency
from litestar.types import ASGIApp

from channels.websocket.frames import MOST_BYTES
from channels.websocket.http_stream import OCTETS
from channels.websocket.origins import cross_origin_headers
from channels.websocket.streams import answer
from hub.realtime import BrokerDown, EmulationRequest, Node

__all__ = ["emulation", "preflight"]


@post(
    "/emulation",
    opt={"public": True},
    request_max_body_size=MOST_BYTES,
    include_in_schema=False,
)
async def emulation(
    request: Request[Any, Any, Any],
    node: NamedDependency[Node],
) -> ASGIApp:
    """Hands a frame to the session that it is for, on whatever node that is."""
    headers = cross_origin_headers(request, node.client.allowed_origins)
    if headers is None:
        return answer(403, {})
    octets = request.headers.get("content-type", "").startswith(OCTETS)
    try:
        asked = EmulationRequest.read(await request.body(), binary=octets)
        known = await node.emulation.deliver(asked)
    except ValueError:
        return answer(400, headers)
    except BrokerDown:
        return answer(503, headers)
    return answer(204 if known else 404, headers)


@route(
    ["/connection/http_stream", "/connection/sse", "/emulation"],
    http_method=HttpMethod.OPTIONS,
    opt={"public": True},
    include_in_schema=False,
)
async def preflight(request: Request[Any, Any, Any], node: NamedDependency[Node]) -> ASGIApp:
    """A browser asks whether its page may."""
    headers = cross_origin_headers(request, node.client.allowed_origins)
    return answer(204, headers) if headers is not None else answer(403, {})
