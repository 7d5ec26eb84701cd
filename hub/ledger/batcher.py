"""The batcher: what many callers ask at the same moment, done by one round trip and one commit.

Every caller gets its own outcome. Two batches are in flight, so that the database works on one
while the next is put together; where many wait and another batch is free, each takes its share,
or all callers would move in step and one batch would always wait for the other's work. When a
batch fails for a reason nobody foresaw it is split in half, down to the one item that is at fault,
and only that caller sees the error.

``run`` gets a connection outside any transaction and must do its work in one statement or one
transaction of its own; after an exception nothing of it may stand.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Generic, TypeVar

import asyncpg

from hub.database import Connection, Database, DatabaseDown
from hub.errors import HubError

__all__ = ["Batcher"]

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

_ATTEMPTS = 5
_WORTH_SHARING = 32  # fewer are done sooner by one commit than by two
_RETRIED = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
_LOST = (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError)


class Batcher(Generic[Item, Outcome]):
    """Gathers items of one kind in this process. An outcome may be a ``HubError``: it is raised."""

    def __init__(
        self,
        database: Database,
        run: Callable[[Connection, Sequence[Item]], Awaitable[Sequence[Outcome | HubError]]],
        *,
        limit: int = 256,
        in_flight: int = 2,
        linger_ms: int = 100,
    ) -> None:
        """``limit`` items a batch; ``linger_ms`` a connection is kept for the next one."""
        self._database = database
        self._run = run
        self._limit = limit
        self._in_flight = in_flight
        self._linger = timedelta(milliseconds=linger_ms)
        self.batches = self.items = 0  # since the start, for whoever measures
        self._waiting: deque[tuple[Item, asyncio.Future[Outcome]]] = deque()
        self._running = 0  # batches that hold a connection, or wait for one
        self._busy = 0  # those of them that work
        self._idle: list[asyncio.Future[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, item: Item) -> Outcome:
        """The outcome of ``item``. A caller that is cancelled no longer learns it; it may stand."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._idle:
            self._idle.pop().set_result(None)
        elif self._running < self._in_flight:
            self._running += 1
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def close(self) -> None:
        """Waits until everything submitted so far has its outcome and no connection is held."""
        while self._tasks:
            while self._idle:
                self._idle.pop().cancel()
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def _work(self) -> None:
        """Runs batches until none comes any more.

        The flag that this batch runs is lowered in the same step that finds nothing waiting, and
        before the connection is given back: an item that comes while the pool takes its connection
        back would otherwise find everybody busy and wait for ever.
        """
        lowered = False
        try:
            async with self._database.connection() as connection:
                try:
                    while self._waiting or await self._more():
                        if self._waiting:
                            batch = self._take()
                            self._busy += 1
                            try:
                                await self._settle(connection, batch)
                            finally:
                                self._busy -= 1
                finally:
                    self._running -= 1
                    lowered = True
        except Exception as fault:
            if not lowered:  # no connection: everybody who waits is told, nobody waits for ever
                self._running -= 1
                for _, future in self._drain():
                    _fail(future, fault)

    async def _more(self) -> bool:
        """Whether somebody woke this batch before its patience ended; decided without a pause."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._idle.append(woken)
        try:
            await asyncio.wait({woken}, timeout=self._linger.total_seconds())
        finally:
            if woken in self._idle:
                self._idle.remove(woken)
        return woken.done() and not woken.cancelled()

    def _take(self) -> list[tuple[Item, "asyncio.Future[Outcome]"]]:
        """All that wait, up to the limit; a share of them if other batches are free to help."""
        waiting, free = len(self._waiting), self._in_flight - self._busy
        if waiting >= _WORTH_SHARING:
            waiting = -(-waiting // max(1, free))
        size = min(self._limit, waiting)
        self.batches += 1
        self.items += size
        return [self._waiting.popleft() for _ in range(size)]

    def _drain(self) -> list[tuple[Item, "asyncio.Future[Outcome]"]]:
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    async def _settle(
        self,
        connection: Connection,
        batch: list[tuple[Item, "asyncio.Future[Outcome]"]],
    ) -> None:
        try:
            outcomes = await self._attempt(connection, [item for item, _ in batch])
            if len(outcomes) != len(batch):
                raise AssertionError("a batch must give one outcome for each item")
        except _LOST as fault:
            down = DatabaseDown("The connection to the database broke; ask again.")
            down.__cause__ = fault
            for _, future in batch:
                _fail(future, down)
        except Exception as fault:
            if len(batch) == 1:
                _fail(batch[0][1], fault)
                return
            middle = len(batch) // 2
            await self._settle(connection, batch[:middle])
            await self._settle(connection, batch[middle:])
        except BaseException:
            for _, future in batch:
                future.cancel()
            raise
        else:
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, HubError):
                    _fail(future, outcome)
                elif not future.done():
                    future.set_result(outcome)

    async def _attempt(
        self, connection: Connection, items: list[Item]
    ) -> Sequence[Outcome | HubError]:
        """Deadlocks and serialization failures are tried again: the server asks for it."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return await self._run(connection, items)
            except _RETRIED:
                continue
        return await self._run(connection, items)


def _fail(future: "asyncio.Future[Outcome]", fault: BaseException) -> None:
    if not future.done():
        future.set_exception(fault)
