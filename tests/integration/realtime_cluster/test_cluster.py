"""The broker, and everything else that asks Redis, on a real Redis Cluster."""

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from litestar import Litestar, get
from litestar.di import NamedDependency, Provide
from litestar.testing import AsyncTestClient

from hub.clock import ManualClock
from hub.events import poke
from hub.events.outbox import POKE_CHANNEL
from hub.health import heartbeat
from hub.limits import Limits, RateLimited
from hub.realtime import BrokerDown, Namespace, Numbered, Position, RedisBroker
from hub.realtime.keys import stream
from hub.realtime.outgoing import Outgoing
from hub.realtime.publication import Message
from hub.redis_client import RedisClient, is_cluster, open_redis
from hub.settings import Settings, SettingsFault

ROOM = Namespace(name="room", history_size=5)
CHANNELS = [f"room:{n}" for n in range(40)]


class Heard:
    def __init__(self) -> None:
        self.offsets: dict[str, list[int]] = {}
        self.reconnects = 0

    def message(self, channel: str, message: Message) -> None:
        self.offsets.setdefault(channel, []).append(message.publication.offset)

    def reconnected(self) -> None:
        self.reconnects += 1


@pytest_asyncio.fixture
async def broker(cluster_redis: RedisClient, clock: ManualClock) -> RedisBroker:
    return RedisBroker(cluster_redis, clock)


@pytest_asyncio.fixture
async def heard(broker: RedisBroker) -> AsyncIterator[Heard]:
    heard = Heard()
    async with broker.running(heard.message, heard.reconnected):
        yield heard


def numbered(offset: int, channel: str) -> Numbered:
    return Numbered(channel, offset, "one", b'{"n":%d}' % offset, 17)


def outgoing(channel: str) -> Outgoing:
    return Outgoing(namespace=ROOM, channel=channel, data=b"1")


async def test_the_relay_publishes_to_every_shard_in_the_order_of_each_channel(
    broker: RedisBroker, heard: Heard, until: Any, cluster: Any
) -> None:
    assert {cluster.owner(stream(channel)) for channel in CHANNELS} == {0, 1, 2}
    await asyncio.gather(*map(broker.subscribe, CHANNELS))
    batch = [numbered(offset, channel) for offset in range(1, 6) for channel in CHANNELS]
    await broker.publish_numbered(batch)
    await broker.publish_numbered(batch)  # a repeat is refused by its numbers
    await until(lambda: sum(map(len, heard.offsets.values())) >= 200)
    await asyncio.sleep(0.05)
    assert heard.offsets == {channel: [1, 2, 3, 4, 5] for channel in CHANNELS}
    assert await broker.positions(CHANNELS) == [Position(5, "one")] * 40
    history = await broker.read(CHANNELS[7], after=3)
    assert history is not None
    assert [each.offset for each in history.publications] == [4, 5]


async def test_a_broadcast_reaches_channels_of_all_shards_in_one_call(
    broker: RedisBroker, heard: Heard, until: Any
) -> None:
    await asyncio.gather(*map(broker.subscribe, CHANNELS))
    positions = await broker.publish_all([outgoing(channel) for channel in CHANNELS])
    assert all(isinstance(each, Position) and each.offset == 1 for each in positions)
    await until(lambda: len(heard.offsets) == 40)
    assert await broker.announce("room:1", b"2") == 1


async def test_presence_is_kept_with_its_channel(broker: RedisBroker) -> None:
    await broker.enter("room:1", {"c1": b'{"user":"ada"}'})
    assert await broker.presence("room:1") == {"c1": b'{"user":"ada"}'}
    await broker.leave("room:1", "c1")
    assert await broker.presence("room:1") == {}


async def test_a_name_that_begins_with_a_brace_has_its_keys_in_one_place(
    broker: RedisBroker,
) -> None:
    for channel in ("}x", "{}", "a{b}c", "}{"):
        assert await broker.publish_all([outgoing(channel)])
        history = await broker.read(channel)
        assert history is not None
        assert history.top.offset == 1


async def test_a_subscription_follows_its_slot_to_another_node(
    broker: RedisBroker, heard: Heard, until: Any, cluster: Any
) -> None:
    channel = "room:moving"
    await broker.subscribe(channel)
    await broker.announce(channel, b"1")
    await until(lambda: heard.offsets == {channel: [0]})
    before = heard.reconnects
    cluster.move_slot(stream(channel), (cluster.owner(stream(channel)) + 1) % 3)
    await until(lambda: heard.reconnects > before)  # positions are checked: one may be missing
    assert await broker.publish_all([outgoing(channel)])
    await until(lambda: heard.offsets[channel] == [0, 1])
    # and a newcomer that is sent to the old owner is told where it moved
    await broker.subscribe("room:{:room:moving}")


async def test_a_shard_that_does_not_answer_costs_the_others_nothing(
    broker: RedisBroker, heard: Heard, until: Any, cluster: Any
) -> None:
    await asyncio.gather(*map(broker.subscribe, CHANNELS))
    await broker.publish_all([outgoing(channel) for channel in CHANNELS])
    await until(lambda: len(heard.offsets) == 40)
    lost = 2
    away = {channel for channel in CHANNELS if cluster.owner(stream(channel)) == lost}
    cluster.drop_connections(lost)
    there = [channel for channel in CHANNELS if channel not in away]
    outcomes = await broker.publish_all([outgoing(channel) for channel in there])
    assert all(isinstance(each, Position) for each in outcomes)
    await until(lambda: all(heard.offsets[channel] == [1, 2] for channel in there))
    await until(lambda: heard.reconnects)  # the lost shard is back, and subscribed again
    await broker.publish_all([outgoing(channel) for channel in away])
    await until(lambda: all(heard.offsets[channel] == [1, 2] for channel in away))


async def test_a_shard_that_hangs_is_not_waited_for_long(broker: RedisBroker, cluster: Any) -> None:
    await broker.publish_all([outgoing(channel) for channel in CHANNELS])
    stuck = cluster.processes[2]
    stuck.send_signal(signal.SIGSTOP)
    try:
        async with asyncio.timeout(4):
            outcomes = await broker.publish_all([outgoing(channel) for channel in CHANNELS])
    finally:
        stuck.send_signal(signal.SIGCONT)
    for channel, outcome in zip(CHANNELS, outcomes, strict=True):
        expected = BrokerDown if cluster.owner(stream(channel)) == 2 else Position
        assert isinstance(outcome, expected)


async def test_no_node_answers(clock: ManualClock) -> None:
    async with open_redis("redis+cluster://127.0.0.1:1") as nowhere:
        broker = RedisBroker(nowhere, clock)
        with pytest.raises(BrokerDown):
            await broker.publish_numbered([numbered(1, "room:1")])
        with pytest.raises(BrokerDown):
            await broker.position("room:1")


async def test_limits_pokes_and_heartbeats_work_on_a_cluster(
    cluster_redis: RedisClient, clock: ManualClock
) -> None:
    limits = Limits(cluster_redis, clock)
    await limits.take("door", rate_per_minute=1, burst=1)
    with pytest.raises(RateLimited):
        await limits.take("door", rate_per_minute=1, burst=1)
    await heartbeat(cluster_redis)
    async with cluster_redis.pubsub() as listening:
        await listening.subscribe(POKE_CHANNEL)
        await listening.get_message(timeout=1)
        await poke(cluster_redis)
        async with asyncio.timeout(5):
            while not await listening.get_message(ignore_subscribe_messages=True, timeout=1):
                pass


async def test_a_handler_gets_the_clusters_client_as_it_gets_a_single_nodes(
    cluster_redis: RedisClient,
) -> None:
    @get("/")
    async def ping(redis: NamedDependency[RedisClient]) -> str:
        return str(is_cluster(redis))

    provide = Provide(lambda: cluster_redis, sync_to_thread=False)
    app = Litestar([ping], dependencies={"redis": provide}, openapi_config=None)
    async with AsyncTestClient(app) as client:
        assert (await client.get("/")).text == "True"


def test_jobs_need_a_single_node_beside_a_cluster(environment: dict[str, str]) -> None:
    given = {**environment, "HUB_REDIS_URL": "redis+cluster://10.0.0.1:6379"}
    with pytest.raises(SettingsFault, match="HUB_JOBS_REDIS_URL"):
        Settings.load(given)
    settings = Settings.load({**given, "HUB_JOBS_REDIS_URL": "redis://10.0.0.9:6379"})
    assert settings.redis_url.startswith("redis+cluster://")
