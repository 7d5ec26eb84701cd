"""A service that is not this product uses the gateway through the official Python client."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from centrifuge import (
    CentrifugeError,
    Client,
    ClientEventHandler,
    ClientState,
    SubscriptionEventHandler,
    SubscriptionState,
)
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from hub.redis_client import RedisClient

Sign = Callable[..., str]

RULES = """
[client]
allow_anonymous_connect_without_token = true
allowed_origins = ["https://app.example"]

[client.token]
hmac_secret_key = "a secret that is long enough for everybody"

[client.subscribe_to_user_personal_channel]
enabled = true

[channel.without_namespace]
allow_subscribe_for_client = true
allow_publish_for_subscriber = true
history_size = 10
history_ttl = "60s"
force_recovery = true

[[channel.namespaces]]
name = "chat"
allow_subscribe_for_client = true
allow_subscribe_for_anonymous = true
allow_publish_for_client = true
allow_presence_for_subscriber = true
allow_history_for_client = true
history_size = 100
history_ttl = "300s"
force_recovery = true
presence = true
join_leave = true
force_push_join_leave = true
"""


class Seen(ClientEventHandler):
    def __init__(self) -> None:
        self.subscribed: list[Any] = []
        self.publications: list[Any] = []
        self.disconnects: list[int] = []
        self.connecting: list[int] = []

    async def on_subscribed(self, ctx: Any) -> None:
        self.subscribed.append(ctx)

    async def on_publication(self, ctx: Any) -> None:
        self.publications.append(ctx.pub.data)

    async def on_connecting(self, ctx: Any) -> None:
        self.connecting.append(ctx.code)

    async def on_disconnected(self, ctx: Any) -> None:
        self.disconnects.append(ctx.code)


class SeenInChannel(SubscriptionEventHandler):
    def __init__(self) -> None:
        self.subscribed: list[Any] = []
        self.unsubscribed: list[int] = []
        self.publications: list[Any] = []
        self.joined: list[str] = []

    async def on_subscribed(self, ctx: Any) -> None:
        self.subscribed.append(ctx)

    async def on_unsubscribed(self, ctx: Any) -> None:
        self.unsubscribed.append(ctx.code)

    async def on_publication(self, ctx: Any) -> None:
        self.publications.append(ctx.pub)

    async def on_join(self, ctx: Any) -> None:
        self.joined.append(ctx.info.user)


def client_of(gateway: Any, token: str = "", **more: Any) -> tuple[Client, Seen]:
    seen = Seen()
    return Client(gateway.url, events=seen, token=token, proxy=None, **more), seen


async def drop(client: Client) -> None:
    """The connection breaks without a goodbye."""
    client._conn.transport.abort()


@pytest.mark.parametrize("protobuf", [False, True], ids=["json", "protobuf"])
async def test_two_people_talk_and_one_of_them_comes_back(
    start: Any, redis: RedisClient, signed: Sign, until: Any, protobuf: bool
) -> None:
    def payload(n: int) -> Any:
        return b'{"n": %d}' % n if protobuf else {"n": n}

    async with start(RULES) as gateway:
        token = signed(sub="ada", info={"name": "Ada"}, channels=["chat:all"])
        ada, seen = client_of(gateway, token, use_protobuf=protobuf)
        bob, _ = client_of(gateway, signed(sub="bob"), use_protobuf=protobuf)
        await ada.connect()
        await bob.connect()
        await until(lambda: len(seen.subscribed) == 2)
        assert {each.channel for each in seen.subscribed} == {"#ada", "chat:all"}
        events = SeenInChannel()
        talk = bob.new_subscription("chat:1", events)
        await talk.subscribe()
        await talk.ready()
        other = ada.new_subscription("chat:1")
        await other.subscribe()
        await other.ready()
        await other.publish(payload(1))
        await until(lambda: events.publications)
        info = events.publications[0].info
        assert info.user == "ada"
        assert info.conn_info == (b'{"name":"Ada"}' if protobuf else {"name": "Ada"})
        await until(lambda: "ada" in events.joined)
        present = await talk.presence()
        assert {each.user for each in present.clients.values()} == {"ada", "bob"}
        await drop(bob)
        await other.publish(payload(2))
        await until(lambda: len(events.publications) == 2)
        assert events.subscribed[-1].recovered
        page = await talk.history(limit=10)
        assert [each.offset for each in page.publications] == [1, 2]
        with pytest.raises(CentrifugeError, match="not available"):
            await ada.rpc("anything", payload(0))
        await ada.disconnect()
        await bob.disconnect()


async def test_tokens_open_private_channels_and_are_renewed(
    start: Any, redis: RedisClient, signed: Sign, until: Any
) -> None:
    asked: list[str] = []

    async def token_for(channel: str) -> str:
        asked.append(channel)
        return signed(sub="ada", channel=channel, exp=2 if len(asked) == 1 else 60)

    async def fresh() -> str:
        asked.append("connection")
        return signed(sub="ada", exp=60)

    async with start(RULES) as gateway:
        client, seen = client_of(gateway, signed(sub="ada", exp=2), get_token=fresh)
        await client.connect()
        events = SeenInChannel()
        private = client.new_subscription("$chat:1", events, get_token=token_for)
        await private.subscribe()
        await private.ready()
        await until(lambda: len(asked) == 3)
        assert sorted(asked) == ["$chat:1", "$chat:1", "connection"]
        closed = client.new_subscription("$chat:2", SeenInChannel())
        await closed.subscribe()
        await until(lambda: closed.state is SubscriptionState.UNSUBSCRIBED)
        assert client.state is ClientState.CONNECTED
        assert events.unsubscribed == []
        assert seen.connecting == [0]
        await client.disconnect()


async def test_who_may_not_in_is_told_why(
    start: Any, redis: RedisClient, signed: Sign, until: Any
) -> None:
    async with start(RULES) as gateway:
        forger, seen = client_of(gateway, "forged")
        await forger.connect()
        await until(lambda: seen.disconnects == [3500])
        guest, _ = client_of(gateway)
        await guest.connect()
        events = SeenInChannel()
        for channel in ("chat:1", "members-only", "nowhere:1"):
            await guest.new_subscription(channel, events).subscribe()
        await until(lambda: len(events.unsubscribed) == 2)
        assert sorted(events.unsubscribed) == [102, 103]
        assert guest.get_subscription("chat:1").state is SubscriptionState.SUBSCRIBED
        await guest.disconnect()
        with pytest.raises(InvalidStatus):
            await connect(gateway.url, proxy=None, origin="https://evil.example")
        async with connect(gateway.url, proxy=None, origin="https://app.example"):
            pass


async def test_it_brings_its_own_valkey_and_takes_it_along(
    start_alone: Any, signed: Sign, until: Any, tmp_path: Any
) -> None:
    async with start_alone(RULES) as gateway:
        client, seen = client_of(gateway, signed(sub="ada"))
        await client.connect()
        events = SeenInChannel()
        room = client.new_subscription("room", events)
        await room.subscribe()
        await room.ready()
        await room.publish({"n": 1})
        await until(lambda: events.publications)
        async with httpx.AsyncClient() as http:
            metrics = (await http.get(f"{gateway.http}/metrics")).text
        assert "hub_realtime_connections 1.0" in metrics
        pid = int((tmp_path / "data" / "gateway" / "valkey.pid").read_text())
        gateway.process.send_signal(signal.SIGTERM)
        await until(lambda: 3001 in seen.connecting)
        await gateway.process.wait()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        await client.disconnect()


async def test_a_file_with_a_fault_refuses_the_start(start: Any, capfd: Any) -> None:
    with pytest.raises(AssertionError, match="did not start"):
        async with start(RULES + '\nhistory_siez = 1\n[https_api]\nkey = "x"\n'):
            await asyncio.sleep(0)
    said = capfd.readouterr().err
    assert "channel.namespaces[0].history_siez is unknown" in said
    assert "https_api is unknown" in said
    assert "Traceback" not in said
