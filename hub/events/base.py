"""What an event is.

A capability derives its events from ``Event`` in its ``events.py``; each is a frozen Struct with a
dotted past-tense ``kind``. Events carry ids, amounts and public names, never personal text or
secrets: they are stored, hashed, and pushed to sockets as they are.
"""

from datetime import datetime
from typing import Any, ClassVar, Literal, TypeAlias

import msgspec

from hub.clock import milliseconds
from hub.ids import EventId

__all__ = ["ChannelName", "Event", "Reach", "catalogue", "encode_event"]

ChannelName: TypeAlias = Literal["push", "sms", "email"]

_catalogue: dict[str, type["Event"]] = {}


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """How hard an event tries to reach each recipient who is not looking at a live session.

    ``wait_ms`` is how long a live session may take to acknowledge before the first channel of
    ``order`` is tried, and again between channels. ``stop_at`` is what counts as reached:
    ``delivered`` (a device has it) or ``seen`` (the person has). After ``expires_ms`` nothing more
    is sent. ``critical`` overrides preferences and quiet hours; ``promotional`` obeys both.
    """

    urgency: Literal["critical", "normal", "promotional"] = "normal"
    wait_ms: int = 30_000
    order: tuple[ChannelName, ...] = ("push", "sms")
    expires_ms: int = 24 * 3_600_000
    stop_at: Literal["delivered", "seen"] = "delivered"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Root of all events; deriving with a ``kind`` enters the catalogue."""

    kind: ClassVar[str] = ""
    reach: ClassVar[Reach | None] = None

    def __init_subclass__(cls, **config: Any) -> None:
        super().__init_subclass__(**config)
        if cls.kind:
            _catalogue[cls.kind] = cls


def catalogue() -> dict[str, type[Event]]:
    """Every event class by kind, of the capabilities imported so far."""
    return dict(_catalogue)


def encode_event(event: Event, event_id: EventId, at: datetime) -> bytes:
    """The event's JSON as it is stored, published and sent: ``event``, ``id``, ``at`` (Unix ms)
    and the event's own fields."""
    head = {"event": event.kind, "id": str(event_id), "at": milliseconds(at)}
    return msgspec.json.encode(head)[:-1] + b"," + (msgspec.json.encode(event)[1:])
