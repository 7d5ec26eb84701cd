"""The errors a caller can cause or must be told about, drawn as one tree.

    HubError
        Invalid             the request itself is wrong (a field, an id, a phone number)
        Unauthenticated     nobody is signed in, or the credentials do not hold
        Forbidden           signed in, but not allowed
        NotFound            no such thing, or not yours to see
        Conflict            it clashes with the present state; the same request may fit later
        Refused             understood and allowed, but a business rule says no
        TooManyRequests     a rate limit; carries when to try again
        Unavailable         a provider or a part of the hub is down; try again

Each capability derives its own in its ``errors.py``. ``kind`` is stable and public: it ends up in
the problem's ``type`` over HTTP and picks the wording over USSD and SMS. Facts are keyword
arguments and become members of the problem; they are never personal data or secrets.
"""

from typing import Any, ClassVar

__all__ = [
    "Conflict",
    "Forbidden",
    "HubError",
    "Invalid",
    "NotFound",
    "Refused",
    "TooManyRequests",
    "Unauthenticated",
    "Unavailable",
]


class HubError(Exception):
    """Root of every error the hub raises on purpose.

    ``message`` is one plain sentence for a person; ``facts`` are JSON-ready values for a program.
    """

    kind: ClassVar[str] = "error"

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts


class Invalid(HubError):
    """A field, an id or a number in the request is wrong."""

    kind = "invalid"


class Unauthenticated(HubError):
    """Nobody is signed in, or the credentials do not hold."""

    kind = "unauthenticated"


class Forbidden(HubError):
    """Signed in, but not allowed."""

    kind = "forbidden"


class NotFound(HubError):
    """No such thing, or not yours to see."""

    kind = "not_found"


class Conflict(HubError):
    """The request clashes with the present state."""

    kind = "conflict"


class Refused(HubError):
    """A business rule says no."""

    kind = "refused"


class TooManyRequests(HubError):
    """A rate limit was reached; ``retry_after`` is in whole seconds."""

    kind = "too_many_requests"

    def __init__(self, message: str, *, retry_after: int, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.retry_after = retry_after


class Unavailable(HubError):
    """Something the hub depends on is down; nothing was done, try again."""

    kind = "unavailable"
