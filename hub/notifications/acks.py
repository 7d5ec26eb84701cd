"""What live sessions acknowledge ends escalations.

A position is kept per device; for a person, whichever device is furthest counts. ``delivered``
says that a device has everything up to an offset, ``seen`` that the person has looked at it.
"""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from hub.clock import Clock
from hub.database import Connection, Database
from hub.ids import PersonId
from hub.notifications.steps import record, step_row

__all__ = ["Acks"]

_MOVE = """
INSERT INTO device_positions AS p (person_id, device, stream, delivered, seen, updated_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (person_id, device, stream) DO UPDATE
SET delivered = greatest(p.delivered, excluded.delivered),
    seen = greatest(p.seen, excluded.seen), updated_at = excluded.updated_at
WHERE p.delivered < excluded.delivered OR p.seen < excluded.seen
"""

_DELIVERED = """
UPDATE escalations SET acknowledged = 'delivered',
    state = CASE WHEN stop_at = 'delivered' THEN 'reached' ELSE state END,
    reached_how = CASE WHEN stop_at = 'delivered' THEN 'session' ELSE reached_how END,
    ended_at = CASE WHEN stop_at = 'delivered' THEN $4 ELSE ended_at END
WHERE person_id = $1 AND stream = $2 AND "offset" <= $3
  AND state = 'pending' AND acknowledged = 'no'
RETURNING event_id, person_id, state
"""

_SEEN = """
UPDATE escalations SET acknowledged = 'seen', state = 'reached', reached_how = 'session',
    ended_at = $4
WHERE person_id = $1 AND stream = $2 AND "offset" <= $3 AND state = 'pending'
RETURNING event_id, person_id, state
"""

_DEPARTED = """
UPDATE escalations SET starts_at = $2, due_at = least(due_at, $2)
WHERE person_id = ANY($1) AND state = 'pending' AND acknowledged = 'no' AND starts_at > $2
RETURNING event_id, person_id
"""

Depth = Literal["delivered", "seen"]


class Acks:
    """Fills the real-time gateway's ``Acknowledgements``."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def delivered(self, user: str, device: str | None, channel: str, offset: int) -> None:
        """``device`` of the person ``user`` has everything of ``channel`` up to ``offset``."""
        await self._move(user, device, channel, offset, "delivered")

    async def seen(self, user: str, device: str | None, channel: str, offset: int) -> None:
        """The person has looked at everything of ``channel`` up to ``offset``."""
        await self._move(user, device, channel, offset, "seen")

    async def departed(self, users: Sequence[str]) -> None:
        """These persons have no live session left: what none of them acknowledged goes on to the
        next channel now, because nobody is there who could still acknowledge it."""
        people = [person for user in users if (person := _person(user)) is not None]
        now = self._clock.now()

        async def work(tx: Connection) -> None:
            rows = await tx.fetch(_DEPARTED, people, now)
            reason = "went offline before acknowledging"
            await record(
                tx,
                [
                    step_row(row["event_id"], row["person_id"], now, "offline", reason)
                    for row in rows
                ],
            )

        if people:
            await self._database.transaction(work)

    async def _move(
        self, user: str, device: str | None, channel: str, offset: int, depth: Depth
    ) -> None:
        person = _person(user)
        if person is None:
            return  # an anonymous or service connection: nobody whom an escalation could concern
        if not 0 < offset < 2**63:
            return
        now = self._clock.now()

        async def work(tx: Connection) -> None:
            seen = offset if depth == "seen" else 0
            await tx.execute(_MOVE, person, device or "", channel, offset, seen, now)
            statement = _SEEN if depth == "seen" else _DELIVERED
            rows = await tx.fetch(statement, person, channel, offset, now)
            where = f"device {device}" if device else "a live session"
            await record(
                tx,
                [
                    step_row(
                        row["event_id"],
                        row["person_id"],
                        now,
                        "reached" if row["state"] == "reached" else "acknowledged",
                        f"{depth} on {where}",
                    )
                    for row in rows
                ],
            )

        await self._database.transaction(work)


def _person(user: str) -> PersonId | None:
    try:
        return PersonId(UUID(user))
    except ValueError:
        return None
