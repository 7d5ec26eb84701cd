"""Patches, filters and data that is not JSON, through Redis to the official Python client."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest
from centrifuge import Client, DeltaType, Filter, SubscriptionEventHandler
from websockets.asyncio.client import connect

from hub.realtime.outgoing import Outgoing

CHANNEL = "ticker:maize"


class Seen(SubscriptionEventHandler):
    def __init__(self) -> None:
        self.values: list[Any] = []
        self.publications: list[Any] = []
        self.recovered: list[bool] = []

    async def on_subscribed(self, ctx: Any) -> None:
        self.recovered.append(ctx.recovered)

    async def on_publication(self, ctx: Any) -> None:
        data = ctx.pub.data
        self.publications.append(ctx.pub)
        self.values.append(json.loads(data)["n"] if isinstance(data, bytes) else data["n"])


@pytest.fixture(params=[False, True], ids=["json", "protobuf"])
def subscribed(request: pytest.FixtureRequest, hub: Any, person: UUID) -> Any:
    """Opens a client and subscribes it; returns both and what it sees."""

    async def open_one(**more: Any) -> Any:
        client = Client(hub.url, token=str(person), proxy=None, use_protobuf=request.param)
        await client.connect()
        seen = Seen()
        subscription = client.new_subscription(CHANNEL, seen, **more)
        await subscription.subscribe()
        await subscription.ready()
        return client, subscription, seen

    return open_one


async def publish(hub: Any, data: bytes, **more: Any) -> None:
    namespace = hub.node.namespaces.of(CHANNEL)
    more = {"delta": namespace.delta_publish, **more}
    outgoing = Outgoing(namespace=namespace, channel=CHANNEL, data=data, **more)
    await hub.broker.publish_all([outgoing])


def state(n: int) -> bytes:
    return json.dumps({"n": n, "who": "Zoë €", "long": "x" * 300}, ensure_ascii=False).encode()


async def test_patches_go_on_over_a_dropped_connection(
    hub: Any, subscribed: Any, until: Any
) -> None:
    client, _, seen = await subscribed(delta=DeltaType.FOSSIL, recoverable=True)
    for n in range(3):
        await publish(hub, state(n))
        await until(lambda n=n: len(seen.values) == n + 1)
    client._conn.transport.abort()
    for n in range(3, 6):
        await publish(hub, state(n))
    await until(lambda: len(seen.values) == 6)
    await publish(hub, state(6))
    await until(lambda: len(seen.values) == 7)
    assert seen.values == list(range(7))
    assert seen.recovered == [False, True]
    assert [bool(each.delta) for each in seen.publications] == [
        False,
        True,
        True,
        False,
        True,
        True,
        True,
    ]
    await client.disconnect()


async def test_durable_events_are_patched_too_and_recovered_from_postgresql(
    hub: Any, subscribed: Any, redis: Any, until: Any
) -> None:
    client, _, _ = await subscribed()
    seen = Seen()
    watching = client.new_subscription(
        "offering:shop", seen, delta=DeltaType.FOSSIL, recoverable=True
    )
    await watching.subscribe()
    await watching.ready()
    told = {"event": "test.ticked", "title": "A shop for solar lamps in Kisumu", "target": 500_000}
    await hub.append("offering:shop", *({**told, "n": n} for n in range(3)))
    await until(lambda: len(seen.values) == 3)
    client._conn.transport.abort()
    await hub.append("offering:shop", *({**told, "n": n} for n in range(3, 6)), tell_redis=False)
    await redis.flushall()
    await until(lambda: len(seen.values) == 6)
    await hub.append("offering:shop", {**told, "n": 6})
    await until(lambda: len(seen.values) == 7)
    assert seen.values == list(range(7))
    assert [bool(each.delta) for each in seen.publications[3:]] == [False, True, True, True]
    await client.disconnect()


async def test_a_filter_gets_its_tags_through_redis_live_and_by_recovery(
    hub: Any, subscribed: Any, until: Any
) -> None:
    wanted = Filter.all(Filter.eq("pair", "KES/USD"), Filter.gte("volume", "100"))
    client, _, seen = await subscribed(tags_filter=wanted, recoverable=True)
    sent = [("KES/USD", 99), ("KES/USD", 100), ("NGN/USD", 500), ("KES/USD", 2_000)]
    for n, (pair, volume) in enumerate(sent):
        await publish(hub, state(n), tags={"pair": pair, "volume": str(volume)})
    await until(lambda: len(seen.values) == 2)
    client._conn.transport.abort()
    for n, (pair, volume) in enumerate(sent, 4):
        await publish(hub, state(n), tags={"pair": pair, "volume": str(volume)})
    await until(lambda: len(seen.values) == 4)
    assert seen.values == [1, 3, 5, 7]
    assert seen.recovered == [False, True]
    assert seen.publications[0].tags == {"pair": "KES/USD", "volume": "100"}
    await client.disconnect()


async def test_any_bytes_travel_between_protobuf_clients_and_turn_json_clients_away(
    hub: Any, person: UUID, until: Any
) -> None:
    got: list[bytes] = []

    class Taking(SubscriptionEventHandler):
        async def on_publication(self, ctx: Any) -> None:
            got.append(ctx.pub.data)

    client = Client(hub.url, token=str(person), proxy=None, use_protobuf=True)
    await client.connect()
    subscription = client.new_subscription(CHANNEL, Taking())
    await subscription.subscribe()
    await subscription.ready()
    async with connect(hub.url, proxy=None) as socket:
        await socket.send(json.dumps({"id": 1, "connect": {"token": "bob"}}))
        await socket.send(json.dumps({"id": 2, "subscribe": {"channel": CHANNEL}}))
        while '"id":2' not in str(await socket.recv()):
            pass
        await subscription.publish(b'{"still":\n"JSON"}')
        assert '"data":{"still": "JSON"}' in str(await socket.recv())
        await subscription.publish(b"\x00\xff\n\xfe")
        with pytest.raises(Exception, match="3506"):
            await asyncio.wait_for(socket.recv(), 5)
    await until(lambda: len(got) == 2)
    assert got[1] == b"\x00\xff\n\xfe"
    page = await subscription.history(limit=10)
    assert [each.data for each in page.publications] == got
    await client.disconnect()
