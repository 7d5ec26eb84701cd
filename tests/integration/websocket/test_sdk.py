"""What an unchanged SDK sees: the official Python client against a real server, in JSON and in
Protobuf, where payloads are the same JSON as bytes."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest
from centrifuge import (
    CentrifugeError,
    Client,
    ClientEventHandler,
    ClientState,
    SubscriptionEventHandler,
    SubscriptionState,
)


def rang(n: int) -> dict[str, Any]:
    """An event that must reach its person."""
    return {"event": "test.rang", "n": n}


def ticked(n: int) -> dict[str, Any]:
    """An event that need not."""
    return {"event": "test.ticked", "n": n}


class Seen(ClientEventHandler):
    """Remembers what the client told the application."""

    def __init__(self) -> None:
        self.publications: list[Any] = []
        self.subscribed: list[Any] = []
        self.disconnects: list[tuple[int, str]] = []
        self.connecting: list[tuple[int, str]] = []
        self.connected = 0
        self.errors: list[Any] = []

    async def on_connected(self, ctx: Any) -> None:
        self.connected += 1

    async def on_connecting(self, ctx: Any) -> None:
        self.connecting.append((ctx.code, ctx.reason))

    async def on_disconnected(self, ctx: Any) -> None:
        self.disconnects.append((ctx.code, ctx.reason))

    async def on_subscribed(self, ctx: Any) -> None:
        self.subscribed.append(ctx)

    async def on_publication(self, ctx: Any) -> None:
        self.publications.append(ctx.pub.data["n"])

    async def on_error(self, ctx: Any) -> None:
        self.errors.append(ctx)


class SeenInChannel(SubscriptionEventHandler):
    def __init__(self) -> None:
        self.publications: list[Any] = []
        self.subscribed: list[Any] = []
        self.unsubscribed: list[int] = []
        self.joined: list[str] = []
        self.left: list[str] = []

    async def on_subscribed(self, ctx: Any) -> None:
        self.subscribed.append(ctx)

    async def on_unsubscribed(self, ctx: Any) -> None:
        self.unsubscribed.append(ctx.code)

    async def on_publication(self, ctx: Any) -> None:
        self.publications.append(ctx.pub.data)

    async def on_join(self, ctx: Any) -> None:
        self.joined.append(ctx.info.user)

    async def on_leave(self, ctx: Any) -> None:
        self.left.append(ctx.info.user)


class Speaking(Client):
    """The tests give and take JSON values; over Protobuf an application encodes them itself."""

    def _encode_data(self, data: Any) -> Any:
        return super()._encode_data(json.dumps(data).encode() if self._use_protobuf else data)

    def _decode_data(self, data: Any) -> Any:
        found = super()._decode_data(data)
        return json.loads(found) if self._use_protobuf and found is not None else found


SPEAKS = {"use_protobuf": False}


@pytest.fixture(params=[False, True], ids=["json", "protobuf"], autouse=True)
def encoding(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SPEAKS, "use_protobuf", request.param)


def client_of(hub: Any, token: str, **more: Any) -> tuple[Client, Seen]:
    seen = Seen()
    return Speaking(hub.url, events=seen, token=token, proxy=None, **SPEAKS, **more), seen


async def drop(client: Client) -> None:
    """The connection breaks without a goodbye."""
    client._conn.transport.abort()


async def test_a_person_gets_the_events_of_their_personal_channel(
    hub: Any, person: UUID, until: Any
) -> None:
    client, seen = client_of(hub, str(person))
    await client.connect()
    await until(lambda: seen.subscribed)
    await hub.append(f"personal:#{person}", *map(ticked, range(3)))
    await until(lambda: len(seen.publications) == 3)
    assert seen.publications == [0, 1, 2]
    assert seen.subscribed[0].recoverable
    await client.disconnect()


async def test_a_dropped_connection_resumes_without_loss_or_repeat(
    hub: Any, person: UUID, until: Any
) -> None:
    client, seen = client_of(hub, str(person))
    await client.connect()
    await until(lambda: seen.subscribed)
    await hub.append(f"personal:#{person}", ticked(1))
    await until(lambda: seen.publications == [1])
    await drop(client)
    await hub.append(f"personal:#{person}", ticked(2), ticked(3))
    await until(lambda: len(seen.publications) == 3)
    await hub.append(f"personal:#{person}", ticked(4))
    await until(lambda: len(seen.publications) == 4)
    assert seen.publications == [1, 2, 3, 4]
    assert seen.subscribed[-1].recovered
    await client.disconnect()


async def test_a_wiped_redis_loses_nothing(hub: Any, person: UUID, redis: Any, until: Any) -> None:
    channel = f"personal:#{person}"
    client, seen = client_of(hub, str(person))
    await client.connect()
    await until(lambda: seen.subscribed)
    await hub.append(channel, ticked(1))
    await until(lambda: seen.publications == [1])
    await drop(client)
    await hub.append(channel, ticked(2))
    await redis.flushall()
    await hub.append(channel, ticked(3))
    await until(lambda: len(seen.publications) == 3)
    await redis.flushall()
    await hub.append(channel, ticked(4))
    await until(lambda: len(seen.publications) == 4)
    assert seen.publications == [1, 2, 3, 4]
    await client.disconnect()


async def test_a_message_lost_on_the_way_is_filled_in_before_the_next(
    hub: Any, person: UUID, until: Any
) -> None:
    channel = f"personal:#{person}"
    client, seen = client_of(hub, str(person))
    await client.connect()
    await until(lambda: seen.subscribed)
    await hub.append(channel, ticked(1))
    await hub.append(channel, ticked(2), tell_redis=False)
    await hub.append(channel, ticked(3))
    await until(lambda: len(seen.publications) == 3)
    assert seen.publications == [1, 2, 3]
    await client.disconnect()


async def test_a_broken_subscription_to_redis_heals_and_fills_the_gap(
    hub: Any, person: UUID, redis: Any, until: Any
) -> None:
    channel = f"personal:#{person}"
    client, seen = client_of(hub, str(person))
    await client.connect()
    await until(lambda: seen.subscribed)
    await hub.append(channel, ticked(1))
    await until(lambda: seen.publications == [1])
    await redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    await hub.append(channel, ticked(2))
    await until(lambda: len(seen.publications) == 2)
    await until(lambda: hub.node.tally.reconnects == 1)
    await hub.append(channel, ticked(3))
    await until(lambda: len(seen.publications) == 3)
    assert seen.publications == [1, 2, 3]
    await client.disconnect()


async def test_too_long_an_absence_is_said_and_history_pages_the_rest(
    hub: Any, person: UUID, redis: Any, until: Any
) -> None:
    channel = f"personal:#{person}"
    client, seen = client_of(hub, str(person))
    await client.connect()
    await until(lambda: seen.subscribed)
    await hub.append(channel, ticked(0))
    await until(lambda: seen.publications == [0])
    await hub.append(channel, *map(ticked, range(1, 2_101)), tell_redis=False)
    await redis.flushall()
    await drop(client)
    await until(lambda: len(seen.subscribed) == 2)
    assert not seen.subscribed[-1].recovered
    assert seen.subscribed[-1].was_recovering
    page = await client.rpc("sync", {"after": 1, "limit": 300})
    assert [each["data"]["n"] for each in page.data["publications"]] == list(range(1, 301))
    assert page.data["offset"] == 2_101
    await client.disconnect()


async def test_an_unchanged_sdk_acknowledges_by_its_pong(
    hub: Any, person: UUID, until: Any
) -> None:
    channel = f"personal:#{person}"
    client, seen = client_of(hub, f"{person}/phone-1")
    await client.connect()
    await until(lambda: seen.subscribed)
    await hub.append(channel, ticked(1))
    await until(lambda: seen.publications == [1])
    await asyncio.sleep(0.05)
    assert hub.acks.delivered_up_to == []
    await hub.append(channel, rang(2), rang(3))
    await until(lambda: hub.acks.delivered_up_to)
    assert hub.acks.delivered_up_to[-1] == (str(person), "phone-1", channel, 3)
    await client.disconnect()


async def test_what_arrives_by_recovery_is_acknowledged_too(
    hub: Any, person: UUID, until: Any
) -> None:
    channel = f"personal:#{person}"
    client, seen = client_of(hub, str(person))
    await client.connect()
    await until(lambda: seen.subscribed)
    await hub.append(channel, ticked(1))
    await until(lambda: seen.publications == [1])
    await drop(client)
    await hub.append(channel, rang(2))
    await until(lambda: (str(person), None, channel, 2) in hub.acks.delivered_up_to)
    await client.disconnect()


async def test_explicit_acknowledgements_reach_the_hub(hub: Any, person: UUID, until: Any) -> None:
    channel = f"personal:#{person}"
    client, seen = client_of(hub, str(person))
    await client.connect()
    await until(lambda: seen.subscribed)
    await hub.append(channel, ticked(1))
    await until(lambda: seen.publications)
    await client.rpc("ack", {"offset": 1})
    await client.rpc("seen", {"offset": 99})
    assert hub.acks.delivered_up_to == [(str(person), None, channel, 1)]
    assert hub.acks.seen_up_to == [(str(person), None, channel, 1)]
    await client.disconnect()


async def test_only_members_enter_a_conversation(hub: Any, person: UUID, until: Any) -> None:
    client, _ = client_of(hub, str(person))
    await client.connect()
    events = SeenInChannel()
    ours = client.new_subscription(f"conversation:{person}")
    theirs = client.new_subscription("conversation:somebody-else", events)
    staff = client.new_subscription("ops:payments")
    foreign = client.new_subscription("personal:#somebody-else")
    for each in (ours, theirs, staff, foreign):
        await each.subscribe()
    await ours.ready()
    await until(lambda: events.unsubscribed)
    assert events.unsubscribed == [103]
    await until(lambda: staff.state == SubscriptionState.UNSUBSCRIBED)
    await until(lambda: foreign.state == SubscriptionState.UNSUBSCRIBED)
    await client.disconnect()


async def test_those_who_share_a_conversation_see_each_other(
    hub: Any, person: UUID, until: Any
) -> None:
    channel = f"conversation:{person}-{person.hex}"
    first, _ = client_of(hub, str(person))
    second, _ = client_of(hub, person.hex)
    events = SeenInChannel()
    await first.connect()
    await second.connect()
    ours = first.new_subscription(channel, events, join_leave=True)
    await ours.subscribe()
    await ours.ready()
    theirs = second.new_subscription(channel)
    await theirs.subscribe()
    await theirs.ready()
    await until(lambda: person.hex in events.joined)
    present = await ours.presence()
    assert {each.user for each in present.clients.values()} == {str(person), person.hex}
    assert {each.conn_info["name"] for each in present.clients.values()} == {
        str(person),
        person.hex,
    }
    stats = await ours.presence_stats()
    assert (stats.num_clients, stats.num_users) == (2, 2)
    await second.rpc("typing", {"channel": channel})
    await until(lambda: events.publications)
    assert events.publications == [{"event": "typing", "user": person.hex}]
    await second.disconnect()
    await until(lambda: events.left == [person.hex])
    assert len((await ours.presence()).clients) == 1
    await first.disconnect()


async def test_a_watcher_of_an_offering_recovers_from_where_it_says(
    hub: Any, person: UUID, redis: Any, until: Any
) -> None:
    await hub.append("offering:shop", *map(ticked, range(5)))
    await redis.flushall()
    client, _ = client_of(hub, str(person))
    await client.connect()
    events = SeenInChannel()
    watching = client.new_subscription("offering:shop", events, recoverable=True)
    await watching.subscribe()
    await watching.ready()
    page = await watching.history(limit=2)
    assert [each.data["n"] for each in page.publications] == [0, 1]
    assert page.offset == 5
    await drop(client)
    await hub.append("offering:shop", ticked(5), tell_redis=False)
    await hub.append("offering:shop", ticked(6))
    await until(lambda: len(events.publications) == 2)
    assert [each["n"] for each in events.publications] == [5, 6]
    await client.disconnect()


async def test_clients_publish_only_where_that_is_allowed(
    hub: Any, person: UUID, until: Any
) -> None:
    client, _ = client_of(hub, str(person))
    await client.connect()
    events = SeenInChannel()
    chat = client.new_subscription("chat:room", events)
    await chat.subscribe()
    await chat.ready()
    await chat.publish({"hello": "there"})
    await until(lambda: events.publications)
    assert events.publications == [{"hello": "there"}]
    offering = client.new_subscription("offering:x")
    await offering.subscribe()
    await offering.ready()
    with pytest.raises(CentrifugeError, match="permission denied"):
        await offering.publish({"raised": 1})
    await client.disconnect()


async def test_rpc_of_the_product_is_called_by_its_name(hub: Any, person: UUID) -> None:
    client, _ = client_of(hub, str(person))
    await client.connect()
    answer = await client.rpc("echo", {"a": [1, "b"]})
    assert answer.data == {"user": str(person), "sent": {"a": [1, "b"]}}
    with pytest.raises(CentrifugeError, match="method not found"):
        await client.rpc("nothing", {})
    await client.disconnect()


async def test_an_expired_token_is_replaced_and_a_forged_one_ends_it(
    hub: Any, person: UUID, until: Any
) -> None:
    async def fresh() -> str:
        return str(person)

    client, seen = client_of(hub, "expired", get_token=fresh)
    await client.connect()
    await until(lambda: seen.connected)
    await client.disconnect()
    forger, seen_by_forger = client_of(hub, "forged")
    await forger.connect()
    await until(lambda: seen_by_forger.disconnects)
    assert seen_by_forger.disconnects == [(3500, "invalid token")]
    assert forger.state is ClientState.DISCONNECTED


async def test_a_token_is_refreshed_before_it_ends(hub: Any, person: UUID, until: Any) -> None:
    asked = []

    async def fresh() -> str:
        asked.append(1)
        return f"{person}~100"

    client, seen = client_of(hub, f"{person}~1", get_token=fresh)
    await client.connect()
    await until(lambda: asked)
    await asyncio.sleep(0.05)
    assert client.state is ClientState.CONNECTED
    assert seen.connected == 1
    await client.disconnect()


async def test_many_subscriptions_come_back_together_after_a_drop(
    hub: Any, person: UUID, until: Any
) -> None:
    client, _ = client_of(hub, str(person))
    await client.connect()
    events = SeenInChannel()
    watched = [client.new_subscription(f"offering:{n}", events) for n in range(100)]
    for each in watched:
        await each.subscribe()
    await until(lambda: len(events.subscribed) == 100)
    await hub.append("offering:7", ticked(1))
    await until(lambda: events.publications)
    await drop(client)
    await hub.append("offering:8", ticked(2))
    await until(lambda: len(events.subscribed) == 200)
    assert all(each.recovered for each in events.subscribed[100:])
    assert [each["n"] for each in events.publications] == [1, 2]
    await client.disconnect()
