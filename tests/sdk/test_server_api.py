"""What a service does through the server API, and what the official SDKs make of it."""

from typing import Any

import httpx
import pytest

from tests.sdk.conftest import CONFIGURED
from tests.sdk.gateway import Gateway


@pytest.fixture
def api(gateway: Gateway) -> Any:
    """``result = await api(method, **parameters)``"""

    async def call(method: str, **parameters: Any) -> Any:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.port}") as http:
            headers = {"X-API-Key": CONFIGURED.api_key.reveal()}
            answer = await http.post(f"/api/{method}", headers=headers, json=parameters)
        return answer.raise_for_status().json()["result"]

    return call


async def test_a_service_publishes_to_many_channels_once(
    open_client: Any, channel: str, api: Any
) -> None:
    client, other = await open_client(), f"{channel}-2"
    await client.connected()
    await client.subscribed(channel)
    await client.subscribed(other)
    for _ in range(2):
        await api("publish", channel=channel, data={"n": 1}, idempotency_key="one")
    await api("broadcast", channels=[channel, other], data={"n": 2}, tags={"from": "market"})
    await client.until("publication", channel, count=2)
    last = await client.until("publication", other)
    assert client.data(channel) == [{"n": 1}, {"n": 2}]
    assert (last["data"], last["tags"], last["info"]) == ({"n": 2}, {"from": "market"}, None)


async def test_a_service_puts_a_user_in_and_out_of_a_channel(
    open_client: Any, channel: str, api: Any
) -> None:
    client = await open_client("ada")
    await client.connected()
    await api("subscribe", user="ada", channel=channel)
    await client.until("subscribed", channel)
    await api("publish", channel=channel, data=1)
    await client.until("publication", channel)
    await api("unsubscribe", user="ada", channel=channel)
    await client.until("unsubscribed", channel)
    await api("publish", channel=channel, data=2)
    await client.subscribed(f"{channel}-own")
    await api("unsubscribe", user="ada", channel=f"{channel}-own")
    ended = await client.until("unsubscribed", f"{channel}-own")
    assert ended["code"] == 2000
    assert client.data(channel) == [1]


async def test_a_service_ends_a_users_connections(open_client: Any, api: Any) -> None:
    ada, otieno = await open_client("ada"), await open_client("otieno")
    for each in (ada, otieno):
        await each.connected()
    await api("disconnect", user="ada")
    ended = await ada.until("disconnected")
    assert (ended["code"], ended["reason"]) == (3503, "force disconnect")
    await otieno.subscribed("room:still-here")


async def test_a_service_asks_who_is_there_and_what_was_said(
    open_client: Any, channel: str, api: Any
) -> None:
    client = await open_client("ada")
    await client.connected()
    await client.subscribed(channel)
    await client.publish(channel, "Habari")
    await client.until("publication", channel)
    present = (await api("presence", channel=channel))["presence"]
    assert [each["user"] for each in present.values()] == ["ada"]
    assert await api("presence_stats", channel=channel) == {"num_clients": 1, "num_users": 1}
    history = await api("history", channel=channel, limit=10)
    assert [each["data"] for each in history["publications"]] == ["Habari"]
    assert channel in (await api("channels", pattern="room:*"))["channels"]
    assert (await api("info"))["nodes"][0]["num_clients"] >= 1


async def test_a_service_lets_a_connection_expire_and_its_client_comes_back(
    open_client: Any, api: Any, token: Any
) -> None:
    client = await open_client("ada", tokens=[token("ada"), token("ada")])
    await client.connected()
    await api("refresh", user="ada", expired=True)
    assert (await client.until("connecting", count=2))["code"] == 3005
    await client.until("connected", count=2)
