"""Commands about a person's sessions, wherever they are; what the nodes tell of themselves."""

import asyncio
from typing import Any

from centrifuge import ClientState

from hub.clock import SystemClock


async def test_a_person_is_subscribed_on_every_node(pair: Any, until: Any) -> None:
    one, other = pair
    (_, here), (_, there), (_, stranger) = [
        await one.connect("ada"),
        await other.connect("ada"),
        await other.connect("bob"),
    ]
    assert await one.result("subscribe", user="ada", channel="room:1", data={"hello": 1}) == {}
    for told in (here, there):
        await until(lambda told=told: len(told.subscribed) == 2)  # with the personal channel
        assert (told.subscribed[-1].channel, told.subscribed[-1].data) == ("room:1", {"hello": 1})
    assert await one.result("subscribe", user="ada", channel="room:1") == {}  # nothing new
    await one.result("publish", channel="room:1", data=5)
    for told in (here, there):
        await until(lambda told=told: told.publications)
        assert told.publications == [("room:1", 5, 1)]
    assert len(stranger.subscribed) == 1
    stats = await other.result("presence_stats", channel="room:1")
    assert stats == {"num_clients": 2, "num_users": 1}

    assert await other.result("unsubscribe", user="ada", channel="room:1") == {}
    await until(lambda: here.unsubscribed == there.unsubscribed == ["room:1"])
    await one.result("publish", channel="room:1", data=6)
    await asyncio.sleep(0.05)
    assert len(here.publications) == len(there.publications) == 1
    assert (await one.result("presence", channel="room:1"))["presence"] == {}


async def test_a_subscription_may_begin_in_the_past(pair: Any, until: Any) -> None:
    one, other = pair
    _, told = await other.connect("ada")
    for n in range(1, 5):
        place = await one.result("publish", channel="room:1", data=n)
    since = {"offset": 2, "epoch": place["epoch"]}
    await one.result("subscribe", user="ada", channel="room:1", recover_since=since)
    await until(lambda: len(told.publications) == 2)
    await one.result("publish", channel="room:1", data=5)
    await until(lambda: len(told.publications) == 3)
    assert told.publications == [("room:1", n, n) for n in (3, 4, 5)]


async def test_one_connection_may_be_meant(pair: Any, until: Any) -> None:
    one, other = pair
    (_, here), (_, there) = [await one.connect("ada"), await other.connect("ada")]
    meant = there.connected[0].client
    await one.result("subscribe", user="ada", channel="room:1", client=meant)
    await until(lambda: len(there.subscribed) == 2)
    await one.result("disconnect", user="ada", whitelist=[meant])
    await until(lambda: here.disconnected)
    assert here.disconnected == [(3503, "force disconnect")]
    assert not there.disconnected


async def test_a_person_is_disconnected_everywhere_with_a_code_of_choice(
    pair: Any, until: Any
) -> None:
    one, other = pair
    clients = [await one.connect("ada"), await other.connect("ada")]
    ending = {"code": 4501, "reason": "account closed"}
    assert await one.result("disconnect", user="ada", disconnect=ending) == {}
    for client, told in clients:
        await until(lambda told=told: told.disconnected)
        assert told.disconnected == [(4501, "account closed")]
        assert client.state is ClientState.DISCONNECTED
    bad = {"code": 200, "reason": "x"}
    assert (await one.api("disconnect", user="ada", disconnect=bad))["error"]["code"] == 107


async def test_a_connection_may_be_made_to_expire(pair: Any, until: Any) -> None:
    one, other = pair
    client, told = await other.connect("ada")
    soon = int(SystemClock().now().timestamp()) + 3600
    await one.result("refresh", user="ada", expire_at=soon, info={"name": "Ada L."})
    await one.result("subscribe", user="ada", channel="room:1")
    await until(lambda: len(told.subscribed) == 2)
    shown = (await one.result("presence", channel="room:1"))["presence"]
    assert [each["conn_info"] for each in shown.values()] == [{"name": "Ada L."}]
    await one.result("refresh", user="ada", expired=True)
    await until(lambda: client.state is not ClientState.CONNECTED)  # 3005: it comes back
    await client.ready(timeout=5)
    assert len(told.connected) == 2


async def test_the_personal_channel_is_not_taken_away(pair: Any) -> None:
    one, _ = pair
    refused = await one.api("unsubscribe", user="ada", channel="mine:#ada")
    assert refused["error"]["code"] == 108
    assert (await one.api("subscribe", channel="room:1"))["error"]["code"] == 107
    assert (await one.api("subscribe", user="ada", channel="no:1"))["error"]["code"] == 102


async def test_channels_and_nodes_are_counted_over_all_nodes(pair: Any) -> None:
    one, other = pair
    await one.connect("ada")
    await other.connect("ada")
    await other.connect("bob")
    for user, channel in (("ada", "room:1"), ("bob", "room:1"), ("bob", "bare:1")):
        await one.result("subscribe", user=user, channel=channel)
    found = (await one.result("channels"))["channels"]
    assert found == {
        "mine:#ada": {"num_clients": 2},
        "mine:#bob": {"num_clients": 1},
        "room:1": {"num_clients": 3},
        "bare:1": {"num_clients": 1},
    }
    assert list((await other.result("channels", pattern="r*m:?"))["channels"]) == ["room:1"]
    nodes = {each["uid"]: each for each in (await one.result("info"))["nodes"]}
    assert len(nodes) == 2
    there = nodes[other.node.emulation.node_id]
    assert (there["num_clients"], there["num_users"], there["num_subs"]) == (2, 2, 5)
    assert {"name", "version", "num_channels", "uptime"} <= set(there)


async def test_a_node_that_is_stuck_holds_nobody_up_for_long(pair: Any, monkeypatch: Any) -> None:
    one, other = pair
    _, told = await one.connect("ada")

    async def never(asked: bytes) -> object:
        await asyncio.sleep(30)
        return {}

    monkeypatch.setattr(other.node.peers, "_answering", never)
    began = SystemClock().monotonic()
    await one.result("subscribe", user="ada", channel="room:1")
    assert 0.9 < SystemClock().monotonic() - began < 2
    assert len(told.subscribed) == 2
    # it still counts as alive, by what it told last
    assert len((await one.result("info"))["nodes"]) == 2


async def test_a_node_that_stops_is_not_waited_for(
    pair: Any, servers: Any, open_gateway: Any
) -> None:
    one, _ = pair
    async with open_gateway(servers.redis_url):
        while len((await one.result("info"))["nodes"]) < 3:
            await asyncio.sleep(0.02)
    began = SystemClock().monotonic()
    assert len((await one.result("info"))["nodes"]) == 2
    assert SystemClock().monotonic() - began < 0.5
