"""On which terms one is in a channel: recovery, positions, comings and goings, an end."""

from collections.abc import Callable
from typing import Any

import pytest

from hub.realtime import Grant, Position
from hub.realtime.subscribing import enter
from hub.realtime.wire import SubscribeRequest

Sign = Callable[..., str]

RULES = """
[client.subscribe_to_user_personal_channel]
enabled = true

[channel.without_namespace]
allow_subscribe_for_client = true

[[channel.namespaces]]
name = "forced"
allow_subscribe_for_client = true
history_size = 10
history_ttl = "60s"
force_recovery = true

[[channel.namespaces]]
name = "asked"
allow_subscribe_for_client = true
history_size = 10
history_ttl = "60s"
allow_recovery = true
allow_positioning = true

[[channel.namespaces]]
name = "plain"
allow_subscribe_for_client = true
allow_presence_for_subscriber = true
history_size = 10
history_ttl = "60s"
presence = true
join_leave = true

[[channel.namespaces]]
name = "loud"
allow_subscribe_for_client = true
join_leave = true
force_push_join_leave = true
"""


async def fill(world: Any, channel: str, *numbers: int) -> None:
    for n in numbers:
        await world.broker.publish(world.node.namespaces.of(channel), channel, b'{"n":%d}' % n)
    await world.rest()


async def keep_alive(world: Any, peer: Any, seconds: int) -> None:
    for _ in range(seconds):
        await world.pass_time(1)
        if peer.session._pong_by and peer.closed is None:
            peer.say({})


def pushes(peer: Any, kind: str) -> list[Any]:
    found = (each.get("push", {}) for each in peer.messages)
    return [{"channel": each.get("channel"), **each[kind]} for each in found if kind in each]


@pytest.mark.parametrize(
    ("channel", "wishes", "recoverable", "positioned"),
    [
        ("forced:1", {}, True, True),
        ("asked:1", {}, False, False),
        ("asked:1", {"recoverable": True}, True, True),
        ("asked:1", {"positioned": True}, False, True),
        ("plain:1", {"recoverable": True, "positioned": True}, False, False),
        ("anything", {"recoverable": True, "positioned": True}, False, False),
    ],
)
async def test_recovery_is_forced_or_asked_for_and_allowed(
    gateway: Any,
    signed: Sign,
    channel: str,
    wishes: dict[str, bool],
    recoverable: bool,
    positioned: bool,
) -> None:
    world = await gateway(RULES)
    await fill(world, channel, 1, 2)
    peer = await world.connected(signed(sub="ada"))
    result = (await peer.ask(subscribe={"channel": channel, **wishes}))["subscribe"]
    assert result.get("recoverable", False) is recoverable
    assert result.get("positioned", False) is positioned
    assert ("epoch" in result, result.get("offset", 0)) == (positioned, 2 if positioned else 0)


async def test_a_token_forces_what_the_namespace_does_not(gateway: Any, signed: Sign) -> None:
    world = await gateway(RULES)
    await fill(world, "asked:1", 1)
    peer = await world.connected(signed(sub="ada"))
    override = {"force_recovery": {"value": True}, "presence": {"value": True}}
    token = signed(sub="ada", channel="asked:1", override=override)
    result = (await peer.ask(subscribe={"channel": "asked:1", "token": token}))["subscribe"]
    assert result["recoverable"]
    await world.rest()
    assert peer.session.client in world.broker.present["asked:1"]
    await peer.ask(unsubscribe={"channel": "asked:1"})
    await world.rest()
    assert world.broker.present["asked:1"] == {}


async def test_only_the_positioned_are_told_that_the_stream_is_lost(
    gateway: Any, signed: Sign
) -> None:
    world = await gateway(RULES)
    await fill(world, "asked:1", 1)
    easy, exact = [await world.connected(signed(sub=name)) for name in ("easy", "exact")]
    await easy.ask(subscribe={"channel": "asked:1"})
    await exact.ask(subscribe={"channel": "asked:1", "positioned": True})
    world.broker.wipe()
    world.broker.tops["asked:1"] = Position(5, "another")
    await fill(world, "asked:1", 6)
    await world.rest(0.1)
    lost = {"channel": "asked:1", "code": 2500, "reason": "insufficient state"}
    assert pushes(exact, "unsubscribe") == [lost]
    assert pushes(easy, "unsubscribe") == []
    await fill(world, "asked:1", 7)
    assert easy.received[-1] == 7


async def test_what_was_missed_is_recovered_or_the_client_is_told(
    gateway: Any, signed: Sign
) -> None:
    world = await gateway(RULES)
    await fill(world, "forced:1", 1, 2, 3)
    peer = await world.connected(signed(sub="ada"))
    wish = {"channel": "forced:1", "recover": True, "offset": 1, "epoch": "ephemera"}
    result = (await peer.ask(subscribe=wish))["subscribe"]
    assert result["recovered"]
    assert result["was_recovering"]
    assert result["offset"] == 1
    assert [each["offset"] for each in result["publications"]] == [2, 3]
    await peer.ask(unsubscribe={"channel": "forced:1"})
    other = {**wish, "epoch": "another"}
    result = (await peer.ask(subscribe=other))["subscribe"]
    assert "recovered" not in result
    assert result["was_recovering"]
    assert (result["offset"], result["epoch"]) == (3, "ephemera")
    await peer.ask(unsubscribe={"channel": "forced:1"})
    rejected = await peer.ask(subscribe={**other, "flag": 2})
    assert rejected["error"] == {"code": 112, "message": "unrecoverable position"}
    assert "forced:1" not in peer.session.subscriptions
    # never written, from the beginning: nothing was missed
    fresh = {"channel": "forced:new", "recover": True}
    assert (await peer.ask(subscribe=fresh))["subscribe"]["recovered"]


async def test_more_than_the_limit_is_not_recovered(gateway: Any, signed: Sign) -> None:
    world = await gateway("[client]\nrecovery_max_publication_limit = 3\n" + RULES)
    await fill(world, "forced:1", *range(5))
    peer = await world.connected(signed(sub="ada"))
    for offset, recovered in ((2, True), (1, False)):
        wish = {"channel": "forced:1", "recover": True, "offset": offset, "epoch": "ephemera"}
        result = (await peer.ask(subscribe=wish))["subscribe"]
        assert result.get("recovered", False) is recovered
        await peer.ask(unsubscribe={"channel": "forced:1"})


async def test_comings_and_goings_are_pushed_to_who_asks_or_to_all(
    gateway: Any, signed: Sign
) -> None:
    world = await gateway(RULES)
    ada, bob = [await world.connected(signed(sub=name)) for name in ("ada", "bob")]
    await ada.ask(subscribe={"channel": "plain:1", "join_leave": True})
    await ada.ask(subscribe={"channel": "loud:1"})
    for channel in ("plain:1", "loud:1"):
        await bob.ask(subscribe={"channel": channel})
    await bob.ask(unsubscribe={"channel": "plain:1"})
    await world.rest()
    joined = [(each["channel"], each["info"]["user"]) for each in pushes(ada, "join")]
    assert joined == [("plain:1", "ada"), ("loud:1", "ada"), ("plain:1", "bob"), ("loud:1", "bob")]
    left = [(each["channel"], each["info"]["user"]) for each in pushes(ada, "leave")]
    assert left == [("plain:1", "bob")]
    assert {each["channel"] for each in pushes(bob, "join")} == {"loud:1"}


# An end


async def test_a_subscription_ends_unless_its_token_is_renewed(
    gateway: Any, signed: Sign, clock: Any
) -> None:
    now = int(clock.now().timestamp())
    world = await gateway(RULES)
    peer = await world.connected(signed(sub="ada"))
    token = signed(sub="ada", channel="$plain:1", exp=now + 10)
    result = (await peer.ask(subscribe={"channel": "$plain:1", "token": token}))["subscribe"]
    assert (result["expires"], result["ttl"]) == (True, 10)
    await keep_alive(world, peer, 30)
    token = signed(sub="ada", channel="$plain:1", exp=now + 60)
    reply = await peer.ask(sub_refresh={"channel": "$plain:1", "token": token})
    assert reply["sub_refresh"] == {"expires": True, "ttl": 30}
    await keep_alive(world, peer, 50)
    assert pushes(peer, "unsubscribe") == []
    await keep_alive(world, peer, 8)
    ended = {"channel": "$plain:1", "code": 2501, "reason": "subscription expired"}
    assert pushes(peer, "unsubscribe") == [ended]
    assert peer.closed is None
    assert "$plain:1" not in peer.session.subscriptions
    await keep_alive(world, peer, 60)
    assert peer.closed is None


async def test_renewing_is_for_the_clients_own_subscriptions(
    gateway: Any, signed: Sign, clock: Any
) -> None:
    now = int(clock.now().timestamp())
    world = await gateway(RULES)
    peer = await world.connected(signed(sub="ada", channels=["forced:9"]))
    await peer.ask(subscribe={"channel": "anything"})

    async def renew(**request: str) -> Any:
        return await peer.ask(sub_refresh=request)

    good = signed(sub="ada", channel="anything")
    late = signed(sub="ada", channel="anything", exp=now - 1)
    assert (await renew(channel="anything", token=good))["sub_refresh"] == {}
    assert (await renew(channel="other", token=good))["error"]["code"] == 103
    assert (await renew(channel="anything"))["error"]["code"] == 107
    assert (await renew(channel="anything", token="x"))["error"]["code"] == 103
    assert (await renew(channel="anything", token=late))["error"]["code"] == 109
    peer.say({"id": 99, "sub_refresh": {"channel": "forced:9", "token": good}})
    assert peer.closed == (3501, "bad request")
    other = await world.connected(signed(sub="ada"))
    await other.ask(subscribe={"channel": "anything"})
    token = signed(sub="bob", channel="anything")
    other.say({"id": 99, "sub_refresh": {"channel": "anything", "token": token}})
    assert other.closed == (3500, "invalid token")


async def test_a_connection_ends_some_time_after_its_token(
    gateway: Any, signed: Sign, clock: Any
) -> None:
    now = int(clock.now().timestamp())
    world = await gateway(RULES)
    peer = world.peer()
    reply = await peer.ask(connect={"token": signed(sub="ada", exp=now + 10)})
    assert (reply["connect"]["expires"], reply["connect"]["ttl"]) == (True, 10)
    reply = await peer.ask(refresh={"token": signed(sub="ada", exp=now + 20)})
    assert (reply["refresh"]["expires"], reply["refresh"]["ttl"]) == (True, 20)
    await keep_alive(world, peer, 44)
    assert peer.closed is None
    await keep_alive(world, peer, 3)
    assert peer.closed == (3005, "connection expired")


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"sub": "bob"}, 3500),
        ({"sub": "ada", "exp": 1}, 3005),
        ({"sub": "ada", "channel": "a"}, 3500),
        ({"sub": "ada", "channels": ["forced:1"]}, 3010),
    ],
)
async def test_a_refresh_that_does_not_fit_ends_the_connection(
    gateway: Any, signed: Sign, claims: dict[str, Any], code: int
) -> None:
    world = await gateway(RULES)
    peer = await world.connected(signed(sub="ada"))
    peer.say({"id": 9, "refresh": {"token": signed(**claims)}})
    assert peer.closed is not None
    assert peer.closed[0] == code


async def test_a_token_that_opens_no_time_at_all_is_expired(
    gateway: Any, signed: Sign, clock: Any
) -> None:
    now = int(clock.now().timestamp())
    world = await gateway(RULES)
    reply = await world.peer().ask(connect={"token": signed(exp=now + 9, expire_at=now - 9)})
    assert reply["error"] == {"code": 110, "message": "expired"}
    reply = await world.peer().ask(connect={"token": signed(exp=now - 9)})
    assert reply["error"]["code"] == 109
    reply = await world.peer().ask(connect={"token": signed(nbf=now + 9)})
    assert reply["error"]["code"] == 109


async def test_pings_can_be_slower_or_left_out(gateway: Any, signed: Sign) -> None:
    world = await gateway("[client]\nping_interval = 0")
    peer = world.peer()
    result = (await peer.ask(connect={"token": signed()}))["connect"]
    assert ("ping" in result, "pong" in result) == (False, False)
    await world.pass_time(120)
    assert (peer.pings, peer.closed) == (0, None)
    world = await gateway("[client]\nping_interval = '50s'\npong_timeout = 0")
    peer = world.peer()
    result = (await peer.ask(connect={"token": signed()}))["connect"]
    assert (result["ping"], "pong" in result) == (50, False)
    await world.pass_time(200)
    assert peer.pings >= 3
    assert peer.closed is None


async def test_a_subscription_of_the_servers_that_ends_takes_the_connection_along(
    gateway: Any, signed: Sign, clock: Any
) -> None:
    world = await gateway(RULES)
    peer = await world.connected(signed(sub="ada"))
    grant = Grant(expires_at=int(clock.now().timestamp()) + 5)
    arrival = await enter(peer.session, "forced:1", SubscribeRequest(), grant, server_side=True)
    assert arrival.settle(peer.session).expires
    arrival.join(peer.session)
    await keep_alive(world, peer, 29)
    assert peer.closed is None
    await keep_alive(world, peer, 3)
    assert peer.closed == (3006, "subscription expired")
