"""Gathered commands: each caller gets its own answers, a crowd shares round trips."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from hub.realtime.gathering import Gathering


class Server:
    """Answers each command with its last word; can be slow, or down."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.down: Exception | None = None
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, commands: Sequence[Any]) -> list[Any]:
        self.batches.append(len(commands))
        await self.go.wait()
        if self.down is not None:
            raise self.down
        return [ValueError(word) if word == "bad" else word for *_, word in commands]


@pytest.fixture
def server() -> Server:
    return Server()


async def test_one_caller_alone_is_served_at_once(server: Server) -> None:
    assert await Gathering(server).ask(("GET", "a"), ("GET", "b")) == ["a", "b"]
    assert server.batches == [2]


async def test_a_crowd_shares_round_trips_and_each_gets_its_own(server: Server) -> None:
    gathering = Gathering(server)
    answers = await asyncio.gather(*(gathering.ask(("GET", str(n))) for n in range(500)))
    assert answers == [[str(n)] for n in range(500)]
    assert len(server.batches) <= 3


async def test_a_command_that_failed_fails_its_caller_only(server: Server) -> None:
    gathering = Gathering(server)
    good, bad = await asyncio.gather(
        gathering.ask(("GET", "good")), gathering.ask(("GET", "bad")), return_exceptions=True
    )
    assert good == ["good"]
    assert isinstance(bad, ValueError)


async def test_a_server_that_is_down_fails_everybody_and_may_come_back(server: Server) -> None:
    gathering = Gathering(server)
    server.down = OSError("down")
    outcomes = await asyncio.gather(
        *(gathering.ask(("GET", str(n))) for n in range(9)), return_exceptions=True
    )
    assert all(isinstance(outcome, OSError) for outcome in outcomes)
    server.down = None
    assert await gathering.ask(("GET", "again")) == ["again"]


async def test_who_gave_up_holds_nobody_up(server: Server) -> None:
    gathering = Gathering(server)
    server.go.clear()
    gone = asyncio.ensure_future(gathering.ask(("GET", "1")))
    stays = asyncio.ensure_future(gathering.ask(("GET", "2")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gone.cancel()
    server.go.set()
    assert await stays == ["2"]
    assert await gathering.ask(("GET", "3")) == ["3"]
