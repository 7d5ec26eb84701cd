"""Opens escalations in the relay's numbering transaction: numbered and escalated, or neither."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from hub.database import Connection
from hub.events import catalogue
from hub.ids import EventId, PersonId
from hub.notifications.steps import record, step_row

__all__ = ["Recipient", "schedule"]

_INSERT = """
INSERT INTO escalations (event_id, person_id, kind, stream, "offset", urgency, channels, stop_at,
                         wait_ms, recorded_at, starts_at, due_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12)
ON CONFLICT (event_id, person_id) DO NOTHING
"""


class Recipient(Protocol):
    """A person whom an event concerns, with its number in their personal stream."""

    @property
    def event_id(self) -> EventId: ...
    @property
    def kind(self) -> str: ...
    @property
    def person_id(self) -> PersonId: ...
    @property
    def stream(self) -> str: ...
    @property
    def offset(self) -> int: ...
    @property
    def recorded_at(self) -> datetime: ...


async def schedule(
    tx: Connection,
    numbered: Sequence[Recipient],
    *,
    at: datetime | None = None,
    wait_percent: int = 100,
) -> None:
    """Opens an escalation for each recipient of an event that has a ``Reach``, within ``tx``.

    Waits count from ``at``, when the event is published: after an outage of the relay live
    sessions still get their chance before the SMS. Expiry counts from the event itself.
    ``wait_percent`` scales the waits (100 is as declared).
    """
    classes = catalogue()
    rows, steps = [], []
    for recipient in numbered:
        event = classes.get(recipient.kind)
        reach = event.reach if event else None
        if reach is None:
            continue
        published = max(recipient.recorded_at, at or recipient.recorded_at)
        wait_ms = reach.wait_ms * wait_percent // 100
        starts_at = published + timedelta(milliseconds=wait_ms)
        rows.append(
            (
                recipient.event_id,
                recipient.person_id,
                recipient.kind,
                recipient.stream,
                recipient.offset,
                reach.urgency,
                list(reach.order),
                reach.stop_at,
                wait_ms,
                recipient.recorded_at,
                starts_at,
                recipient.recorded_at + timedelta(milliseconds=reach.expires_ms),
            )
        )
        reason = f"number {recipient.offset} in the personal stream; live sessions come first"
        steps.append(
            step_row(recipient.event_id, recipient.person_id, published, "scheduled", reason)
        )
    if rows:
        await tx.executemany(_INSERT, rows)
        await record(tx, steps)
