"""Connections as the official SDKs see them: tokens, drops, dead nodes, own channels, calls."""

import asyncio
from typing import Any

from hub.embedded import Addresses
from hub.redis_client import RedisClient
from tests.sdk.gateway import Gateway, Road, gateway_alone


async def test_a_dropped_connection_continues_where_it_stopped(
    open_client: Any, channel: str, road: Road, gateway: Gateway
) -> None:
    ada = await open_client("ada")
    near = await open_client("otieno", port=gateway.port)
    for each in (ada, near):
        await each.connected()
        await each.subscribed(channel)
    await near.publish(channel, 1)
    await ada.until("publication", channel)
    road.open = False
    road.drop()
    await ada.until("connecting", count=2)
    for n in (2, 3, 4):
        await near.publish(channel, n)
    road.open = True
    resumed = await ada.until("subscribed", channel, count=2)
    assert (resumed["recovered"], resumed["was_recovering"]) == (True, True)
    await near.publish(channel, 5)
    await ada.until("publication", channel, count=5)
    assert ada.data(channel) == [1, 2, 3, 4, 5]


async def test_a_killed_node_costs_nobody_a_publication(
    open_client: Any, channel: str, road: Road, gateway: Gateway, servers: Addresses
) -> None:
    near = await open_client("otieno", port=gateway.port)
    await near.connected()
    await near.subscribed(channel)
    async with gateway_alone(servers.redis_url) as doomed:
        road.leads_to = doomed.port
        ada = await open_client("ada")
        await ada.connected()
        await ada.subscribed(channel)
        await near.publish(channel, 1)
        await ada.until("publication", channel)
        await doomed.kill()
        await near.publish(channel, 2)
        road.leads_to = gateway.port
    resumed = await ada.until("subscribed", channel, count=2)
    assert resumed["recovered"]
    await near.publish(channel, 3)
    await ada.until("publication", channel, count=3)
    assert ada.data(channel) == [1, 2, 3]


async def test_a_node_that_stops_sends_its_clients_to_another(
    open_client: Any, channel: str, road: Road, gateway: Gateway, servers: Addresses
) -> None:
    async with gateway_alone(servers.redis_url) as stopping:
        road.leads_to = stopping.port
        client = await open_client()
        await client.connected()
        await client.subscribed(channel)
        road.leads_to = gateway.port
        await stopping.stop()
    left = await client.until("connecting", count=2)
    assert (left["code"], left["reason"]) == (3001, "shutdown")
    assert (await client.until("subscribed", channel, count=2))["recovered"]


async def test_a_position_that_the_application_stored_is_where_it_continues(
    open_client: Any, channel: str, publish: Any
) -> None:
    before = await open_client()
    await before.connected()
    epoch = (await before.subscribed(channel))["epoch"]
    for n in range(1, 6):
        await publish(channel, n)
    stored = (await before.until("publication", channel, count=2))["offset"]
    epoch = epoch or (await before.history(channel))["epoch"]
    await before.disconnect()
    after = await open_client()
    await after.connected()
    entered = await after.subscribed(channel, since={"offset": stored, "epoch": epoch})
    assert entered["recovered"]
    await after.until("publication", channel, count=3)
    assert after.data(channel) == [3, 4, 5]


async def test_a_wiped_stream_is_said_and_never_guessed(
    open_client: Any, channel: str, road: Road, gateway: Gateway, redis: RedisClient
) -> None:
    ada = await open_client("ada")
    near = await open_client("otieno", port=gateway.port)
    for each in (ada, near):
        await each.connected()
        await each.subscribed(channel)
    await near.publish(channel, 1)
    await ada.until("publication", channel)
    road.open = False
    road.drop()
    await ada.until("connecting", count=2)
    await near.disconnect()
    await redis.flushall()
    road.open = True
    resumed = await ada.until("subscribed", channel, count=2)
    assert (resumed["recovered"], resumed["was_recovering"]) == (False, True)
    await ada.publish(channel, 2)
    await ada.until("publication", channel, count=2)
    assert ada.data(channel) == [1, 2]


async def test_a_token_is_renewed_before_it_ends(open_client: Any, token: Any) -> None:
    client = await open_client(tokens=[token(seconds=2), token(seconds=3600)])
    await client.connected()
    await client.until("token", count=2)
    await asyncio.sleep(1.5)
    await client.subscribed("room:1")
    assert len(client.seen("connected")) == 1
    assert client.seen("error") == []


async def test_an_expired_token_is_replaced(open_client: Any, token: Any) -> None:
    client = await open_client(tokens=[token(seconds=-60), token(seconds=3600)])
    await client.connected()
    assert len(client.seen("token")) == 2


async def test_a_forged_token_ends_the_client(open_client: Any) -> None:
    client = await open_client(token="not.a.token")
    await client.connect()
    ended = await client.until("disconnected")
    assert (ended["code"], ended["reason"]) == (3500, "invalid token")


async def test_the_server_brings_a_person_into_their_own_channel(
    open_client: Any, road: Road
) -> None:
    client = await open_client("ada")
    await client.connected()
    entered = await client.until("subscribed", "personal:#ada")
    assert entered["recoverable"]
    road.drop()
    again = await client.until("subscribed", "personal:#ada", count=2)
    assert again["recovered"]
