"""How the server API says no: the codes of the protocol, with the reason in the message."""

from hub.realtime.codes import Error, Refusal

__all__ = ["Unreadable", "bad_request", "not_available", "status_of"]

_STATUS = {100: 500, 102: 404, 103: 403, 104: 404, 107: 400, 108: 400, 112: 416, 113: 409}


class Unreadable(ValueError):
    """The body is no JSON of the shape that the method wants."""


def bad_request(why: str) -> Refusal:
    return Refusal(Error(107, f"bad request: {why}"))


def not_available(why: str) -> Refusal:
    return Refusal(Error(108, f"not available: {why}"))


def status_of(error: Error) -> int:
    """The HTTP status for callers that want errors told that way."""
    return _STATUS.get(error.code, 500)
