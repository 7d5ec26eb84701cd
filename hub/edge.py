"""How answers leave the web process: errors as problem details, and headers that protect pages."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import Message, Scope

from hub.errors import HubError, Invalid, TooManyRequests, Unauthenticated
from hub.problems import MEDIA_TYPE, TYPE_BASE, problem, status_of, title_of
from hub.settings import Settings
from hub.telemetry import logger

__all__ = ["exception_handlers", "security_headers"]

_log = logger("http")
_KINDS = {
    400: "invalid", 401: "unauthenticated", 403: "forbidden", 404: "not_found",
    405: "method_not_allowed", 413: "body_too_large", 415: "unsupported_media_type",
    429: "too_many_requests",
}  # fmt: skip


def _hub_error(_: Request[Any, Any, Any], error: HubError) -> Response[bytes]:
    headers = {}
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    status = status_of(error)
    if status >= 500:
        _log.warning("refused for a fault of ours", kind=error.kind)
    return Response(problem(error), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def _http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework found wrong: an unknown path, a body that does not fit, a large body."""
    status = error.status_code
    if status >= 500:
        _log.error("the framework failed", route=_route(request), exc_info=error)
    kind = _KINDS.get(status, "invalid" if status < 500 else "internal")
    members: dict[str, Any] = {
        "type": TYPE_BASE + kind,
        "title": title_of(kind),
        "status": status,
        "detail": error.detail if status < 500 else "Something went wrong on our side.",
    }
    if isinstance(error, ValidationException) and error.extra:
        members["detail"] = "The request does not fit what this operation takes."
        members["errors"] = [_field(entry) for entry in error.extra]
    headers = dict(error.headers or {})
    return Response(
        msgspec.json.encode(members), status_code=status, media_type=MEDIA_TYPE, headers=headers
    )


def _route(request: Request[Any, Any, Any]) -> str:
    """The path as it was declared: the one that came may hold a callback's secret."""
    return str(request.scope.get("path_template", ""))


def _field(entry: Any) -> dict[str, str]:
    """One field's fault: where and what. Values are left out: they may be personal."""
    if not isinstance(entry, dict):
        return {"message": str(entry)[:200]}
    return {
        name: str(entry[name])[:200] for name in ("key", "source", "message") if entry.get(name)
    }


def _too_deep(_: Request[Any, Any, Any], error: RecursionError) -> Response[bytes]:
    """A body nested deeper than anything we take; no code of ours calls itself without end."""
    _log.warning("something nested too deeply", exc_type=type(error).__name__)
    return Response(
        problem(Invalid("The request is nested too deeply.")),
        status_code=400,
        media_type=MEDIA_TYPE,
    )


def _unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    _log.error("unexpected error", route=_route(request), exc_info=error)
    members = {
        "type": TYPE_BASE + "internal",
        "title": "Internal",
        "status": 500,
        "detail": "Something went wrong on our side. Nothing was half done; try again.",
    }
    return Response(msgspec.json.encode(members), status_code=500, media_type=MEDIA_TYPE)


exception_handlers: dict[int | type[Exception], Any] = {
    HubError: _hub_error,
    HTTPException: _http_error,
    RecursionError: _too_deep,
    Exception: _unexpected,
}


def security_headers(settings: Settings) -> Callable[[Message, Scope], Awaitable[None]]:
    """A hook that adds the headers of every answer: strict CSP, no sniffing, no framing."""
    socket = settings.http.public_url.replace("http", "ws", 1)
    sandbox = f" {settings.sandbox.url}" if settings.sandbox.enabled else ""
    policy = (
        f"default-src 'self'; connect-src 'self' {socket}{sandbox}; img-src 'self' data:;"
        " style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'self';"
        " frame-ancestors 'none'; object-src 'none'"
    )
    # The API reference's viewer sets styles from script; it is served by us and shows no data.
    reference = policy.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'").replace(
        "script-src 'self'", "script-src 'self' 'unsafe-inline'"
    )
    fixed = [
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"same-origin"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    ]
    if settings.http.public_url.startswith("https"):
        fixed.append((b"strict-transport-security", b"max-age=31536000; includeSubDomains"))

    async def add(message: Message, scope: Scope) -> None:
        if message["type"] != "http.response.start":
            return
        chosen = reference if scope["path"].startswith("/docs") else policy
        headers = [*message.get("headers", []), *fixed]
        headers.append((b"content-security-policy", chosen.encode()))
        if scope["path"].startswith("/v1/") and not any(n == b"cache-control" for n, _ in headers):
            headers.append((b"cache-control", b"no-store"))
        message["headers"] = headers

    return add
