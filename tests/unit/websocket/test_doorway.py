"""A crowd at the door: a few at a time, the newest first."""

import asyncio
import socket

from channels.websocket.doorway import Doorway, listeners


async def test_a_crowd_enters_a_few_at_each_turn_and_the_newest_first() -> None:
    door, entered = Doorway(at_once=2), list[int]()
    for each in range(5):
        door.enter(lambda each=each: entered.append(each))  # type: ignore[misc]
    await asyncio.sleep(0)
    assert entered == [4, 3]
    await asyncio.sleep(0)
    assert entered == [4, 3, 2, 1]
    await asyncio.sleep(0)
    assert entered == [4, 3, 2, 1, 0]


async def test_one_that_fails_does_not_close_the_door() -> None:
    door, entered = Doorway(at_once=1), list[str]()

    def fail() -> None:
        raise ConnectionError

    door.enter(lambda: entered.append("older"))
    door.enter(fail)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert entered == ["older"]


def test_each_listener_is_the_same_socket() -> None:
    with socket.create_server(("127.0.0.1", 0)) as first:
        found = listeners(first, 3)
        assert {each.getsockname() for each in found} == {first.getsockname()}
        assert len({each.fileno() for each in found}) == 3
        for each in found[1:]:
            each.close()
