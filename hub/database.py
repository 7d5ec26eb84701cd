"""PostgreSQL: one pool, and transactions that retry what the server asks to be retried.

Queries are text with ``$1`` parameters and live in each capability's ``queries.py``. Sessions run
in UTC, at READ COMMITTED unless a transaction asks for more, with a statement timeout; a session
that sits idle in a transaction for 10 s is ended by the server, so that no lock is held for ever.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeAlias, TypeVar

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from hub.errors import Unavailable

__all__ = ["Connection", "Database", "DatabaseDown", "Isolation"]

T = TypeVar("T")
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
Isolation: TypeAlias = Literal["read_committed", "repeatable_read", "serializable"]

_ATTEMPTS = 5
_RETRIED = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
_DOWN = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,  # it starts, stops or recovers
    asyncpg.TooManyConnectionsError,
)
_LOST = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


class DatabaseDown(Unavailable):
    """PostgreSQL does not answer. Where it went away in the middle, nothing was done unless it was
    just committing: who repeats a request does so under the same key."""

    kind = "database_down"


class Database:
    """A pool of connections. Open one per process with ``async with Database.open(url)``."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self.pool = pool

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, *, size: int = 10, statement_timeout_ms: int = 15_000
    ) -> AsyncIterator["Database"]:
        """A pool on ``url``, closed with the block. Raises ``DatabaseDown``."""
        try:
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=size,
                init=_prepare,
                reset=_reset,
                server_settings={
                    "TimeZone": "UTC",
                    "application_name": "bvester-hub",
                    "statement_timeout": str(statement_timeout_ms),
                    "idle_in_transaction_session_timeout": "10000",
                },
            )
        except (*_DOWN, TimeoutError) as fault:
            raise DatabaseDown(f"The database does not answer ({type(fault).__name__}).") from fault
        try:
            yield cls(pool)
        finally:
            try:
                await asyncio.wait_for(pool.close(), 5)
            except TimeoutError:
                pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for reads, outside any transaction. Raises ``DatabaseDown``, also where the
        database goes away before the block ends."""
        try:
            connection = await self.pool.acquire(timeout=10)
        except (*_DOWN, TimeoutError) as fault:
            raise DatabaseDown("The database does not answer.") from fault
        try:
            yield connection
        except _LOST as fault:
            if _is_gone(connection):  # else it is an ordinary error of a statement
                raise DatabaseDown("The database went away.") from fault
            raise
        finally:
            await self.pool.release(connection)

    async def transaction(
        self,
        work: Callable[[Connection], Awaitable[T]],
        *,
        isolation: Isolation = "read_committed",
    ) -> T:
        """Runs ``work`` in one transaction and commits; any exception rolls it back.

        Serialization failures and deadlocks (SQLSTATE 40001, 40P01) are tried again up to five
        times with jitter, so ``work`` may run more than once and must have no effect outside
        its connection. Raises ``DatabaseDown`` where no connection can be had.
        """
        for attempt in range(_ATTEMPTS):
            async with self.connection() as connection:
                try:
                    async with connection.transaction(isolation=isolation):
                        return await work(connection)
                except _RETRIED:
                    if attempt == _ATTEMPTS - 1:
                        raise
            await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311
        raise AssertionError("unreachable")


def _is_gone(connection: Any) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:  # the pool has taken a broken connection back already
        return True


async def _prepare(connection: Any) -> None:
    """Teaches a new connection to carry ``jsonb`` as plain Python values."""
    await connection.set_type_codec(
        "jsonb",
        encoder=lambda value: msgspec.json.encode(value).decode(),
        decoder=msgspec.json.decode,
        schema="pg_catalog",
    )


async def _reset(connection: Any) -> None:
    """Leaves no transaction open. asyncpg's own reset is a round trip at every release, for session
    state (settings, cursors, listeners, session locks) that nothing here leaves behind."""
    if connection.is_in_transaction():
        await connection.execute("ROLLBACK")
