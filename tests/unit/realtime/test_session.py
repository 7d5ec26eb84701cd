"""Promises of a session: order, pings, acknowledgement, deadlines."""

import asyncio
from typing import Any

PERSONAL = "personal:#ada"


async def test_connecting_subscribes_the_person_to_their_own_channel(world: Any) -> None:
    peer = world.peer()
    reply = await peer.ask(connect={"token": "ada"})
    result = reply["connect"]
    assert result["subs"] == {PERSONAL: {"recoverable": True, "positioned": True}}
    assert (result["ping"], result["pong"]) == (25, True)
    assert "expires" not in result
    assert len(world.node.sessions) == 1


async def test_a_token_with_an_end_tells_how_long_it_lasts_and_ends_the_session(
    world: Any,
) -> None:
    now = int(world.clock.now().timestamp())
    peer = world.peer()
    reply = await peer.ask(connect={"token": f"ada/{now + 60}"})
    assert (reply["connect"]["expires"], reply["connect"]["ttl"]) == (True, 60)
    for _ in range(84):
        await world.pass_time(1)
        if peer.session._pong_by:
            peer.say({})
    assert peer.closed is None
    await world.pass_time(2)
    assert peer.closed == (3005, "connection expired")


async def test_a_refresh_moves_the_end(world: Any) -> None:
    now = int(world.clock.now().timestamp())
    peer = await world.connected(f"ada/{now + 10}")
    reply = await peer.ask(refresh={"token": f"ada/{now + 100}"})
    assert reply["refresh"]["ttl"] == 100
    for _ in range(50):
        await world.pass_time(1)
        if peer.session._pong_by:
            peer.say({})
    assert peer.closed is None


async def test_a_ping_goes_out_within_the_interval_and_its_pong_is_the_only_one(
    world: Any,
) -> None:
    peer = await world.connected()
    seconds = 0
    while not peer.pings:
        await world.pass_time(1)
        seconds += 1
    assert 12 <= seconds <= 26
    peer.say({})
    assert peer.closed is None
    peer.say({})
    assert peer.closed == (3501, "bad request")


async def test_silence_after_a_ping_ends_the_session(world: Any) -> None:
    peer = await world.connected()
    await world.pass_time(25)
    await world.pass_time(9)
    assert peer.closed == (3012, "no pong")


async def test_an_event_that_must_reach_is_pinged_at_once_and_the_pong_means_delivered(
    world: Any,
) -> None:
    peer = await world.connected()
    await world.append(PERSONAL, 1)
    assert peer.pings == 0
    await world.append(PERSONAL, 2, kind="rang")
    assert peer.pings == 1
    assert world.acks.up_to == []
    peer.say({})
    await world.rest()
    assert world.acks.up_to == [("delivered", PERSONAL, 2)]


async def test_a_pong_covers_only_what_was_written_before_its_ping(world: Any) -> None:
    peer = await world.connected()
    await world.append(PERSONAL, 1, kind="rang")
    await world.append(PERSONAL, 2, kind="rang")  # while a ping is outstanding
    assert peer.pings == 1
    peer.say({})
    await world.rest()
    assert world.acks.up_to == [("delivered", PERSONAL, 1)]
    assert peer.pings == 2  # and the next one is asked for at once
    peer.say({})
    await world.rest()
    assert world.acks.up_to[-1] == ("delivered", PERSONAL, 2)


async def test_events_recovered_at_connect_are_acknowledged_too(world: Any) -> None:
    await world.append(PERSONAL, 1, 2)
    await world.append(PERSONAL, 3, kind="rang")
    subs = {PERSONAL: {"recover": True, "offset": 1, "epoch": "epoch-one"}}
    peer = await world.connected(subs=subs)
    assert peer.received == [2, 3]
    assert ("delivered", PERSONAL, 1) in world.acks.up_to  # it resumed after 1, so it has 1
    peer.say({})
    await world.rest()
    assert world.acks.up_to[-1] == ("delivered", PERSONAL, 3)


async def test_commands_take_effect_in_their_order_while_one_waits(world: Any) -> None:
    peer = await world.connected()
    peer.number = 1
    peer.say(
        {"id": 2, "subscribe": {"channel": "offering:x"}},
        {"id": 3, "unsubscribe": {"channel": "offering:x"}},
        {"id": 4, "subscribe": {"channel": "offering:x"}},
        {"id": 5, "subscribe": {"channel": "offering:x"}},
    )
    await world.rest()
    replies = [each for each in peer.messages if each.get("id", 0) > 1]
    assert [each["id"] for each in replies] == [2, 3, 4, 5]
    assert replies[-1]["error"]["code"] == 105


async def test_a_client_that_floods_is_read_no_further_until_it_is_served(world: Any) -> None:
    peer = await world.connected()
    flood = [{"id": n, "subscribe": {"channel": f"offering:{n}"}} for n in range(2, 400)]
    peer.say(*flood)
    assert peer.held == [True]
    await world.rest(0.3)
    assert peer.held == [True, False]
    replies = [each for each in peer.messages if each.get("id", 0) > 1]
    assert [each["id"] for each in replies] == list(range(2, 400))
    assert sum("error" in each for each in replies) == 398 - 128


async def test_a_session_that_leaves_while_it_subscribes_leaves_nothing(world: Any) -> None:
    peer = await world.connected()
    peer.say({"id": 2, "subscribe": {"channel": "offering:x"}})
    peer.session.lost()
    await world.rest()
    assert world.node.channel_count == 0
    assert all(each[0] == "\0" for each in world.broker.subscribed)  # what nodes say to it
    assert world.broker.present[PERSONAL] == {}


async def test_a_broker_that_is_down_is_a_temporary_error_and_not_the_end(world: Any) -> None:
    peer = await world.connected()
    world.broker.down = True
    reply = await peer.ask(subscribe={"channel": "offering:x"})
    assert reply["error"] == {"code": 100, "message": "internal server error", "temporary": True}
    world.broker.down = False
    assert "subscribe" in await peer.ask(subscribe={"channel": "offering:x"})


async def test_after_a_refused_connect_the_connection_is_good_for_nothing(world: Any) -> None:
    peer = world.peer()
    reply = await peer.ask(connect={"token": "expired"})
    assert reply["error"]["code"] == 109
    assert peer.closed is None
    peer.say({"id": 2, "connect": {"token": "ada"}})
    assert peer.closed == (3501, "bad request")


async def test_a_forged_token_is_turned_away_for_good(world: Any) -> None:
    peer = world.peer()
    peer.say({"id": 1, "connect": {"token": "forged"}})
    assert peer.closed == (3500, "invalid token")


async def test_whoever_never_connects_is_stale_after_ten_seconds(world: Any) -> None:
    peer = world.peer()
    await world.pass_time(9)
    assert peer.closed is None
    await world.pass_time(2)
    assert peer.closed == (3502, "stale")


async def test_stopping_the_node_asks_everyone_to_come_back(world: Any) -> None:
    peers = [await world.connected(f"user-{n}") for n in range(3)]
    world.node.close_sessions()
    assert {peer.closed for peer in peers} == {(3001, "shutdown")}
    late = world.peer()
    assert late.closed == (3001, "shutdown")
    await asyncio.sleep(0)


async def test_members_only_means_members_only(world: Any) -> None:
    ada, bob = await world.connected("ada"), await world.connected("bob")
    assert "subscribe" in await ada.ask(subscribe={"channel": "club:1"})
    assert (await bob.ask(subscribe={"channel": "club:1"}))["error"]["code"] == 103
    assert (await bob.ask(subscribe={"channel": PERSONAL}))["error"]["code"] == 103
    assert (await ada.ask(subscribe={"channel": PERSONAL}))["error"]["code"] == 105
    assert (await ada.ask(unsubscribe={"channel": PERSONAL}))["error"]["code"] == 103


async def test_a_cached_channel_gives_the_newest_value_to_who_asks(world: Any) -> None:
    market = world.node.namespaces.of("market:KES-NGN")
    for n in range(3):
        await world.broker.publish(market, "market:KES-NGN", b'{"n":%d}' % n)
    peer = await world.connected()
    reply = await peer.ask(subscribe={"channel": "market:KES-NGN", "recover": True})
    assert reply["subscribe"]["recovered"]
    assert [each["data"]["n"] for each in reply["subscribe"]["publications"]] == [2]
    await world.broker.publish(market, "market:KES-NGN", b'{"n":3}')
    await world.rest()
    assert peer.received == [2, 3]


async def test_presence_and_typing_are_for_subscribers(world: Any) -> None:
    ada, bob = await world.connected("ada"), await world.connected("bob")
    assert (await bob.ask(presence={"channel": "room:1"}))["error"]["code"] == 103
    await ada.ask(subscribe={"channel": "room:1", "join_leave": True})
    await bob.ask(subscribe={"channel": "room:1"})
    await world.rest()
    present = (await ada.ask(presence={"channel": "room:1"}))["presence"]["presence"]
    assert {each["user"] for each in present.values()} == {"ada", "bob"}
    stats = await ada.ask(presence_stats={"channel": "room:1"})
    assert stats["presence_stats"] == {"num_clients": 2, "num_users": 2}
    await bob.ask(rpc={"method": "typing", "data": {"channel": "room:1"}})
    pushes = [each["push"] for each in ada.messages if "push" in each]
    assert [each["join"]["info"]["user"] for each in pushes if "join" in each] == ["ada", "bob"]
    assert pushes[-1]["pub"] == {
        "data": {"event": "typing", "user": "bob"},
        "info": {"user": "bob", "client": bob.session.client},
    }
    bob.session.lost()
    await world.rest()
    assert ada.messages[-1]["push"]["leave"]["info"]["user"] == "bob"
