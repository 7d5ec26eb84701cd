"""The relay: committed events get their numbers, enter the audit chain, and are published.

One transaction numbers a batch: streams, audit chain and escalations move together or not at all.
After its commit the batch goes to Redis, and only what Redis confirmed moves the published
watermark; a restart, or Redis coming back, continues from there. Redis may see an entry twice (it
refuses the repeat by its number) and never sees one out of order.

The relay is woken by a poke over Redis and polls as a safety. Several may run: each shard belongs
to whoever holds its lease, and a standby takes over within three seconds.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import asyncpg

from hub.audit import Record, extend
from hub.clock import Clock, milliseconds
from hub.database import Connection, Database, DatabaseDown
from hub.events import numbering
from hub.events.numbering import Batch, NumberedEntry, NumberedRecipient
from hub.events.outbox import POKE_CHANNEL, SHARDS
from hub.ids import new_id
from hub.realtime import Broker, BrokerDown, Numbered
from hub.redis_client import RedisClient, RedisError
from hub.telemetry import logger

__all__ = ["Relay", "Schedule"]

Schedule = Callable[[Connection, Sequence[NumberedRecipient]], Awaitable[None]]
"""Called in the numbering transaction with the people whom the batch concerns."""

_BATCH = 1_000
_POLL_SECONDS = 0.5
_CLAIM_SECONDS = 1.0
_log = logger("relay")


class Relay:
    """One relay process. ``run`` works until it is cancelled."""

    def __init__(
        self,
        database: Database,
        redis: RedisClient,
        broker: Broker,
        schedule: Schedule,
        clock: Clock,
    ) -> None:
        self._database = database
        self._redis = redis
        self._broker = broker
        self._schedule = schedule
        self._clock = clock
        self._token: UUID = new_id(clock.now())
        self._woken = asyncio.Event()
        self._held: list[int] = []
        self._behind = True  # at start, what an earlier relay left unpublished comes first
        self._claim_at = 0.0

    async def run(self) -> None:
        """Relays until cancelled; then gives its leases back."""
        listening = asyncio.ensure_future(self._listen())
        try:
            while True:
                try:
                    busy = await self.turn()
                except (DatabaseDown, asyncpg.PostgresError, OSError) as fault:
                    _log.warning("database does not answer", fault=type(fault).__name__)
                    await asyncio.sleep(1)
                    continue
                if not busy:
                    # Not wait_for: on 3.11 it may swallow a cancellation that comes with the event.
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_POLL_SECONDS):
                            await self._woken.wait()
                self._woken.clear()
        finally:
            listening.cancel()
            with contextlib.suppress(Exception):
                async with self._database.connection() as connection:
                    await numbering.release_leases(connection, self._token)

    async def turn(self) -> bool:
        """One round: number a batch, publish it. True if there may be more at once."""
        if self._clock.monotonic() >= self._claim_at and len(self._held) < SHARDS:
            async with self._database.connection() as connection:
                await numbering.claim_leases(connection, self._token)
            self._claim_at = self._clock.monotonic() + _CLAIM_SECONDS
        batch = await self._database.transaction(self._number)
        if self._behind:
            return await self._catch_up() or bool(batch.rows)
        if batch.entries:
            await self._publish(batch.entries)
        return len(batch.rows) == _BATCH

    async def _number(self, tx: Connection) -> Batch:
        held = await numbering.renew_leases(tx, self._token)
        if set(held) - set(self._held):
            self._behind = True  # a shard taken over may have entries its last owner left
        self._held = held
        batch = await numbering.number(tx, held, _BATCH)
        await extend(tx, [_record(row) for row in batch.rows if row["lead"]])
        if batch.recipients:
            await self._schedule(tx, batch.recipients)
        return batch

    async def _catch_up(self) -> bool:
        """Publishes from the table what Redis has not confirmed. True if there may be more."""
        async with self._database.connection() as connection:
            waiting = await numbering.unpublished(connection, self._held, _BATCH)
        if waiting and not await self._publish(waiting):
            return False
        self._behind = len(waiting) == _BATCH
        return self._behind

    async def _publish(self, entries: Sequence[NumberedEntry]) -> bool:
        try:
            await self._broker.publish_numbered(
                [
                    Numbered(
                        channel=entry.stream,
                        offset=entry.offset,
                        epoch=entry.epoch,
                        data=entry.data,
                        time_ms=milliseconds(entry.recorded_at),
                    )
                    for entry in entries
                ]
            )
        except (BrokerDown, RedisError, OSError) as fault:
            _log.warning("redis does not answer; events wait", fault=type(fault).__name__)
            self._behind = True
            return False
        async with self._database.connection() as connection:
            await numbering.mark_published(connection, entries)
        return True

    async def _listen(self) -> None:
        """Turns pokes into wake-ups, and survives every loss of Redis: polling goes on."""
        while True:
            try:
                async with self._redis.pubsub() as pubsub:
                    await pubsub.subscribe(POKE_CHANNEL)
                    while True:
                        if await pubsub.get_message(ignore_subscribe_messages=True, timeout=5):
                            self._woken.set()
            except (RedisError, OSError):
                await asyncio.sleep(1)


def _record(row: asyncpg.Record) -> Record:
    return Record(
        shard=row["shard"],
        event_id=row["event_id"],
        kind=row["kind"],
        actor=row["actor"],
        data=row["data"],
        evidence=row["evidence"],
        recorded_at=row["recorded_at"],
    )
