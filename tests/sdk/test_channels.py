"""Channels as the official SDKs see them: publish, presence, history, many at once."""

import asyncio
from typing import Any

import pytest

from tests.sdk.client import Refused


async def test_what_one_publishes_every_subscriber_gets(open_client: Any, channel: str) -> None:
    ada, otieno = await open_client("ada"), await open_client("otieno")
    for each in (ada, otieno):
        await each.connected()
        await each.subscribed(channel)
    sent = {"text": "Habari ya leo, ça va? 🌽", "n": [1, 2.5, None]}
    await ada.publish(channel, sent)
    for each in (ada, otieno):
        got = await each.until("publication", channel)
        assert got["data"] == sent
        assert got["offset"] == 1
        assert got["info"]["user"] == "ada"
        assert got["info"]["info"] == {"name": "Ada"}


async def test_publications_arrive_in_order(open_client: Any, channel: str) -> None:
    client = await open_client()
    await client.connected()
    await client.subscribed(channel)
    await asyncio.gather(*(client.publish(channel, n) for n in range(50)))
    await client.until("publication", channel, count=50)
    assert client.data(channel) == list(range(50))
    assert [each["offset"] for each in client.seen("publication", channel)] == list(range(1, 51))


async def test_presence_names_who_is_there(open_client: Any, channel: str) -> None:
    ada, otieno, again = [await open_client(user) for user in ("ada", "otieno", "ada")]
    for each in (ada, otieno, again):
        await each.connected()
        await each.subscribed(channel)
    present = await ada.presence(channel)
    assert sorted(each["user"] for each in present) == ["ada", "ada", "otieno"]
    assert {each["client"] for each in present} == {
        each.seen("connected")[0]["id"] for each in (ada, otieno, again)
    }
    assert await otieno.presence_stats(channel) == {"clients": 3, "users": 2}


async def test_joins_and_leaves_are_told_to_those_who_ask(open_client: Any, channel: str) -> None:
    ada, otieno = await open_client("ada"), await open_client("otieno")
    for each in (ada, otieno):
        await each.connected()
    await ada.subscribed(channel, join_leave=True)
    await ada.until("join", channel)
    await otieno.subscribed(channel)
    await ada.until("join", channel, count=2)
    assert [each["info"]["user"] for each in ada.seen("join", channel)] == ["ada", "otieno"]
    await otieno.disconnect()
    left = await ada.until("leave", channel)
    assert left["info"]["user"] == "otieno"
    assert otieno.seen("join") == []


async def test_history_pages_forward_and_backward(open_client: Any, channel: str) -> None:
    client = await open_client()
    await client.connected()
    await client.subscribed(channel)
    for n in range(1, 8):
        await client.publish(channel, n)

    async def pages(reverse: bool) -> list[list[int]]:
        found, since = [], None
        while True:
            page = await client.history(channel, limit=3, since=since, reverse=reverse)
            if not page["publications"]:
                return found
            found.append([each["data"] for each in page["publications"]])
            last = page["publications"][-1]["offset"]
            since = {"offset": last, "epoch": page["epoch"]}

    assert await pages(reverse=False) == [[1, 2, 3], [4, 5, 6], [7]]
    assert await pages(reverse=True) == [[7, 6, 5], [4, 3, 2], [1]]
    top = await client.history(channel)
    assert (top["publications"], top["offset"]) == ([], 7)
    with pytest.raises(Refused) as refused:
        await client.history(channel, limit=1, since={"offset": 1, "epoch": "another"})
    assert refused.value.code == 112


async def test_nothing_comes_after_an_unsubscribe_and_all_after_a_new_one(
    open_client: Any, channel: str
) -> None:
    ada, otieno = await open_client("ada"), await open_client("otieno")
    for each in (ada, otieno):
        await each.connected()
        await each.subscribed(channel)
    await otieno.publish(channel, 1)
    await ada.until("publication", channel)
    await ada.unsubscribe(channel)
    await ada.until("unsubscribed", channel)
    await otieno.publish(channel, 2)
    await otieno.until("publication", channel, count=2)
    assert ada.data(channel) == [1]
    back = await ada.subscribed(channel)
    assert back["recovered"]
    await otieno.publish(channel, 3)
    await ada.until("publication", channel, count=3)
    assert ada.data(channel) == [1, 2, 3]


async def test_a_hundred_subscriptions_in_one_frame(open_client: Any, channel: str) -> None:
    client = await open_client()
    channels = [f"{channel}-{n}" for n in range(100)]
    await client.connected()
    await client.subscribe_many(channels)
    for each in channels:
        await client.until("subscribed", each)
    await client.publish(channels[42], "here")
    await client.until("publication", channels[42])
    assert client.data() == ["here"]


async def test_refusals_keep_their_codes(open_client: Any, channel: str) -> None:
    client = await open_client()
    await client.connected()
    await client.subscribe("nowhere:1")
    assert (await client.until("unsubscribed", "nowhere:1"))["code"] == 102
    await client.subscribe("closed:1")
    assert (await client.until("unsubscribed", "closed:1"))["code"] == 103
    with pytest.raises(Refused) as refused:
        await client.publish(channel, "not subscribed")
    assert refused.value.code == 103
    with pytest.raises(Refused) as refused:
        await client.rpc("nothing", {})
    assert refused.value.code == 108  # this gateway has no procedures
    await client.subscribed("plain:1")
    with pytest.raises(Refused) as refused:
        await client.history("plain:1", limit=1)
    assert refused.value.code == 108
