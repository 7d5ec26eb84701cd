"""The ground the capabilities stand on: migrations, transactions, idempotency, outbox."""

import msgspec
import pytest

from hub import idempotency
from hub.clock import ManualClock
from hub.database import Connection, Database, DatabaseDown
from hub.errors import Refused
from hub.idempotency import Answer, KeyReused, Scope
from hub.migrations import migrate

SCOPE = Scope("person:1", "test", "key-1")


async def test_migrations_are_applied_once(database: Database) -> None:
    assert await migrate(database) == []


async def test_the_audit_log_refuses_changes(database: Database) -> None:
    async with database.connection() as connection:
        with pytest.raises(Exception, match="append-only"):
            await connection.execute("DELETE FROM audit_log")


async def test_a_key_has_one_outcome_for_ever(database: Database, clock: ManualClock) -> None:
    runs = 0

    async def work(_: Connection) -> Answer:
        nonlocal runs
        runs += 1
        return Answer(201, b'{"n":1}')

    first = await idempotency.run_once(database, clock, SCOPE, {"a": 1}, work)
    again = await idempotency.run_once(database, clock, SCOPE, {"a": 1}, work)
    assert (first, runs) == (again, 1)
    with pytest.raises(KeyReused):
        await idempotency.run_once(database, clock, SCOPE, {"a": 2}, work)


async def test_a_refusal_is_an_outcome_too_and_leaves_nothing_else(
    database: Database, clock: ManualClock
) -> None:
    async def work(tx: Connection) -> Answer:
        await tx.execute("INSERT INTO streams (name, shard, epoch) VALUES ('x', 0, 'e')")
        raise Refused("No.", limit=5)

    answer = await idempotency.run_once(database, clock, SCOPE, {}, work)
    assert answer.status == 422
    assert msgspec.json.decode(answer.body)["limit"] == 5
    assert await idempotency.run_once(database, clock, SCOPE, {}, work) == answer
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM streams") == 0


async def test_a_database_that_goes_away_in_the_middle_is_told_as_such(
    database: Database,
) -> None:
    async def work(tx: Connection) -> None:
        me = await tx.fetchval("SELECT pg_backend_pid()")
        async with database.connection() as other:
            await other.execute("SELECT pg_terminate_backend($1)", me)
        await tx.execute("SELECT 1")

    with pytest.raises(DatabaseDown):
        await database.transaction(work)
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_a_database_that_is_not_there_is_told_as_such() -> None:
    with pytest.raises(DatabaseDown):
        async with Database.open("postgresql://hub@/hub?host=/nowhere"):
            pytest.fail("nobody answers there")
