"""The batcher: everybody gets their own outcome, whatever happens to the others."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from hub.database import DatabaseDown
from hub.errors import Refused
from hub.ledger import Batcher


class OneConnection:
    """Stands where a Database does; giving its connection back takes a while, like a pool."""

    def __init__(self, *, down: bool = False) -> None:
        self.down, self.released = down, 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[str]:
        await asyncio.sleep(0)
        if self.down:
            raise DatabaseDown("down")
        yield "connection"
        await asyncio.sleep(0.01)
        self.released += 1


class Doubling:
    """A batch that doubles numbers; 13 breaks it, 7 is refused."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.at_once = self.most_at_once = 0

    async def __call__(self, _: Any, items: Sequence[int]) -> list[int | Refused]:
        self.sizes.append(len(items))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        if 13 in items:
            raise RuntimeError("thirteen")
        return [Refused("no sevens") if item == 7 else item * 2 for item in items]


async def outcomes(batcher: Batcher[int, int], items: Sequence[int]) -> list[Any]:
    asked = (batcher.submit(item) for item in items)
    return await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 5)


async def test_callers_at_once_share_batches_and_each_gets_their_own() -> None:
    run = Doubling()
    batcher: Batcher[int, int] = Batcher(OneConnection(), run)  # type: ignore[arg-type]
    items = list(range(100, 700))
    assert await outcomes(batcher, items) == [2 * item for item in items]
    assert max(run.sizes) == 256
    assert run.most_at_once == 2


async def test_many_who_wait_are_shared_and_few_are_not() -> None:
    run = Doubling()
    batcher: Batcher[int, int] = Batcher(OneConnection(), run)  # type: ignore[arg-type]
    await outcomes(batcher, range(100, 300))
    await outcomes(batcher, range(100, 110))
    assert run.sizes == [100, 100, 10]


async def test_a_refusal_reaches_only_its_caller() -> None:
    batcher: Batcher[int, int] = Batcher(OneConnection(), Doubling())  # type: ignore[arg-type]
    first, refused, last = await outcomes(batcher, [1, 7, 2])
    assert (first, last) == (2, 4)
    assert isinstance(refused, Refused)


async def test_an_unforeseen_error_reaches_only_the_caller_at_fault() -> None:
    run = Doubling()
    batcher: Batcher[int, int] = Batcher(OneConnection(), run)  # type: ignore[arg-type]
    found = await outcomes(batcher, list(range(32)))
    assert isinstance(found[13], RuntimeError)
    assert isinstance(found[7], Refused)
    rest = [n for n in range(32) if n not in (7, 13)]
    assert [found[n] for n in rest] == [2 * n for n in rest]
    assert run.sizes.count(1) == 2  # split in half down to the one


async def test_an_item_that_comes_while_the_connection_is_given_back_is_served() -> None:
    database = OneConnection()
    batcher: Batcher[int, int] = Batcher(
        database,  # type: ignore[arg-type]
        Doubling(),
        in_flight=1,
        linger_ms=0,
    )
    assert await batcher.submit(1) == 2
    while batcher._running:
        await asyncio.sleep(0)
    assert database.released == 0  # it is on its way back now
    assert await asyncio.wait_for(batcher.submit(2), 1) == 4
    await batcher.close()
    assert database.released == 2


async def test_without_a_database_everybody_is_told() -> None:
    database = OneConnection(down=True)
    batcher: Batcher[int, int] = Batcher(database, Doubling())  # type: ignore[arg-type]
    found = await outcomes(batcher, range(10))
    assert all(isinstance(each, DatabaseDown) for each in found)
    database.down = False
    assert await batcher.submit(4) == 8


async def test_a_lost_connection_is_not_asked_again_piece_by_piece() -> None:
    calls = 0

    async def run(_: Any, items: Sequence[int]) -> list[int]:
        nonlocal calls
        calls += 1
        raise asyncpg.ConnectionDoesNotExistError("gone")

    batcher: Batcher[int, int] = Batcher(OneConnection(), run)  # type: ignore[arg-type]
    found = await outcomes(batcher, range(8))
    assert all(isinstance(each, DatabaseDown) for each in found)
    assert calls == 1


async def test_what_the_server_asks_to_be_tried_again_is() -> None:
    calls = 0

    async def run(_: Any, items: Sequence[int]) -> list[int]:
        nonlocal calls
        calls += 1
        if calls < 4:
            raise asyncpg.DeadlockDetectedError("deadlock")
        return list(items)

    batcher: Batcher[int, int] = Batcher(OneConnection(), run)  # type: ignore[arg-type]
    assert await batcher.submit(5) == 5
    assert calls == 4


async def test_a_caller_that_went_away_disturbs_nobody() -> None:
    batcher: Batcher[int, int] = Batcher(OneConnection(), Doubling())  # type: ignore[arg-type]
    gone = asyncio.create_task(batcher.submit(1))
    stays = asyncio.create_task(batcher.submit(2))
    await asyncio.sleep(0)
    gone.cancel()
    assert await asyncio.wait_for(stays, 1) == 4


async def test_a_batch_that_forgets_an_outcome_is_an_error() -> None:
    async def run(_: Any, items: Sequence[int]) -> list[int]:
        return []

    batcher: Batcher[int, int] = Batcher(OneConnection(), run)  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="one outcome"):
        await batcher.submit(1)


async def test_a_connection_is_kept_for_the_next_item_and_then_given_back() -> None:
    database = OneConnection()
    batcher: Batcher[int, int] = Batcher(database, Doubling(), linger_ms=30)  # type: ignore[arg-type]
    for item in range(5):
        assert await batcher.submit(item) == 2 * item
    assert database.released == 0
    await asyncio.sleep(0.1)
    assert database.released == 1
    assert await batcher.submit(5) == 10
    await asyncio.wait_for(batcher.close(), 1)
    assert database.released == 2


async def test_many_callers_over_a_long_time_all_get_their_outcome() -> None:
    database = OneConnection()
    batcher: Batcher[int, int] = Batcher(database, Doubling(), limit=7, linger_ms=2)  # type: ignore[arg-type]

    async def call(start: int) -> None:
        for item in range(start, start + 30):
            assert await batcher.submit(item) == 2 * item
            await asyncio.sleep(item % 4 * 0.001)

    await asyncio.wait_for(asyncio.gather(*(call(100 * n + 100) for n in range(20))), 20)
    await batcher.close()
