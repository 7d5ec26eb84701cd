"""The chain tells when anything in it was changed, removed or put in."""

from datetime import timedelta

import pytest

from hub.audit import Record, extend, verify_chains
from hub.clock import ManualClock
from hub.database import Database
from hub.ids import EventId, new_id


async def _extend(database: Database, clock: ManualClock, count: int) -> None:
    records = []
    for n in range(count):
        clock.advance(timedelta(milliseconds=1))
        records.append(
            Record(
                n % 3, EventId(new_id(clock.now())), "test.done", "system", b"{}", b"", clock.now()
            )
        )
    await database.transaction(lambda tx: extend(tx, records))


async def test_an_untouched_chain_verifies(database: Database, clock: ManualClock) -> None:
    await _extend(database, clock, 20)
    await _extend(database, clock, 7)
    report = await verify_chains(database)
    assert (report.records, report.broken, report.waiting) == (27, [], 0)


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ("UPDATE audit_log SET data = '[]' WHERE shard = 1 AND seq = 4", "shard 1: record 4"),
        ("UPDATE audit_log SET actor = 'x' WHERE shard = 0 AND seq = 2", "shard 0: record 2"),
        ("DELETE FROM audit_log WHERE shard = 2 AND seq = 3", "shard 2: record 3 is missing"),
        ("DELETE FROM audit_log WHERE shard = 0 AND seq = 7", "shard 0: record 7 is missing"),
        ("UPDATE audit_heads SET hash = '\\x00' WHERE shard = 1", "shard 1: the head"),
        (
            "UPDATE audit_heads SET seq = 5, hash = (SELECT hash FROM audit_log WHERE shard = 2"
            " AND seq = 5) WHERE shard = 2",
            "shard 2: the head stands before record 7",
        ),
    ],
)
async def test_the_first_row_that_does_not_fit_is_named(
    database: Database, clock: ManualClock, damage: str, named: str
) -> None:
    await _extend(database, clock, 21)
    async with database.connection() as connection:
        await connection.execute("ALTER TABLE audit_log DISABLE TRIGGER USER")
        await connection.execute(damage)
    report = await verify_chains(database)
    assert len(report.broken) == 1
    assert report.broken[0].startswith(named)
