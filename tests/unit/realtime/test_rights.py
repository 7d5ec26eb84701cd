"""Who may do what in a gateway that a file describes."""

from collections.abc import Callable
from typing import Any

import pytest

Sign = Callable[..., str]

RULES = """
[client]
channel_limit = 6
history_max_publication_limit = 2

[channel.without_namespace]
allow_subscribe_for_client = true

[[channel.namespaces]]
name = "open"
allow_subscribe_for_client = true
allow_subscribe_for_anonymous = true
allow_publish_for_client = true
allow_publish_for_anonymous = true
allow_presence_for_client = true
allow_history_for_client = true
presence = true
history_size = 5
history_ttl = "60s"

[[channel.namespaces]]
name = "members"
allow_subscribe_for_client = true
allow_publish_for_subscriber = true
allow_presence_for_subscriber = true
allow_history_for_subscriber = true
presence = true
join_leave = true
history_size = 5
history_ttl = "60s"

[[channel.namespaces]]
name = "closed"

[[channel.namespaces]]
name = "users"
allow_user_limited_channels = true

[[channel.namespaces]]
name = "words"
allow_subscribe_for_client = true
channel_regex = "^[a-zé]+$"
"""

ANONYMOUS = RULES.replace("[client]", "[client]\nallow_anonymous_connect_without_token = true", 1)
INSECURE = RULES.replace("[client]", "[client]\ninsecure = true", 1)


async def code(peer: Any, **command: Any) -> int:
    """The code of the error it gets; 0 where there is none."""
    reply = await peer.ask(**command)
    return int(reply.get("error", {}).get("code", 0))


async def ada(gateway: Any, signed: Sign, rules: str = RULES, **claims: Any) -> tuple[Any, Any]:
    world = await gateway(rules)
    return world, await world.connected(signed(sub="ada", **claims))


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("anything", 0),
        ("open:1", 0),
        ("members:1", 0),
        ("closed:1", 103),
        ("nowhere:1", 102),
        ("open:é", 107),
        ("words:é", 0),
        ("words:E", 107),
        ("open:" + "x" * 251, 107),
        ("words:" + "é" * 125, 107),  # 255 is in bytes
        ("$anything", 103),
        ("$open:1", 103),
        ("$nowhere:1", 102),
        ("users:1#ada", 0),
        ("users:1#bob,ada", 0),
        ("users:1#bob", 103),
        ("users:1#adam", 103),
        ("users:1#", 103),
        ("users:1", 103),
        ("open:1#ada", 103),  # the namespace does not know such names
    ],
)
async def test_subscribing_follows_name_and_options(
    gateway: Any, signed: Sign, channel: str, expected: int
) -> None:
    _, peer = await ada(gateway, signed)
    assert await code(peer, subscribe={"channel": channel}) == expected


async def test_a_token_opens_what_nothing_else_does(gateway: Any, signed: Sign) -> None:
    world, peer = await ada(gateway, signed)
    for channel in ("$open:1", "closed:1", "$closed:2"):
        token = signed(sub="ada", channel=channel, info={"seat": 7}, data={"welcome": True})
        reply = await peer.ask(subscribe={"channel": channel, "token": token})
        assert reply["subscribe"] == {"data": {"welcome": True}}
    assert world.broker.present["$open:1"][peer.session.client] == (
        b'{"user":"ada","client":"%b","chan_info":{"seat":7}}' % peer.session.client.encode()
    )


async def test_a_bad_token_opens_nothing_that_would_be_open_without(
    gateway: Any, signed: Sign, clock: Any
) -> None:
    now = int(clock.now().timestamp())
    _, peer = await ada(gateway, signed)
    expired = signed(sub="ada", channel="open:1", exp=now - 1)
    over = signed(sub="ada", channel="open:1", exp=now + 9, expire_at=now - 1)
    assert await code(peer, subscribe={"channel": "open:1", "token": "x"}) == 103
    assert await code(peer, subscribe={"channel": "open:1", "token": expired}) == 109
    assert await code(peer, subscribe={"channel": "open:1", "token": over}) == 110


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "bob", "channel": "open:1"},
        {"sub": "ada", "channel": "open:2"},
        {"sub": "ada", "channel": "open:1", "client": "another"},
    ],
)
async def test_somebody_elses_token_ends_the_connection(
    gateway: Any, signed: Sign, claims: dict[str, Any]
) -> None:
    world, peer = await ada(gateway, signed)
    peer.say({"id": 2, "subscribe": {"channel": "open:1", "token": signed(**claims)}})
    await world.rest()
    assert peer.closed == (3500, "invalid token")


async def test_publishing_is_for_those_whom_the_namespace_names(gateway: Any, signed: Sign) -> None:
    _, peer = await ada(gateway, signed)
    assert await code(peer, publish={"channel": "open:1", "data": {"n": 1}}) == 0
    assert await code(peer, publish={"channel": "open:1"}) == 107
    assert await code(peer, publish={"channel": "nowhere:1", "data": 1}) == 102
    assert await code(peer, publish={"channel": "anything", "data": 1}) == 103
    assert await code(peer, publish={"channel": "members:1", "data": 1}) == 103
    await peer.ask(subscribe={"channel": "members:1"})
    assert await code(peer, publish={"channel": "members:1", "data": {"n": 1}}) == 0


async def test_looking_around_is_for_those_whom_the_namespace_names(
    gateway: Any, signed: Sign
) -> None:
    _, peer = await ada(gateway, signed)
    for command in ("presence", "presence_stats", "history"):
        assert await code(peer, **{command: {"channel": "open:1"}}) == 0
        assert await code(peer, **{command: {"channel": "nowhere:1"}}) == 102
        assert await code(peer, **{command: {"channel": "members:1"}}) == 103
    await peer.ask(subscribe={"channel": "members:1"})
    for command in ("presence", "presence_stats", "history"):
        assert await code(peer, **{command: {"channel": "members:1"}}) == 0


async def test_history_pages_are_as_long_as_the_gateway_allows(gateway: Any, signed: Sign) -> None:
    _, peer = await ada(gateway, signed)
    for n in range(4):
        await peer.ask(publish={"channel": "open:1", "data": {"n": n}})
    page = (await peer.ask(history={"channel": "open:1", "limit": -1}))["history"]
    assert [each["offset"] for each in page["publications"]] == [1, 2]
    assert (page["offset"], page["epoch"]) == (4, "ephemera")
    since = {"offset": 2, "epoch": "ephemera"}
    page = (await peer.ask(history={"channel": "open:1", "limit": 9, "since": since}))["history"]
    assert [each["offset"] for each in page["publications"]] == [3, 4]
    newest = {"channel": "open:1", "limit": 1, "reverse": True}
    page = (await peer.ask(history=newest))["history"]
    assert [each["offset"] for each in page["publications"]] == [4]
    assert "publications" not in (await peer.ask(history={"channel": "open:1"}))["history"]
    wrong = {"offset": 2, "epoch": "other"}
    assert await code(peer, history={"channel": "open:1", "limit": 1, "since": wrong}) == 112
    assert await code(peer, history={**newest, "since": {}}) == 107


async def test_nobody_in_particular_needs_the_options_for_it(gateway: Any) -> None:
    world = await gateway(ANONYMOUS)
    peer = world.peer()
    assert "connect" in await peer.ask(connect={})
    assert await code(peer, subscribe={"channel": "open:1"}) == 0
    assert await code(peer, subscribe={"channel": "members:1"}) == 103
    assert await code(peer, subscribe={"channel": "users:#"}) == 103
    assert await code(peer, publish={"channel": "open:1", "data": {"n": 1}}) == 0
    assert await code(peer, presence={"channel": "open:1"}) == 103
    assert await code(peer, history={"channel": "open:1"}) == 103


async def test_insecure_asks_nobody_but_still_verifies_what_is_shown(
    gateway: Any, signed: Sign, clock: Any
) -> None:
    world = await gateway(INSECURE)
    peer = world.peer()
    assert "connect" in await peer.ask(connect={})
    assert await code(peer, subscribe={"channel": "closed:1"}) == 0
    assert await code(peer, publish={"channel": "closed:1", "data": {"n": 1}}) == 0
    assert await code(peer, presence={"channel": "closed:1"}) == 108
    assert await code(peer, history={"channel": "closed:1"}) == 108
    assert await code(peer, subscribe={"channel": "open:1", "token": "x"}) == 103
    late = world.peer()
    reply = await late.ask(connect={"token": signed(exp=int(clock.now().timestamp()) + 9)})
    assert "expires" not in reply["connect"]
    forger = world.peer()
    forger.say({"id": 1, "connect": {"token": "x"}})
    assert forger.closed == (3500, "invalid token")


async def test_without_a_token_nobody_connects(gateway: Any) -> None:
    world = await gateway(RULES)
    peer = world.peer()
    peer.say({"id": 1, "connect": {}})
    assert peer.closed == (3501, "bad request")


async def test_a_connection_has_so_many_channels_and_no_more(gateway: Any, signed: Sign) -> None:
    _, peer = await ada(gateway, signed)
    codes = [await code(peer, subscribe={"channel": f"open:{n}"}) for n in range(7)]
    assert codes == [0] * 6 + [106]


async def test_where_there_are_no_procedures_that_is_what_is_said(
    gateway: Any, signed: Sign
) -> None:
    world, peer = await ada(gateway, signed)
    assert await code(peer, rpc={"method": "anything", "data": {}}) == 108
    assert await code(peer, rpc={"method": "", "data": {}}) == 108
    await peer.ask(subscribe={"channel": "members:1"})
    assert (
        await code(peer, rpc={"method": "ack", "data": {"channel": "members:1", "offset": 1}})
        == 108
    )
    peer.say({"send": {"data": {}}})
    await world.rest()
    assert peer.closed == (3508, "not available")
