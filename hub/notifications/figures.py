"""Notices in figures, for operations: how many stand where, and what the attempts cost."""

import msgspec

from hub.database import Connection

__all__ = ["AttemptCount", "attempt_counts", "escalation_counts"]


class AttemptCount(msgspec.Struct, frozen=True):
    """Attempts of one channel in one state; ``cost`` in major units as the provider states it."""

    channel: str
    state: str
    count: int
    cost: str | None
    currency: str | None


async def escalation_counts(c: Connection) -> dict[str, int]:
    """How many escalations are in each state."""
    rows = await c.fetch("SELECT state, count(*) AS count FROM escalations GROUP BY state")
    return {row["state"]: row["count"] for row in rows}


async def attempt_counts(c: Connection) -> list[AttemptCount]:
    """Attempts by channel, state and currency of their cost."""
    rows = await c.fetch(
        "SELECT channel, state, count(*) AS count, sum(cost)::text AS cost,"
        " cost_currency AS currency"
        " FROM delivery_attempts GROUP BY channel, state, cost_currency"
        " ORDER BY channel, state, cost_currency"
    )
    return [AttemptCount(**row) for row in rows]
