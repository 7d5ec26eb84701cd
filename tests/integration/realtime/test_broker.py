"""The broker against a real Valkey."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from hub.clock import ManualClock
from hub.realtime import BrokerDown, Namespace, Numbered, Position, RedisBroker
from hub.realtime.keys import pubsub
from hub.realtime.publication import Message
from hub.realtime.subscriber import Address, Subscriber
from hub.redis_client import RedisClient, open_redis

SHOP = "offering:shop"
ROOM = Namespace(name="room", history_size=3)


class Heard:
    """What a subscribed process got."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, Message]] = []
        self.reconnects = 0

    def message(self, channel: str, message: Message) -> None:
        self.messages.append((channel, message))

    def reconnected(self) -> None:
        self.reconnects += 1

    @property
    def offsets(self) -> list[int]:
        return [message.publication.offset for _, message in self.messages]


def numbered(*offsets: int, epoch: str = "one") -> list[Numbered]:
    return [Numbered(SHOP, offset, epoch, b'{"n":%d}' % offset, 17) for offset in offsets]


async def until(condition: Any, seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


@pytest_asyncio.fixture
async def broker(redis: RedisClient, clock: ManualClock) -> RedisBroker:
    return RedisBroker(redis, clock)


@pytest_asyncio.fixture
async def heard(broker: RedisBroker) -> AsyncIterator[Heard]:
    heard = Heard()
    async with broker.running(heard.message, heard.reconnected):
        yield heard


async def test_numbered_publications_arrive_and_are_remembered(
    broker: RedisBroker, heard: Heard
) -> None:
    await broker.subscribe(SHOP)
    await broker.publish_numbered(numbered(1, 2, 3))
    await until(lambda: len(heard.messages) == 3)
    assert heard.offsets == [1, 2, 3]
    channel, message = heard.messages[0]
    assert (channel, message.epoch, message.publication.data) == (SHOP, "one", b'{"n":1}')
    assert await broker.position(SHOP) == Position(3, "one")
    history = await broker.read(SHOP, after=1)
    assert history is not None
    assert [each.data for each in history.publications] == [b'{"n":2}', b'{"n":3}']
    assert history.publications[0].time_ms == 17


async def test_a_repeated_batch_is_refused_by_its_numbers(
    broker: RedisBroker, heard: Heard
) -> None:
    await broker.subscribe(SHOP)
    await broker.publish_numbered(numbered(1, 2))
    await broker.publish_numbered(numbered(1, 2, 3))
    await until(lambda: len(heard.messages) == 3)
    await asyncio.sleep(0.02)
    assert heard.offsets == [1, 2, 3]


async def test_a_new_epoch_forgets_the_old_stream(broker: RedisBroker) -> None:
    await broker.publish_numbered(numbered(1, 2, 3))
    await broker.publish_numbered(numbered(1, epoch="two"))
    history = await broker.read(SHOP)
    assert history is not None
    assert history.top == Position(1, "two")
    assert [each.offset for each in history.publications] == [1]


async def test_a_wiped_redis_knows_nothing_and_says_so(
    broker: RedisBroker, redis: RedisClient
) -> None:
    await broker.publish_numbered(numbered(1, 2))
    await redis.flushall()
    assert await broker.position(SHOP) is None
    assert await broker.read(SHOP) is None
    await broker.publish_numbered(numbered(3))
    history = await broker.read(SHOP)
    assert history is not None
    assert [each.offset for each in history.publications] == [3]


async def test_reading_goes_both_ways_and_in_pages(broker: RedisBroker) -> None:
    await broker.publish_numbered(numbered(*range(1, 8)))

    async def offsets(**how: Any) -> list[int]:
        history = await broker.read(SHOP, **how)
        assert history is not None
        return [each.offset for each in history.publications]

    assert await offsets(after=2, limit=3) == [3, 4, 5]
    assert await offsets(limit=2, reverse=True) == [7, 6]
    assert await offsets(after=4, limit=2, reverse=True) == [3, 2]
    assert await offsets(limit=0) == []
    assert await broker.positions([SHOP, "offering:none"]) == [Position(7, "one"), None]


async def test_ephemeral_channels_are_numbered_by_redis_under_an_epoch_of_their_own(
    broker: RedisBroker, heard: Heard, redis: RedisClient
) -> None:
    await broker.subscribe("room:1")
    for n in range(3):
        await broker.publish(ROOM, "room:1", b'{"n":\n%d}' % n, info=b'{"user":"u"}')
    await until(lambda: len(heard.messages) == 3)
    assert heard.offsets == [1, 2, 3]
    publication = heard.messages[0][1].publication
    assert (publication.data, publication.info) == (b'{"n": 0}', b'{"user":"u"}')
    first = await broker.position("room:1")
    assert first is not None
    assert heard.messages[0][1].epoch == first.epoch
    await redis.flushall()
    await broker.publish(ROOM, "room:1", b"1")
    second = await broker.position("room:1")
    assert second is not None
    assert second.offset == 1
    assert second.epoch != first.epoch


async def test_durable_channels_are_published_by_the_relay_alone(broker: RedisBroker) -> None:
    with pytest.raises(ValueError, match="relay"):
        await broker.publish(Namespace(name="offering", durable=True), SHOP, b"1")


async def test_presence_ends_with_the_goodbye_or_a_minute_after_its_server_died(
    broker: RedisBroker, clock: ManualClock
) -> None:
    await broker.enter("room:1", {"a": b'{"user":"1"}', "b": b'{"user":"2"}'})
    assert await broker.presence("room:1") == {"a": b'{"user":"1"}', "b": b'{"user":"2"}'}
    await broker.leave("room:1", "a")
    clock.advance(timedelta(seconds=59))
    assert set(await broker.presence("room:1")) == {"b"}
    await broker.enter("room:1", {"c": b'{"user":"3"}'})
    clock.advance(timedelta(seconds=2))
    assert set(await broker.presence("room:1")) == {"c"}


async def test_a_killed_subscription_comes_back_with_every_channel(
    broker: RedisBroker, heard: Heard, redis: RedisClient
) -> None:
    channels = [f"offering:{n}" for n in range(1_200)]
    await asyncio.gather(*map(broker.subscribe, channels))
    for round_ in (1, 2):
        await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await until(lambda expected=round_: heard.reconnects == expected)
        await broker.announce(channels[-1], b"1")
        await until(lambda expected=round_: len(heard.messages) == expected)


async def test_a_channel_let_go_is_heard_no_more(broker: RedisBroker, heard: Heard) -> None:
    await broker.subscribe(SHOP)
    broker.unsubscribe(SHOP)
    await broker.subscribe("offering:other")
    await broker.announce(SHOP, b"1")
    await broker.announce("offering:other", b"2")
    await until(lambda: heard.messages)
    assert [channel for channel, _ in heard.messages] == ["offering:other"]
    await broker.subscribe(SHOP)
    await broker.announce(SHOP, b"3")
    await until(lambda: len(heard.messages) == 2)


async def test_a_foreign_message_on_our_channel_disturbs_nothing(
    broker: RedisBroker, heard: Heard, redis: RedisClient
) -> None:
    await broker.subscribe(SHOP)
    await redis.spublish(pubsub(SHOP), b"not ours")
    await redis.spublish(pubsub(SHOP), b"p:x:y:z:0:")
    await broker.publish_numbered(numbered(1))
    await until(lambda: heard.messages)
    assert heard.offsets == [1]


async def test_a_redis_that_is_not_there_is_said_in_our_words(clock: ManualClock) -> None:
    async with open_redis("redis://127.0.0.1:1") as nowhere:
        broker = RedisBroker(nowhere, clock)
        with pytest.raises(BrokerDown):
            await broker.position(SHOP)
        with pytest.raises(BrokerDown):
            await broker.publish_numbered(numbered(1))
        with pytest.raises(BrokerDown):
            await broker.subscribe(SHOP)


async def test_the_subscriber_outlives_garbage_refusals_and_silence() -> None:
    """A server that answers nonsense, hangs up, then behaves."""
    visits = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal visits
        visits += 1
        if visits == 1:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        elif visits > 2:
            await reader.read(100)
            writer.write(b"*3\r\n$10\r\nssubscribe\r\n$1\r\nx\r\n:1\r\n")
            writer.write(b"*3\r\n$8\r\nsmessage\r\n$1\r\nx\r\n$2\r\nhi\r\n")
            await writer.drain()
            await asyncio.sleep(0.2)
        writer.close()

    got: list[tuple[bytes, bytes]] = []
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    subscriber = Subscriber(
        Address({"host": "127.0.0.1", "port": port}, tls=False),
        lambda channel, message: got.append((channel, message)),
        lambda: None,
    )
    running = asyncio.ensure_future(subscriber.run())
    await asyncio.wait_for(subscriber.subscribe(b"x"), 5)
    await until(lambda: got)
    assert got[0] == (b"x", b"hi")
    assert visits >= 3
    assert not running.done()
    running.cancel()
    server.close()
    await server.wait_closed()
