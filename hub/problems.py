"""Errors as RFC 9457 problem details: the one place that knows HTTP statuses.

A problem's ``type`` is ``https://bvester.com/problems/<kind>``; ``docs/errors.md`` lists them. The
status comes from the error's branch of the tree in ``hub.errors``, so a capability adds an error
without touching this file. What is not a ``HubError`` becomes a plain 500 that tells nothing.
"""

from typing import Any

import msgspec

from hub.errors import (
    Conflict,
    Forbidden,
    HubError,
    Invalid,
    NotFound,
    Refused,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)

__all__ = ["MEDIA_TYPE", "TYPE_BASE", "problem", "status_of", "title_of"]

MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "https://bvester.com/problems/"

_STATUS: tuple[tuple[type[HubError], int], ...] = (
    (Invalid, 400),
    (Unauthenticated, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (Refused, 422),
    (TooManyRequests, 429),
    (Unavailable, 503),
)


def status_of(error: HubError) -> int:
    """The HTTP status of an error, by its branch of the tree."""
    return next((status for branch, status in _STATUS if isinstance(error, branch)), 500)


def title_of(kind: str) -> str:
    """A short human form of a kind: ``insufficient_funds`` is ``Insufficient funds``."""
    return kind.replace("_", " ").replace(".", ": ").capitalize()


def problem(error: HubError) -> bytes:
    """The body of the problem: type, title, status, detail and the error's facts."""
    members: dict[str, Any] = {
        "type": TYPE_BASE + error.kind,
        "title": title_of(error.kind),
        "status": status_of(error),
        "detail": error.message,
    }
    return msgspec.json.encode({**error.facts, **members})
