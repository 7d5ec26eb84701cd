"""Events: what a committed change tells the world, numbered per stream without gaps.

``base`` says what an event is and how hard it tries to reach people (``Reach``). ``outbox``
appends events in the caller's transaction. The relay (``workers/relay.py``) numbers them into
``streams``, from where any client can read after any offset for 30 days.
"""

from hub.events.base import Event, Reach, catalogue, encode_event
from hub.events.outbox import OutboxRow, append, outbox_rows, poke, shard_of
from hub.events.streams import (
    Entry,
    Position,
    Streams,
    conversation_stream,
    offering_stream,
    personal_stream,
)

__all__ = [
    "Entry",
    "Event",
    "OutboxRow",
    "Position",
    "Reach",
    "Streams",
    "append",
    "catalogue",
    "conversation_stream",
    "encode_event",
    "offering_stream",
    "outbox_rows",
    "personal_stream",
    "poke",
    "shard_of",
]
