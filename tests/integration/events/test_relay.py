"""The relay's promises: no number twice, none left out, in order, and nothing lost with Redis."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from hub import events
from hub.audit import verify_chains
from hub.clock import ManualClock, SystemClock
from hub.database import Connection, Database
from hub.events import Streams, personal_stream
from hub.events.numbering import NumberedRecipient
from hub.ids import PaymentId, PersonId, new_id
from hub.money import Money
from hub.payments import PaymentFailed
from hub.realtime import Numbered
from hub.redis_client import RedisClient, RedisError
from workers.relay import Relay


class RecordingBroker:
    """Stands where the broker stands and remembers; can be told to be down."""

    def __init__(self) -> None:
        self.seen: list[Numbered] = []
        self.down = False

    async def publish_numbered(self, items: Sequence[Numbered]) -> None:
        if self.down:
            raise RedisError("down")
        self.seen.extend(items)


class Scheduled:
    def __init__(self) -> None:
        self.recipients: list[NumberedRecipient] = []

    async def __call__(self, _: Connection, recipients: Sequence[NumberedRecipient]) -> None:
        self.recipients.extend(recipients)


@pytest.fixture
def broker() -> RecordingBroker:
    return RecordingBroker()


@pytest.fixture
def scheduled() -> Scheduled:
    return Scheduled()


@pytest.fixture
def relay(
    database: Database, redis: RedisClient, broker: RecordingBroker, scheduled: Scheduled
) -> Relay:
    return Relay(database, redis, broker, scheduled, SystemClock())  # type: ignore[arg-type]


def _failed(n: int) -> PaymentFailed:
    """Some event that has a ``Reach``."""
    return PaymentFailed(
        payment_id=PaymentId(UUID(int=n)), amount=Money(n + 1, "KES"), reason="declined"
    )


async def _ring(database: Database, clock: ManualClock, n: int, *people: PersonId) -> None:
    async def work(tx: Connection) -> None:
        await events.append(
            tx, _failed(n), at=clock.now(), actor="system", to=people, topics=["t:1"]
        )

    await database.transaction(work)


async def _drain(relay: Relay) -> None:
    while await relay.turn():
        pass


async def test_each_stream_is_numbered_without_gaps(
    relay: Relay,
    database: Database,
    clock: ManualClock,
    broker: RecordingBroker,
    scheduled: Scheduled,
) -> None:
    ada, otieno = (PersonId(new_id(clock.now())) for _ in range(2))
    for n in range(30):
        await _ring(database, clock, n, ada, *([otieno] if n % 2 else []))
    await _drain(relay)
    streams = Streams(database)
    assert [entry.offset for entry in await streams.read(personal_stream(ada))] == list(
        range(1, 31)
    )
    assert len(await streams.read(personal_stream(otieno))) == 15
    assert [item.offset for item in broker.seen if item.channel == "t:1"] == list(range(1, 31))
    assert len(scheduled.recipients) == 45
    report = await verify_chains(database)
    assert (report.records, report.broken, report.waiting) == (30, [], 0)


async def test_a_rolled_back_change_tells_nobody(
    relay: Relay, database: Database, clock: ManualClock, broker: RecordingBroker
) -> None:
    async def work(tx: Connection) -> None:
        await events.append(tx, _failed(1), at=clock.now(), actor="system", topics=["t:1"])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.transaction(work)
    await _ring(database, clock, 2)
    await _drain(relay)
    assert [item.offset for item in broker.seen] == [1]


async def test_what_redis_missed_is_published_when_it_is_back(
    relay: Relay, database: Database, clock: ManualClock, broker: RecordingBroker
) -> None:
    await _ring(database, clock, 1)
    await _drain(relay)
    broker.down = True
    for n in (2, 3):
        await _ring(database, clock, n)
    await relay.turn()
    assert (await Streams(database).position("t:1")).offset == 1  # type: ignore[union-attr]
    broker.down = False
    await _ring(database, clock, 4)
    await _drain(relay)
    assert [item.offset for item in broker.seen] == [1, 2, 3, 4]
    assert (await Streams(database).position("t:1")).offset == 4  # type: ignore[union-attr]


async def test_a_new_relay_publishes_what_a_killed_one_left(
    relay: Relay, database: Database, redis: RedisClient, clock: ManualClock,
    broker: RecordingBroker, scheduled: Scheduled,
) -> None:  # fmt: skip
    broker.down = True
    await _ring(database, clock, 1)
    await relay.turn()
    broker.down = False
    async with database.connection() as connection:  # the killed relay's leases run out
        await connection.execute("UPDATE relay_leases SET expires_at = 'epoch'")
    second = Relay(database, redis, broker, scheduled, SystemClock())  # type: ignore[arg-type]
    await _drain(second)
    assert [item.offset for item in broker.seen] == [1]


async def test_a_stopped_relay_cannot_write_late(
    relay: Relay, database: Database, redis: RedisClient, clock: ManualClock,
    broker: RecordingBroker, scheduled: Scheduled,
) -> None:  # fmt: skip
    await relay.turn()  # holds every lease
    standby = Relay(database, redis, broker, scheduled, SystemClock())  # type: ignore[arg-type]
    await _ring(database, clock, 1)
    await standby.turn()
    assert broker.seen == []  # not the standby's to number
    async with database.connection() as connection:
        await connection.execute("UPDATE relay_leases SET expires_at = 'epoch'")
    await asyncio.sleep(1.1)  # the standby claims once a second
    await _drain(standby)
    await _ring(database, clock, 2)
    await relay.turn()  # comes back, believes it still holds them, and finds that it does not
    await _drain(standby)
    assert [item.offset for item in broker.seen] == [1, 2]
