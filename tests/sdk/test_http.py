"""Where WebSockets do not get through, the JavaScript SDK goes by HTTP, and all works as before."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.sdk.client import SdkClient
from tests.sdk.gateway import Gateway, Road
from tests.sdk.javascript import Node

TRANSPORTS = ["http_stream-json", "http_stream-protobuf", "sse-json"]


@pytest_asyncio.fixture(params=TRANSPORTS)
async def client(
    request: pytest.FixtureRequest,
    road: Road,
    token: Callable[..., str],
    start_node: Callable[[], Awaitable[Node]],
) -> AsyncIterator[SdkClient]:
    transport, _, encoding = request.param.partition("-")
    node = await start_node()
    opened = await node.open(
        [{"transport": transport, "endpoint": road.url(f"connection/{transport}", "http")}],
        encoding=encoding,
        emulationEndpoint=road.url("emulation", "http"),
        token=token("ada", info={"name": "Ada"}),
        minReconnectDelay=50,
    )
    connected = await opened.connected()
    assert connected["transport"] == transport
    yield opened
    await opened.disconnect()


async def test_every_command_works_over_http(client: SdkClient, channel: str) -> None:
    await client.subscribed(channel, join_leave=True)
    await client.until("join", channel)
    for n in range(1, 6):
        await client.publish(channel, {"n": n, "text": "Habari – ça va?"})
    await client.until("publication", channel, count=5)
    assert [each["n"] for each in client.data(channel)] == [1, 2, 3, 4, 5]
    assert [each["user"] for each in await client.presence(channel)] == ["ada"]
    assert await client.presence_stats(channel) == {"clients": 1, "users": 1}
    page = await client.history(channel, limit=2, reverse=True)
    assert [each["data"]["n"] for each in page["publications"]] == [5, 4]
    await client.unsubscribe(channel)
    await client.until("unsubscribed", channel)


async def test_a_dropped_stream_continues_where_it_stopped(
    client: SdkClient, channel: str, road: Road, publish: Any
) -> None:
    await client.subscribed(channel)
    await publish(channel, 1)
    await client.until("publication", channel)
    road.open = False
    road.drop()
    await client.until("connecting", count=2)
    await publish(channel, 2)
    road.open = True
    assert (await client.until("subscribed", channel, count=2))["recovered"]
    await publish(channel, 3)
    await client.until("publication", channel, count=3)
    assert client.data(channel) == [1, 2, 3]


async def test_a_blocked_websocket_is_replaced_by_a_stream(
    road: Road,
    gateway: Gateway,
    token: Callable[..., str],
    start_node: Callable[[], Awaitable[Node]],
    channel: str,
) -> None:
    """The client is given both; the first leads nowhere."""
    node = await start_node()
    client = await node.open(
        [
            {"transport": "websocket", "endpoint": road.url("nothing/here")},
            {
                "transport": "http_stream",
                "endpoint": f"http://127.0.0.1:{gateway.port}/connection/http_stream",
            },
        ],
        encoding="json",
        emulationEndpoint=f"http://127.0.0.1:{gateway.port}/emulation",
        token=token("ada"),
        minReconnectDelay=50,
    )
    connected = await client.connected()
    assert connected["transport"] == "http_stream"
    await client.subscribed(channel)
    await client.publish(channel, "through")
    await client.until("publication", channel)
    await client.disconnect()
