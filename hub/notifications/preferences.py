"""Channels a person has switched off. Critical notices go out all the same."""

from collections.abc import Iterable
from datetime import datetime

from hub.database import Connection
from hub.ids import PersonId

__all__ = ["CHANNELS", "preferences_of", "switch_channel", "switched_off"]

CHANNELS = ("push", "sms", "email")

_SWITCH = """
INSERT INTO notification_preferences (person_id, channel, enabled, changed_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (person_id, channel) DO UPDATE
SET enabled = excluded.enabled, changed_at = excluded.changed_at
"""

_OFF = """
SELECT person_id, channel FROM notification_preferences
WHERE person_id = ANY($1) AND NOT enabled
"""


async def switch_channel(
    tx: Connection, person_id: PersonId, channel: str, enabled: bool, at: datetime
) -> None:
    """Switches one channel on or off for a person."""
    await tx.execute(_SWITCH, person_id, channel, enabled, at)


async def switched_off(c: Connection, people: Iterable[PersonId]) -> dict[PersonId, frozenset[str]]:
    """The channels that each of ``people`` has switched off; people without any are left out."""
    off: dict[PersonId, set[str]] = {}
    for row in await c.fetch(_OFF, list(people)):
        off.setdefault(row["person_id"], set()).add(row["channel"])
    return {person: frozenset(channels) for person, channels in off.items()}


async def preferences_of(c: Connection, person_id: PersonId) -> dict[str, bool]:
    """Every channel and whether it is on; on is the default."""
    off = (await switched_off(c, [person_id])).get(person_id, frozenset())
    return {channel: channel not in off for channel in CHANNELS}
