"""The timeline of a notice: what happened, step by step, in plain words."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from hub.database import Connection
from hub.ids import EventId, PersonId
from hub.notifications.model import Cost

__all__ = ["StepName", "Timeline", "TimelineStep", "record", "step_row", "timeline"]

StepName: TypeAlias = Literal[
    "scheduled", "waiting", "skipped", "moved_on", "sending", "sent", "delivered", "failed",
    "retry", "in_doubt", "unknown", "acknowledged", "offline", "reached", "exhausted", "expired",
]  # fmt: skip

_INSERT = """
INSERT INTO escalation_steps (event_id, person_id, at, step, channel, reason, attempt_id)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""

_HEAD = """
SELECT kind, state, reached_how, recorded_at, ended_at FROM escalations
WHERE event_id = $1 AND person_id = $2
"""

_STEPS = """
SELECT s.at, s.step, s.channel, s.reason, a.try, a.parts, a.cost, a.cost_currency
FROM escalation_steps s LEFT JOIN delivery_attempts a ON a.id = s.attempt_id
WHERE s.event_id = $1 AND s.person_id = $2 ORDER BY s.id
"""

StepRow: TypeAlias = tuple[EventId, PersonId, datetime, StepName, str | None, str, UUID | None]


class TimelineStep(msgspec.Struct, frozen=True):
    """One step. ``parts`` and ``cost`` (major units) are those of the attempt it belongs to."""

    at: datetime
    step: str
    channel: str | None
    reason: str
    number: int | None
    parts: int | None
    cost: Cost | None


class Timeline(msgspec.Struct, frozen=True):
    """What became of one event for one person, oldest step first."""

    event_id: EventId
    person_id: PersonId
    kind: str
    state: str
    reached_how: str | None
    recorded_at: datetime
    ended_at: datetime | None
    steps: list[TimelineStep]


def step_row(
    event_id: EventId,
    person_id: PersonId,
    at: datetime,
    step: StepName,
    reason: str,
    *,
    channel: str | None = None,
    attempt_id: UUID | None = None,
) -> StepRow:
    """One step, ready for ``record``."""
    return (event_id, person_id, at, step, channel, reason, attempt_id)


async def record(tx: Connection, rows: Iterable[StepRow]) -> None:
    """Writes steps within ``tx``."""
    await tx.executemany(_INSERT, list(rows))


async def timeline(c: Connection, event_id: EventId, person_id: PersonId) -> Timeline | None:
    """The timeline; None where this event never had to reach this person."""
    head = await c.fetchrow(_HEAD, event_id, person_id)
    if head is None:
        return None
    steps = [
        TimelineStep(
            at=row["at"],
            step=row["step"],
            channel=row["channel"],
            reason=row["reason"],
            number=row["try"],
            parts=row["parts"],
            cost=None if row["cost"] is None else Cost(row["cost"], row["cost_currency"]),
        )
        for row in await c.fetch(_STEPS, event_id, person_id)
    ]
    return Timeline(
        event_id=event_id,
        person_id=person_id,
        kind=head["kind"],
        state=head["state"],
        reached_how=head["reached_how"],
        recorded_at=head["recorded_at"],
        ended_at=head["ended_at"],
        steps=steps,
    )
