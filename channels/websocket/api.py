"""The server API over HTTP: ``POST /api/<method>``, and ``POST /api`` as it was of old.

The key comes as ``X-API-Key``, as ``Authorization: apikey <key>`` or as ``?api_key=``; without the
right one the answer is 401 and nothing else. JSON that cannot be read is 400. Everything else is
200 with ``result`` or ``error``, unless the caller asks for HTTP statuses by
``X-Centrifugo-Error-Mode: transport``.
"""

from hmac import compare_digest
from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from hub.realtime import Node
from hub.realtime.api import Answer, Api, Unreadable, status_of
from hub.settings import Secret

__all__ = ["api_routes"]

_MOST_BYTES = 16 * 1024 * 1024  # a broadcast names many channels
_JSON = "application/json"


def api_routes(key: Secret) -> list[ControllerRouterHandler]:
    """The routes, opened by ``key``; none without one. They need the dependency ``node``."""
    if not key:
        return []
    expected = key.reveal().encode()

    @post(
        "/api/{method:str}",
        opt={"public": True},
        status_code=200,
        request_max_body_size=_MOST_BYTES,
        include_in_schema=False,
    )
    async def call(
        request: Request[Any, Any, Any], node: NamedDependency[Node], method: FromPath[str]
    ) -> Response[bytes]:
        """One method."""
        if not _opens(request, expected):
            return Response(b"", status_code=401)
        try:
            return _response(request, await Api(node).call(method, await request.body()))
        except Unreadable as fault:
            return Response(str(fault).encode(), status_code=400, media_type="text/plain")

    @post(
        "/api",
        opt={"public": True},
        status_code=200,
        request_max_body_size=_MOST_BYTES,
        include_in_schema=False,
    )
    async def call_old(
        request: Request[Any, Any, Any], node: NamedDependency[Node]
    ) -> Response[bytes]:
        """A method named in the body."""
        if not _opens(request, expected):
            return Response(b"", status_code=401)
        try:
            return _response(request, await Api(node).call_old(await request.body()))
        except Unreadable as fault:
            return Response(str(fault).encode(), status_code=400, media_type="text/plain")

    return [call, call_old]


def _opens(request: Request[Any, Any, Any], expected: bytes) -> bool:
    """Compares in constant time: how long it takes tells nothing of the key."""
    kind, _, authorized = request.headers.get("authorization", "").partition(" ")
    given = (
        request.headers.get("x-api-key")
        or (authorized.strip() if kind.lower() == "apikey" else "")
        or request.query_params.get("api_key")
    )
    return compare_digest((given or "").encode(), expected)


def _response(request: Request[Any, Any, Any], answer: Answer) -> Response[bytes]:
    by_status = request.headers.get("x-centrifugo-error-mode", "").lower() == "transport"
    status = status_of(answer.error) if answer.error and by_status else 200
    return Response(answer.body, status_code=status, media_type=_JSON)
