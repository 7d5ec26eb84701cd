"""When channels write: at once where there is time, together where there is not."""

import asyncio

from hub.realtime.joining import Joining


class Noting:
    name = "offering:1"

    def __init__(self) -> None:
        self.flushed = 0

    def flush_in_turn(self) -> None:
        self.flushed += 1


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_quiet_channel_writes_at_the_next_turn() -> None:
    joining, channel = Joining(lambda: 0.0), Noting()
    joining.arrived += 1
    joining.add(channel)  # type: ignore[arg-type]
    assert channel.flushed == 0
    await turns(1)
    assert channel.flushed == 1


async def test_while_turns_bring_much_writing_waits_and_the_first_quiet_turn_writes() -> None:
    joining, channel = Joining(lambda: 0.0), Noting()
    joining.add(channel)  # type: ignore[arg-type]
    for _ in range(5):
        joining.arrived += 1000
        await turns(1)
        assert channel.flushed == 0
    await turns(1)
    assert channel.flushed == 1


async def test_writing_waits_no_longer_than_fifty_milliseconds() -> None:
    now = 0.0
    joining, channel = Joining(lambda: now), Noting()
    joining.add(channel)  # type: ignore[arg-type]
    joining.arrived += 1000
    now = 0.051
    await turns(1)
    assert channel.flushed == 1


async def test_a_channel_that_fails_does_not_keep_others_from_writing() -> None:
    class Broken(Noting):
        def flush_in_turn(self) -> None:
            raise ConnectionError

    joining, channel = Joining(lambda: 0.0), Noting()
    joining.add(Broken())  # type: ignore[arg-type]
    joining.add(channel)  # type: ignore[arg-type]
    await turns(1)
    assert channel.flushed == 1
