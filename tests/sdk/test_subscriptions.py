"""Subscriptions on terms: tokens of their own, patches, tags, the server's own."""

import asyncio
import json
from typing import Any

from tests.sdk.gateway import Gateway, Road


async def test_a_closed_channel_opens_to_a_token_for_it(open_client: Any, token: Any) -> None:
    client = await open_client("ada")
    await client.connected()
    await client.subscribe("closed:1")
    assert (await client.until("unsubscribed", "closed:1"))["code"] == 103
    await client.subscribed("closed:2", tokens=[token("ada", channel="closed:2")])
    await client.publish("closed:2", "inside")
    assert (await client.until("publication", "closed:2"))["data"] == "inside"
    await client.subscribe("closed:3", tokens=["not.a.token"])
    assert (await client.until("unsubscribed", "closed:3"))["code"] == 103
    await client.subscribe("closed:4", tokens=[token("otieno", channel="closed:4")])
    assert (await client.until("disconnected"))["code"] == 3500


async def test_a_subscription_token_is_renewed_before_it_ends(open_client: Any, token: Any) -> None:
    client = await open_client("ada")
    await client.connected()
    tokens = [token("ada", channel="closed:1", seconds=each) for each in (2, 3600)]
    await client.subscribed("closed:1", tokens=tokens)
    await client.until("token", "closed:1", count=2)
    await asyncio.sleep(1.5)
    await client.publish("closed:1", "still inside")
    await client.until("publication", "closed:1")
    assert len(client.seen("subscribed", "closed:1")) == 1
    assert client.seen("error") == []


async def test_an_expired_subscription_token_is_replaced(open_client: Any, token: Any) -> None:
    client = await open_client("ada")
    await client.connected()
    tokens = [token("ada", channel="closed:1", seconds=each) for each in (-60, 3600)]
    await client.subscribed("closed:1", tokens=tokens)
    assert len(client.seen("token", "closed:1")) == 2


async def test_a_connection_token_brings_channels_along(
    open_client: Any, token: Any, publish: Any, road: Road
) -> None:
    opened = token("ada", channels=["closed:1"], subs={"room:1": {"data": {"welcome": "Karibu"}}})
    client = await open_client("ada", token=opened)
    await client.connected()
    await client.until("subscribed", "closed:1")
    assert (await client.until("subscribed", "room:1"))["data"] == {"welcome": "Karibu"}
    await publish("closed:1", 1)
    await client.until("publication", "closed:1")
    road.open = False
    road.drop()
    await client.until("connecting", count=2)
    await publish("closed:1", 2)
    await publish("room:1", 3)
    road.open = True
    assert (await client.until("subscribed", "closed:1", count=2))["recovered"]
    await client.until("publication", "room:1")
    await client.until("publication", "closed:1", count=2)
    assert client.data("closed:1") == [1, 2]
    assert client.data("room:1") == [3]


async def test_patches_save_bytes_and_change_nothing(
    open_client: Any, publish: Any, road: Road, gateway: Gateway
) -> None:
    def prices(n: int) -> dict[str, Any]:
        """A big message of which little changes; some of it takes several bytes a letter."""
        names = [f"Soko la Wakulima na. {each} – Ouagadougou é" for each in range(60)]
        return {"n": n, "names": names}

    size = len(json.dumps(prices(1), ensure_ascii=False).encode())
    client = await open_client("ada")
    await client.connected()
    await client.subscribed("ticker:1", delta="fossil")
    before = road.brought
    for n in range(1, 11):
        await publish("ticker:1", prices(n))
    await client.until("publication", "ticker:1", count=10)
    assert client.data("ticker:1") == [prices(n) for n in range(1, 11)]
    assert road.brought - before < 3 * size
    road.open = False
    road.drop()
    await client.until("connecting", count=2)
    for n in range(11, 15):
        await publish("ticker:1", prices(n))
    road.open = True
    assert (await client.until("subscribed", "ticker:1", count=2))["recovered"]
    await publish("ticker:1", prices(15))
    await client.until("publication", "ticker:1", count=15)
    assert client.data("ticker:1") == [prices(n) for n in range(1, 16)]


async def test_a_filter_lets_through_what_its_tags_say(
    open_client: Any, publish: Any, road: Road
) -> None:
    wanted = {
        "op": "and",
        "nodes": [
            {"key": "pair", "cmp": "in", "vals": ["KES/USD", "NGN/USD"]},
            {"key": "volume", "cmp": "gte", "val": "100"},
        ],
    }
    client = await open_client("ada")
    await client.connected()
    await client.subscribed("ticker:2", tags_filter=wanted)

    async def trade(n: int, pair: str, volume: int) -> None:
        await publish("ticker:2", n, tags={"pair": pair, "volume": str(volume)})

    await trade(1, "KES/USD", 250)
    await trade(2, "KES/USD", 99)
    await trade(3, "GHS/USD", 500)
    await trade(4, "NGN/USD", 100)
    last = await client.until("publication", "ticker:2", count=2)
    assert last["tags"] == {"pair": "NGN/USD", "volume": "100"}
    road.open = False
    road.drop()
    await client.until("connecting", count=2)
    await trade(5, "GHS/USD", 500)
    await trade(6, "NGN/USD", 700)
    road.open = True
    assert (await client.until("subscribed", "ticker:2", count=2))["recovered"]
    await trade(7, "GHS/USD", 1)
    await trade(8, "KES/USD", 100)
    await client.until("publication", "ticker:2", count=4)
    assert client.data("ticker:2") == [1, 4, 6, 8]


async def test_a_late_subscriber_to_a_cache_gets_the_newest_at_once(
    open_client: Any, publish: Any, road: Road
) -> None:
    client = await open_client("ada")
    await client.connected()
    await client.subscribed("last:rate", recoverable=True)
    await publish("last:rate", 1)
    await client.until("publication", "last:rate")
    road.open = False
    road.drop()
    await client.until("connecting", count=2)
    for n in (2, 3, 4):
        await publish("last:rate", n)
    road.open = True
    assert (await client.until("subscribed", "last:rate", count=2))["recovered"]
    await client.until("publication", "last:rate", count=2)
    assert client.data("last:rate") == [1, 4]
