"""The stages of a session's life."""

from enum import Enum

__all__ = ["State"]


class State(Enum):
    """``REFUSED`` is a connection whose connect was answered by an error: it may only leave."""

    NEW = 1
    CONNECTING = 2
    LIVE = 3
    REFUSED = 4
    CLOSED = 5
