"""Which pages may speak to the real-time server, and what their browsers must be told."""

from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection

__all__ = ["cross_origin_headers", "origin_allowed"]

_PREFLIGHT_SECONDS = "86400"


def origin_allowed(origin: str | None, host: str | None, allowed: tuple[str, ...]) -> bool:
    """Whether a page of this origin may connect: no origin (not a browser), our own host, one of
    the allowed origins, or any if ``*`` is among them."""
    if not origin or "*" in allowed:
        return True
    parts = urlsplit(origin)
    return origin.rstrip("/") in allowed or bool(parts.netloc and parts.netloc == host)


def cross_origin_headers(
    connection: ASGIConnection[Any, Any, Any, Any], allowed: tuple[str, ...]
) -> dict[str, str] | None:
    """What a browser must read to let its page have the answer; None if the page may not."""
    origin = connection.headers.get("origin")
    if not origin_allowed(origin, connection.headers.get("host"), allowed):
        return None
    if not origin:
        return {"vary": "Origin"}
    return {
        "vary": "Origin",
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET, POST, OPTIONS",
        "access-control-allow-headers": "authorization, content-type, cache-control",
        "access-control-max-age": _PREFLIGHT_SECONDS,
    }
