"""The transactional outbox: an event commits together with the change it tells of, or not at all.

Append after the locks of a money change were taken: the outbox id is then drawn in commit order
for everything that shares a lock, and the relay numbers in that order.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from zlib import crc32

import msgspec

from hub.database import Connection
from hub.events.base import Event, encode_event
from hub.events.streams import personal_stream
from hub.ids import EventId, PersonId, new_id
from hub.redis_client import RedisClient, RedisError

__all__ = ["SHARDS", "OutboxRow", "append", "insert_rows", "outbox_rows", "poke", "shard_of"]

SHARDS = 16
POKE_CHANNEL = b"hub:relay:poke"

_INSERT = """
INSERT INTO outbox (shard, lead, event_id, kind, data, streams, recipients, actor, evidence,
                    recorded_at, trace)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""


class OutboxRow(msgspec.Struct, frozen=True):
    """One row of table ``outbox``; for batches that insert many rows by one statement."""

    shard: int
    lead: bool
    event_id: EventId
    kind: str
    data: bytes
    streams: list[str]
    recipients: list[PersonId]
    actor: str
    evidence: bytes
    recorded_at: datetime
    trace: str


def shard_of(name: str) -> int:
    """The shard (0 to 15) of a stream: CRC-32 modulo 16, the same in every process for ever."""
    return crc32(name.encode()) % SHARDS


def outbox_rows(
    event: Event,
    *,
    at: datetime,
    actor: str,
    to: Iterable[PersonId] = (),
    topics: Iterable[str] = (),
    evidence: bytes = b"",
    trace: str = "",
    event_id: EventId | None = None,
) -> list[OutboxRow]:
    """The rows that tell of ``event``: one per shard touched, the first of them leading.

    ``to`` are people, each told in their personal stream and, if the event has a ``Reach``,
    until reached; ``topics`` are further streams. An event for nobody still enters the audit
    chain. ``evidence`` are bytes that the chain covers besides the event itself.
    """
    event_id = event_id or EventId(new_id(at))
    streams: dict[int, list[str]] = defaultdict(list)
    people: dict[int, list[PersonId]] = defaultdict(list)
    for person in dict.fromkeys(to):
        shard = shard_of(personal_stream(person))
        streams[shard].append(personal_stream(person))
        people[shard].append(person)
    for topic in dict.fromkeys(topics):
        streams[shard_of(topic)].append(topic)
    data = encode_event(event, event_id, at)
    return [
        OutboxRow(
            shard=shard,
            lead=position == 0,
            event_id=event_id,
            kind=event.kind,
            data=data,
            streams=streams[shard],
            recipients=people[shard],
            actor=actor,
            evidence=evidence if position == 0 else b"",
            recorded_at=at,
            trace=trace,
        )
        for position, shard in enumerate(sorted(streams) or [shard_of(str(event_id))])
    ]


async def insert_rows(tx: Connection, rows: Iterable[OutboxRow]) -> None:
    """Writes outbox rows within ``tx``."""
    await tx.executemany(_INSERT, [msgspec.structs.astuple(row) for row in rows])


async def append(
    tx: Connection,
    event: Event,
    *,
    at: datetime,
    actor: str,
    to: Iterable[PersonId] = (),
    topics: Iterable[str] = (),
    evidence: bytes = b"",
    trace: str = "",
) -> EventId:
    """Appends ``event`` to the outbox within ``tx`` (see ``outbox_rows``) and returns its id."""
    rows = outbox_rows(
        event, at=at, actor=actor, to=to, topics=topics, evidence=evidence, trace=trace
    )
    await insert_rows(tx, rows)
    return rows[0].event_id


async def poke(redis: RedisClient) -> None:
    """Wakes the relay after a commit. Only a hint: the relay polls too, so a failure is nothing."""
    try:
        await redis.publish(POKE_CHANNEL, b"")
    except (RedisError, OSError):
        return
