"""Who may use the server API, what bad requests get, and the methods that only read."""

from typing import Any

import httpx
import pytest

from hub.app import create_app
from hub.settings import Settings

KEY = "the key of the tests"
MUST = {"X-API-Key": KEY}


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({"X-API-Key": KEY}, "", 200),
        ({"Authorization": f"apikey {KEY}"}, "", 200),
        ({"Authorization": f"ApiKey {KEY}"}, "", 200),
        ({}, f"?api_key={KEY}", 200),
        ({}, "", 401),
        ({"X-API-Key": "wrong"}, f"?api_key={KEY}", 401),
        ({"X-API-Key": KEY + "x"}, "", 401),
        ({"Authorization": f"Bearer {KEY}"}, "", 401),
    ],
)
async def test_the_key_opens_the_api_in_three_places(
    pair: Any, headers: dict[str, str], query: str, status: int
) -> None:
    http: httpx.AsyncClient = pair[0].http
    answer = await http.post(f"/api/info{query}", json={}, headers=headers)
    assert answer.status_code == status
    if status == 401:
        assert answer.content == b""


async def test_without_a_configured_key_there_is_no_api(servers: Any, open_gateway: Any) -> None:
    async with open_gateway(servers.redis_url, key="") as closed:
        answer = await closed.http.post("/api/info", json={}, headers={"X-API-Key": ""})
        assert answer.status_code == 404


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"channel":5,"data":1}', b'{"channel":"\xff"}'])
async def test_json_that_cannot_be_read_is_400(pair: Any, body: bytes) -> None:
    answer = await pair[0].http.post("/api/publish", content=body, headers=MUST)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("method", "params", "code", "status"),
    [
        ("nothing", {}, 104, 404),
        ("publish", {"channel": "nowhere:1", "data": 1}, 102, 404),
        ("publish", {"channel": "room:1"}, 107, 400),
        ("presence", {"channel": "bare:1"}, 108, 400),
        ("history", {"channel": "bare:1"}, 108, 400),
        ("rpc", {"method": "unknown"}, 104, 404),
    ],
)
async def test_errors_are_told_in_the_body_or_if_asked_by_the_status(
    pair: Any, method: str, params: dict[str, Any], code: int, status: int
) -> None:
    http: httpx.AsyncClient = pair[0].http
    answer = await http.post(f"/api/{method}", json=params, headers=MUST)
    assert answer.status_code == 200
    assert answer.json()["error"]["code"] == code
    asked = {**MUST, "X-Centrifugo-Error-Mode": "transport"}
    answer = await http.post(f"/api/{method}", json=params, headers=asked)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code


async def test_the_endpoint_of_old_takes_method_and_params(pair: Any) -> None:
    http: httpx.AsyncClient = pair[0].http
    body = {"method": "publish", "params": {"channel": "room:1", "data": 1}}
    answer = await http.post("/api", json=body, headers=MUST)
    assert answer.json()["result"]["offset"] == 1
    assert "result" in (await http.post("/api", json={"method": "info"}, headers=MUST)).json()
    refused = await http.post("/api", json={"method": "fly", "params": {}}, headers=MUST)
    assert refused.json()["error"]["code"] == 104
    assert (await http.post("/api", json=body)).status_code == 401


async def test_history_pages_both_ways_and_can_be_removed(pair: Any) -> None:
    one, other = pair
    for n in range(1, 6):
        place = await one.result("publish", channel="room:1", data=n, tags={"n": str(n)})

    async def offsets(**how: Any) -> list[int]:
        found = await other.result("history", channel="room:1", **how)
        assert (found["offset"], found["epoch"]) == (5, place["epoch"])
        return [each["offset"] for each in found["publications"]]

    assert await offsets() == []
    assert await offsets(limit=-1) == [1, 2, 3, 4, 5]
    assert await offsets(limit=2, since={"offset": 2, "epoch": place["epoch"]}) == [3, 4]
    assert await offsets(limit=2, since={"offset": 3, "epoch": ""}, reverse=True) == [2, 1]
    assert await offsets(limit=1, reverse=True) == [5]
    found = (await one.result("history", channel="room:1", limit=1))["publications"]
    assert found == [{"offset": 1, "data": 1, "tags": {"n": "1"}, "time": found[0]["time"]}]
    gone = await one.api("history", channel="room:1", since={"offset": 1, "epoch": "another"})
    assert gone["error"]["code"] == 112
    bad = await one.api("history", channel="room:1", since={"offset": 0}, reverse=True)
    assert bad["error"]["code"] == 107

    assert await one.result("history_remove", channel="room:1") == {}
    assert await offsets(limit=-1) == []
    assert (await one.result("publish", channel="room:1", data=6))["offset"] == 6
    assert (await one.api("history_remove", channel="kept:1"))["error"]["code"] == 108


async def test_a_procedure_of_the_application_can_be_called(pair: Any) -> None:
    body = {"method": "echo", "params": {"n": 1}}
    answer = await pair[0].http.post("/api/rpc", json=body, headers=MUST)
    assert answer.json() == {"result": {"data": {"user": "", "sent": {"n": 1}}}}


async def test_a_redis_that_is_away_is_an_internal_error(pair: Any, monkeypatch: Any) -> None:
    from hub.realtime import BrokerDown

    async def down(batch: Any) -> Any:
        raise BrokerDown("Redis does not answer.")

    monkeypatch.setattr(pair[0].node.broker, "publish_all", down)
    answer = await pair[0].api("publish", channel="room:1", data=1)
    assert answer["error"] == {"code": 100, "message": "internal server error"}


def test_the_product_opens_it_only_by_a_configured_key(
    environment: dict[str, str], database_url: str
) -> None:
    given = {**environment, "HUB_DATABASE_URL": database_url}

    def paths(settings: Settings) -> set[str]:
        return {route.path for route in create_app(settings).routes}

    assert not any(path.startswith("/api") for path in paths(Settings.load(given)))
    opened = Settings.load({**given, "HUB_REALTIME_API_KEY": KEY})
    assert {"/api", "/api/{method:str}"} <= paths(opened)
    assert KEY not in repr(opened)
