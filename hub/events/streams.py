"""Numbered streams: read after any offset, from PostgreSQL, for as long as entries are kept.

A stream's name is its channel's name. Offsets start at 1 and have no gaps. The epoch is stored
with the stream, so a wiped Redis changes nothing; it would change only if a stream were rebuilt.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from hub.database import Database
from hub.ids import ConversationId, EventId, OfferingId, PersonId

__all__ = [
    "Entry",
    "Position",
    "Streams",
    "conversation_stream",
    "offering_stream",
    "personal_stream",
]


def personal_stream(person: PersonId | UUID) -> str:
    return f"personal:#{person}"


def offering_stream(offering: OfferingId) -> str:
    return f"offering:{offering}"


def conversation_stream(conversation: ConversationId) -> str:
    return f"conversation:{conversation}"


class Entry(msgspec.Struct, frozen=True):
    """One event in one stream; ``data`` is the event's JSON."""

    offset: int
    event_id: EventId
    kind: str
    data: bytes
    recorded_at: datetime


class Position(msgspec.Struct, frozen=True):
    """Where a stream stands: the last published offset, under its epoch."""

    offset: int
    epoch: str


class Streams:
    """Reads streams. Only published entries are shown, so a reader is never ahead of Redis."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def position(self, stream: str) -> Position | None:
        """The stream's published top; None where nothing was ever written to it."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(
                "SELECT published, epoch FROM streams WHERE name = $1", stream
            )
        return Position(row["published"], row["epoch"]) if row else None

    async def positions(self, streams: Sequence[str]) -> dict[str, Position]:
        """Like ``position`` of many, in one query; streams never written to are left out."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                "SELECT name, published, epoch FROM streams WHERE name = ANY($1::text[])",
                list(streams),
            )
        return {row["name"]: Position(row["published"], row["epoch"]) for row in rows}

    async def read(
        self, stream: str, *, after: int = 0, limit: int = 300, reverse: bool = False
    ) -> list[Entry]:
        """Entries with offset > ``after`` ascending; with ``reverse``, offset < ``after``
        descending (``after`` 0 then means from the top)."""
        where, order = ('"offset" > $2', "ASC")
        if reverse:
            where, order = ('($2::bigint = 0 OR "offset" < $2::bigint)', "DESC")
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                'SELECT e."offset", e.event_id, e.kind, e.data, e.recorded_at'
                " FROM stream_entries e JOIN streams s ON s.name = e.stream"
                f' WHERE e.stream = $1 AND {where} AND e."offset" <= s.published'
                f' ORDER BY e."offset" {order} LIMIT $3',
                stream,
                after,
                limit,
            )
        return [Entry(*row) for row in rows]
