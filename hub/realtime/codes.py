"""Error and disconnect codes of the client protocol, with the texts its SDKs know.

Errors answer one command. A disconnect ends the connection: codes 3000 to 3499 ask the client to
come back, 3500 to 3999 tell it not to. Source: the published client protocol of Centrifugo, v2.
"""

import msgspec

__all__ = [
    "ALREADY_SUBSCRIBED",
    "BAD_COMMAND",
    "BAD_REQUEST",
    "CONNECTION_CLOSED",
    "CONNECTION_EXPIRED",
    "CONNECTION_LIMIT",
    "EXPIRED",
    "FORCE_DISCONNECT",
    "FORCE_RECONNECT",
    "INSUFFICIENT_STATE",
    "INTERNAL",
    "INVALID_TOKEN",
    "LIMIT_EXCEEDED",
    "METHOD_NOT_FOUND",
    "NOT_AVAILABLE",
    "NO_PONG",
    "PERMISSION_DENIED",
    "SEND_NOT_AVAILABLE",
    "SERVER_ERROR",
    "SHUTDOWN",
    "SLOW",
    "STALE",
    "SUBSCRIPTION_EXPIRED",
    "TOKEN_EXPIRED",
    "TOO_MANY_COMMANDS",
    "TOO_MANY_REQUESTS",
    "UNAUTHORIZED",
    "UNKNOWN_CHANNEL",
    "UNRECOVERABLE_POSITION",
    "UNSUBSCRIBED_BY_SERVER",
    "UNSUBSCRIBED_EXPIRED",
    "UNSUBSCRIBED_INSUFFICIENT_STATE",
    "WRONG_PROTOCOL",
    "Disconnect",
    "Error",
    "Refusal",
    "Unsubscribed",
]


class Error(msgspec.Struct, frozen=True, omit_defaults=True):
    """The error of a reply; ``temporary`` invites the client to try again."""

    code: int
    message: str
    temporary: bool = False


class Disconnect(msgspec.Struct, frozen=True):
    """Why the server ends a connection; goes out as close code and close reason."""

    code: int
    reason: str


class Unsubscribed(msgspec.Struct, frozen=True):
    """Why the server ends a subscription; from 2500 the client subscribes again by itself."""

    code: int
    reason: str


class Refusal(Exception):
    """Ends a command early: with an error reply, or with the end of the connection."""

    def __init__(self, outcome: Error | Disconnect) -> None:
        super().__init__(outcome)
        self.outcome = outcome


INTERNAL = Error(100, "internal server error", temporary=True)
UNAUTHORIZED = Error(101, "unauthorized")
UNKNOWN_CHANNEL = Error(102, "unknown channel")
PERMISSION_DENIED = Error(103, "permission denied")
METHOD_NOT_FOUND = Error(104, "method not found")
ALREADY_SUBSCRIBED = Error(105, "already subscribed")
LIMIT_EXCEEDED = Error(106, "limit exceeded")
BAD_REQUEST = Error(107, "bad request")
NOT_AVAILABLE = Error(108, "not available")
TOKEN_EXPIRED = Error(109, "token expired")
EXPIRED = Error(110, "expired")
TOO_MANY_REQUESTS = Error(111, "too many requests", temporary=True)
UNRECOVERABLE_POSITION = Error(112, "unrecoverable position")

CONNECTION_CLOSED = Disconnect(3000, "connection closed")
SHUTDOWN = Disconnect(3001, "shutdown")
SERVER_ERROR = Disconnect(3004, "internal server error")
CONNECTION_EXPIRED = Disconnect(3005, "connection expired")
SUBSCRIPTION_EXPIRED = Disconnect(3006, "subscription expired")
SLOW = Disconnect(3008, "slow")
INSUFFICIENT_STATE = Disconnect(3010, "insufficient state")
FORCE_RECONNECT = Disconnect(3011, "force reconnect")
NO_PONG = Disconnect(3012, "no pong")
TOO_MANY_COMMANDS = Disconnect(3013, "too many requests")
INVALID_TOKEN = Disconnect(3500, "invalid token")
BAD_COMMAND = Disconnect(3501, "bad request")
STALE = Disconnect(3502, "stale")
FORCE_DISCONNECT = Disconnect(3503, "force disconnect")
CONNECTION_LIMIT = Disconnect(3504, "connection limit")
WRONG_PROTOCOL = Disconnect(3506, "inappropriate protocol")
SEND_NOT_AVAILABLE = Disconnect(3508, "not available")

UNSUBSCRIBED_BY_SERVER = Unsubscribed(2000, "server unsubscribe")
UNSUBSCRIBED_INSUFFICIENT_STATE = Unsubscribed(2500, "insufficient state")
UNSUBSCRIBED_EXPIRED = Unsubscribed(2501, "subscription expired")
