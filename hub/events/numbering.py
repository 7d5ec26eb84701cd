"""Gives committed events their numbers. Only the relay calls this.

One process at a time numbers a shard: it holds the shard's lease row, and every numbering
transaction renews that row before anything else, so a process that was stopped and comes back
cannot write late (its row lock is gone, or its lease has expired and the renewal finds nothing).
Rows are taken in outbox order; a row that commits late gets a later number, and no number is ever
given twice or left out.
"""

import secrets
import string
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from hub.database import Connection
from hub.events.streams import personal_stream
from hub.ids import EventId, PersonId

__all__ = [
    "Backlog",
    "Batch",
    "NumberedEntry",
    "NumberedRecipient",
    "backlog",
    "claim_leases",
    "mark_published",
    "number",
    "release_leases",
    "renew_leases",
    "unpublished",
]

LEASE_SECONDS = 3


class NumberedEntry(msgspec.Struct, frozen=True):
    """An event with its number in one stream."""

    stream: str
    epoch: str
    offset: int
    event_id: EventId
    kind: str
    data: bytes
    recorded_at: datetime


class NumberedRecipient(msgspec.Struct, frozen=True):
    """A person whom an event concerns, with its number in their personal stream."""

    event_id: EventId
    kind: str
    person_id: PersonId
    stream: str
    offset: int
    recorded_at: datetime


class Batch(msgspec.Struct, frozen=True):
    """What one numbering transaction took: the outbox rows and what became of them."""

    rows: list[asyncpg.Record]
    entries: list[NumberedEntry]
    recipients: list[NumberedRecipient]


async def claim_leases(connection: Connection, token: UUID) -> None:
    """Takes every lease that has expired."""
    await connection.execute(
        "UPDATE relay_leases SET token = $1, expires_at = clock_timestamp() + $2 * interval '1 s'"
        " WHERE shard IN (SELECT shard FROM relay_leases WHERE expires_at < clock_timestamp()"
        " ORDER BY shard FOR UPDATE SKIP LOCKED)",
        token,
        LEASE_SECONDS,
    )


async def renew_leases(tx: Connection, token: UUID) -> list[int]:
    """The shards still held under ``token``, renewed and locked until ``tx`` ends."""
    rows = await tx.fetch(
        "UPDATE relay_leases SET expires_at = clock_timestamp() + $2 * interval '1 s'"
        " WHERE token = $1 AND expires_at > clock_timestamp() RETURNING shard",
        token,
        LEASE_SECONDS,
    )
    return sorted(row["shard"] for row in rows)


async def release_leases(connection: Connection, token: UUID) -> None:
    """Gives the leases back at once, so a standby need not wait for them to expire."""
    await connection.execute("UPDATE relay_leases SET expires_at = 'epoch' WHERE token = $1", token)


async def number(tx: Connection, shards: Sequence[int], limit: int) -> Batch:
    """Numbers up to ``limit`` outbox rows of ``shards`` within ``tx``."""
    rows = await tx.fetch(
        "WITH taken AS (DELETE FROM outbox WHERE id IN (SELECT id FROM outbox"
        " WHERE shard = ANY($1) ORDER BY id LIMIT $2) RETURNING *)"
        " SELECT * FROM taken ORDER BY id",
        shards,
        limit,
    )
    added = Counter((stream, row["shard"]) for row in rows for stream in row["streams"])
    tops = await _advance(tx, added)
    entries: list[NumberedEntry] = []
    recipients: list[NumberedRecipient] = []
    for row in rows:
        numbers: dict[str, int] = {}
        for stream in row["streams"]:
            epoch, offset = tops[stream]
            numbers[stream] = offset + 1
            tops[stream] = (epoch, offset + 1)
            entries.append(
                NumberedEntry(
                    stream, epoch, offset + 1, row["event_id"], row["kind"], row["data"],
                    row["recorded_at"],
                )
            )  # fmt: skip
        for person in row["recipients"]:
            stream = personal_stream(person)
            recipients.append(
                NumberedRecipient(
                    row["event_id"], row["kind"], person, stream, numbers[stream],
                    row["recorded_at"],
                )
            )  # fmt: skip
    await _store(tx, entries)
    return Batch(rows, entries, recipients)


async def _advance(tx: Connection, added: Counter[tuple[str, int]]) -> dict[str, tuple[str, int]]:
    """Moves the streams' tops and returns epoch and top *before* the move."""
    if not added:
        return {}
    keys = sorted(added)
    rows = await tx.fetch(
        "INSERT INTO streams (name, shard, epoch, top)"
        " SELECT * FROM unnest($1::text[], $2::smallint[], $3::text[], $4::bigint[])"
        " ON CONFLICT (name) DO UPDATE SET top = streams.top + excluded.top"
        " RETURNING name, epoch, top",
        [name for name, _ in keys],
        [shard for _, shard in keys],
        [_new_epoch() for _ in keys],
        [added[key] for key in keys],
    )
    counts = {name: count for (name, _), count in added.items()}
    return {row["name"]: (row["epoch"], row["top"] - counts[row["name"]]) for row in rows}


async def _store(tx: Connection, entries: Sequence[NumberedEntry]) -> None:
    if not entries:
        return
    await tx.execute(
        'INSERT INTO stream_entries (stream, "offset", event_id, kind, data, recorded_at)'
        " SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::bytea[],"
        " $6::timestamptz[])",
        [entry.stream for entry in entries],
        [entry.offset for entry in entries],
        [entry.event_id for entry in entries],
        [entry.kind for entry in entries],
        [entry.data for entry in entries],
        [entry.recorded_at for entry in entries],
    )


async def unpublished(
    connection: Connection, shards: Sequence[int], limit: int
) -> list[NumberedEntry]:
    """Numbered entries that Redis has not confirmed, in stream order."""
    rows = await connection.fetch(
        'SELECT e.stream, s.epoch, e."offset", e.event_id, e.kind, e.data, e.recorded_at'
        " FROM streams s JOIN stream_entries e"
        ' ON e.stream = s.name AND e."offset" > s.published'
        " WHERE s.shard = ANY($1) AND s.published < s.top"
        ' ORDER BY e.stream, e."offset" LIMIT $2',
        shards,
        limit,
    )
    return [NumberedEntry(*row) for row in rows]


async def mark_published(connection: Connection, entries: Sequence[NumberedEntry]) -> None:
    """Advances the watermarks after Redis has confirmed ``entries``. Never moves one back."""
    tops: dict[str, int] = {}
    for entry in entries:
        tops[entry.stream] = max(entry.offset, tops.get(entry.stream, 0))
    if tops:
        await connection.execute(
            'UPDATE streams s SET published = greatest(s.published, n."offset")'
            ' FROM unnest($1::text[], $2::bigint[]) AS n (name, "offset") WHERE s.name = n.name',
            list(tops),
            list(tops.values()),
        )


def _new_epoch() -> str:
    """Eight random letters, as the wire protocol has them."""
    return "".join(secrets.choice(string.ascii_letters) for _ in range(8))


class Backlog(msgspec.Struct, frozen=True):
    """What the relay still has to do: events not numbered, since when the oldest waits, and
    numbered entries that Redis has not confirmed."""

    waiting: int
    oldest: datetime | None
    unpublished: int


async def backlog(connection: Connection) -> Backlog:
    """How far behind the relay is, by its tables: true also while no relay runs."""
    row = await connection.fetchrow(
        "SELECT count(*) AS waiting, min(recorded_at) AS oldest,"
        " (SELECT coalesce(sum(top - published), 0)::bigint FROM streams WHERE published < top)"
        " AS unpublished FROM outbox"
    )
    assert row is not None
    return Backlog(**row)
