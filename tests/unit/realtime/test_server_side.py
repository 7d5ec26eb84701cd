"""Subscriptions that the server makes: by token, for the person, and what a client resumes."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from hub.realtime import Position

Sign = Callable[..., str]

RULES = """
[client.subscribe_to_user_personal_channel]
enabled = true
personal_channel_namespace = "user"

[[channel.namespaces]]
name = "user"
history_size = 10
history_ttl = "60s"
force_recovery = true
presence = true

[[channel.namespaces]]
name = "news"
history_size = 10
history_ttl = "60s"
force_recovery = true
allow_subscribe_for_client = true

[[channel.namespaces]]
name = "easy"
"""


async def fill(world: Any, channel: str, *numbers: int) -> None:
    for n in numbers:
        await world.broker.publish(world.node.namespaces.of(channel), channel, b'{"n":%d}' % n)
    await world.rest()


async def test_the_reply_holds_the_persons_channel_and_those_of_the_token(
    gateway: Any, signed: Sign
) -> None:
    world = await gateway(RULES)
    await fill(world, "news:1", 1, 2)
    peer = world.peer()
    token = signed(sub="ada", channels=["easy:1"], subs={"news:1": {"data": {"hi": 1}}})
    subs = (await peer.ask(connect={"token": token}))["connect"]["subs"]
    assert subs == {
        "user:#ada": {"recoverable": True, "positioned": True},
        "easy:1": {},
        "news:1": {
            "recoverable": True,
            "positioned": True,
            "epoch": "ephemera",
            "offset": 2,
            "data": {"hi": 1},
        },
    }
    await fill(world, "news:1", 3)
    await fill(world, "user:#ada", 4)
    assert peer.received == [3, 4]
    assert peer.session.client in world.broker.present["user:#ada"]


async def test_nobody_in_particular_has_no_personal_channel(gateway: Any, signed: Sign) -> None:
    world = await gateway(RULES)
    reply = await world.peer().ask(connect={"token": signed(iat=1)})
    assert "subs" not in reply["connect"]


async def test_a_client_resumes_where_it_stopped(gateway: Any, signed: Sign) -> None:
    world = await gateway(RULES)
    await fill(world, "user:#ada", 1, 2, 3)
    await fill(world, "news:1", 1)
    peer = world.peer()
    stopped = {
        "user:#ada": {"recover": True, "offset": 1, "epoch": "ephemera"},
        "news:1": {"recover": True, "offset": 0, "epoch": "another"},
        "user:#bob": {"recover": True},
        "easy:1": {"recover": True},
    }
    reply = await peer.ask(connect={"token": signed(sub="ada"), "subs": stopped})
    subs = reply["connect"]["subs"]
    assert subs.keys() == {"user:#ada", "news:1"}  # to the others it has no right
    assert subs["user:#ada"]["recovered"]
    assert [each["data"]["n"] for each in subs["user:#ada"]["publications"]] == [2, 3]
    assert "recovered" not in subs["news:1"]
    assert subs["news:1"]["was_recovering"]


@pytest.mark.parametrize("where", ["token", "client"])
async def test_a_channel_that_cannot_be_ends_the_connection(
    gateway: Any, signed: Sign, where: str
) -> None:
    world = await gateway(RULES)
    peer = world.peer()
    token = signed(sub="ada", channels=["nowhere:1"] if where == "token" else [])
    subs = {"nowhere:1": {}} if where == "client" else {}
    peer.say({"id": 1, "connect": {"token": token, "subs": subs}})
    assert peer.closed == (3501, "bad request")


async def test_what_the_server_made_is_not_the_clients_to_end(gateway: Any, signed: Sign) -> None:
    world = await gateway(RULES)
    peer = await world.connected(signed(sub="ada", channels=["news:1"]))
    for channel in ("news:1", "user:#ada"):
        assert (await peer.ask(unsubscribe={"channel": channel}))["error"]["code"] == 103
        assert (await peer.ask(subscribe={"channel": channel}))["error"]["code"] == 105


async def test_a_lost_stream_ends_the_connection_if_it_was_followed_exactly(
    gateway: Any, signed: Sign
) -> None:
    world = await gateway(RULES)
    await fill(world, "news:1", 1)
    exact = await world.connected(signed(sub="ada", channels=["news:1"]))
    easy = await world.connected(signed(sub="bob", channels=["easy:1"]))
    world.broker.wipe()
    world.broker.tops["news:1"] = Position(5, "another")
    await fill(world, "news:1", 6)
    await world.rest(0.1)
    assert exact.closed == (3010, "insufficient state")
    assert easy.closed is None


async def test_a_token_may_not_open_more_channels_than_a_connection_has(
    gateway: Any, signed: Sign
) -> None:
    world = await gateway(RULES)
    many = [f"news:{n}" for n in range(128)]
    reply = await world.peer().ask(connect={"token": signed(sub="ada", channels=many)})
    assert reply["error"]["code"] == 106
    resumed = {f"news:{n}": {} for n in range(129)}
    reply = await world.peer().ask(connect={"token": signed(sub="ada"), "subs": resumed})
    assert reply["error"]["code"] == 106
    assert world.node.channel_count == 0


async def test_what_comes_while_other_channels_are_awaited_is_in_the_reply_once(
    gateway: Any, signed: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await gateway(RULES)
    await fill(world, "user:#ada", 1)
    watcher = await world.connected(signed(sub="ada"))  # keeps the channel alive and heard
    entered, goes_on = asyncio.Event(), asyncio.Event()
    subscribe = world.broker.subscribe

    async def slow(channel: str) -> None:
        if channel == "news:1":
            entered.set()
            await goes_on.wait()
        await subscribe(channel)

    monkeypatch.setattr(world.broker, "subscribe", slow)
    peer = world.peer()
    stopped = {"user:#ada": {"recover": True, "offset": 1, "epoch": "ephemera"}}
    token = signed(sub="ada", channels=["news:1"])
    peer.say({"id": 1, "connect": {"token": token, "subs": stopped}})
    await entered.wait()
    await fill(world, "user:#ada", 2, 3)
    goes_on.set()
    await world.rest()
    await fill(world, "user:#ada", 4)
    assert peer.received == [2, 3, 4]
    assert watcher.received == [2, 3, 4]


async def test_a_refresh_with_the_same_channels_goes_on(gateway: Any, signed: Sign) -> None:
    world = await gateway(RULES)
    token = signed(sub="ada", channels=["user:#ada", "easy:1"])
    peer = await world.connected(token)
    assert "refresh" in await peer.ask(refresh={"token": token})
    peer.say({"id": 9, "refresh": {"token": signed(sub="ada", channels=["user:#ada"])}})
    assert peer.closed == (3010, "insufficient state")


async def test_a_wish_that_cannot_be_leaves_no_channel_behind(gateway: Any, signed: Sign) -> None:
    world = await gateway(RULES)
    peer = await world.connected(signed(sub="ada"))
    before = world.node.channel_count
    wish = {"channel": "news:1", "tf": {"key": "a", "cmp": "eq", "val": "b"}}
    assert (await peer.ask(subscribe=wish))["error"]["code"] == 107
    assert world.node.channel_count == before
