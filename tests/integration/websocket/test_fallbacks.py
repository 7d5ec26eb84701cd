"""The protocol over HTTP: what the official JavaScript SDK sees, and what bad requests get."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from hub.database import Database
from hub.realtime import SHUTDOWN, Disconnect, Limits
from hub.redis_client import RedisClient
from hub.settings import Settings

SCRIPT = Path(__file__).parent / "js" / "fallback.mjs"
PACKAGE = Path(__file__).parents[3] / "hub" / "web" / "node_modules" / "centrifuge"
TRANSPORTS = [("http_stream", "json"), ("http_stream", "protobuf"), ("sse", "json")]


class Sdk:
    """The script's process: what it told, and what it is asked to do."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.told: list[dict[str, Any]] = []

    async def until(self, on: str, **facts: Any) -> dict[str, Any]:
        """The next thing told under this name that has these facts."""
        assert self._process.stdout is not None
        async with asyncio.timeout(10):
            while line := await self._process.stdout.readline():
                told: dict[str, Any] = json.loads(line)
                self.told.append(told)
                if told["on"] == on and facts.items() <= told.items():
                    return told
        raise AssertionError(f"no {on}; told: {self.told}")

    async def do(self, deed: str, **more: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": deed, **more}).encode() + b"\n")
        return await self.until(f"{deed} done")


@asynccontextmanager
async def sdk(
    hub: Any, transport: str, encoding: str, person: object, beside: Any = None
) -> AsyncIterator[Sdk]:
    """The SDK connected to ``hub``; its commands go to ``beside`` (the same by default)."""
    node = shutil.which("node")
    if node is None or not PACKAGE.exists():
        if os.environ.get("CI"):
            pytest.fail("not run: no Node, or the package centrifuge is not installed")
        pytest.skip("not run: no Node, or the package centrifuge is not installed")
    given = {
        "stream": f"http://127.0.0.1:{hub.port}/connection/{transport}",
        "emulation": f"http://127.0.0.1:{(beside or hub).port}/emulation",
        "transport": transport,
        "encoding": encoding,
        "token": str(person),
        "channel": "chat:room",
    }
    process = await asyncio.create_subprocess_exec(
        node,
        str(SCRIPT),
        str(PACKAGE),
        json.dumps(given),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Sdk(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize(("transport", "encoding"), TRANSPORTS)
async def test_the_sdk_lives_without_a_websocket(
    direct_hub: Any, person: UUID, transport: str, encoding: str
) -> None:
    hub, personal = direct_hub, f"personal:#{person}"
    async with sdk(hub, transport, encoding, person) as client:
        assert (await client.until("connected"))["transport"] == transport
        await client.until("subscribed")
        await client.do("publish", data={"n": 1, "text": "línea\nnueva"})
        if not any(told["on"] == "publication" for told in client.told):
            await client.until("publication")
        seen = [told["data"] for told in client.told if told["on"] == "publication"]
        assert seen == [{"n": 1, "text": "línea\nnueva"}]
        assert (await client.do("rpc", data=[1]))["data"] == {"user": str(person), "sent": [1]}
        assert (await client.do("presence"))["clients"] == 1
        await hub.append(personal, {"event": "test.ticked", "n": 7})
        assert (await client.until("personal"))["data"]["n"] == 7

        for session in list(hub.node.sessions):  # the server goes, the client comes back
            session.close(SHUTDOWN)
        await hub.append(personal, {"event": "test.ticked", "n": 8})
        await client.until("connecting", code=3001, reason="shutdown")
        back = await client.until("personal subscribed")
        assert (back["wasRecovering"], back["recovered"]) == (True, True)
        assert (await client.until("personal"))["data"]["n"] == 8
        await client.until("subscribed")

        next(iter(hub.node.sessions)).close(Disconnect(3503, "force disconnect"))
        await client.until("disconnected", code=3503)
    assert not hub.node.sessions


@pytest.mark.parametrize(("transport", "encoding"), TRANSPORTS)
async def test_the_pong_proves_delivery_without_a_websocket(
    direct_hub: Any, person: UUID, until: Any, transport: str, encoding: str
) -> None:
    hub, personal = direct_hub, f"personal:#{person}"
    async with sdk(hub, transport, encoding, person) as client:
        await client.until("subscribed")
        await hub.append(personal, {"event": "test.rang", "n": 1})
        await until(lambda: (str(person), None, personal, 1) in hub.acks.delivered_up_to)


@pytest.mark.parametrize(("transport", "encoding"), TRANSPORTS)
async def test_commands_may_arrive_at_another_node(
    open_hub: Any,
    database: Database,
    redis: RedisClient,
    settings: Settings,
    person: UUID,
    transport: str,
    encoding: str,
) -> None:
    async with (
        open_hub(database, redis, settings, direct=True) as here,
        open_hub(database, redis, settings, direct=True) as there,
    ):
        await asyncio.sleep(0.1)
        async with sdk(here, transport, encoding, person, beside=there) as client:
            await client.until("subscribed")
            await client.do("publish", data={"n": 1})
            assert (await client.do("rpc", data=[2]))["data"]["sent"] == [2]
            assert len(here.node.sessions) == 1
            assert not there.node.sessions


@asynccontextmanager
async def stream(hub: Any, *commands: dict[str, Any], **more: Any) -> AsyncIterator[Any]:
    """A session by http_stream: its lines, decoded, and the connect result."""
    body = "\n".join(json.dumps(each) for each in commands)
    url = f"http://127.0.0.1:{hub.port}/connection/http_stream"
    async with (
        httpx.AsyncClient(timeout=10) as http,
        http.stream("POST", url, content=body, **more) as answer,
    ):
        assert answer.status_code == 200, answer.status_code
        yield answer, answer.aiter_lines()


CONNECT = {"id": 1, "connect": {"token": "ada"}}


async def test_the_answer_is_not_cached_and_not_buffered(hub: Any) -> None:
    async with stream(hub, CONNECT) as (answer, lines):
        assert "no-store" in answer.headers["cache-control"]
        assert answer.headers["x-accel-buffering"] == "no"
        result = json.loads(await anext(lines))["connect"]
        assert len(result["session"]) >= 32
        assert result["node"] == hub.node.emulation.node_id


async def test_the_goodbye_is_a_push_and_then_the_stream_ends(hub: Any) -> None:
    async with stream(hub, CONNECT, CONNECT) as (_, lines):
        told = [json.loads(line) async for line in lines]
    assert told[-1] == {"push": {"disconnect": {"code": 3501, "reason": "bad request"}}}


async def test_a_websocket_is_given_no_session_secret(hub: Any, until: Any) -> None:
    from websockets.asyncio.client import connect

    async with connect(hub.url, proxy=None) as socket:
        await socket.send(json.dumps(CONNECT))
        result = json.loads(await socket.recv())["connect"]
    assert "session" not in result
    assert "node" not in result


async def test_sse_answers_with_events(hub: Any) -> None:
    url = f"http://127.0.0.1:{hub.port}/connection/sse"
    async with httpx.AsyncClient(timeout=10) as http:
        for method, more in (
            ("GET", {"params": {"cf_connect": json.dumps(CONNECT)}}),
            ("POST", {"content": json.dumps(CONNECT)}),
        ):
            async with http.stream(method, url, **more) as answer:  # type: ignore[arg-type]
                assert answer.headers["content-type"].startswith("text/event-stream")
                lines = answer.aiter_lines()
                assert await anext(lines) == ""
                assert "connect" in json.loads((await anext(lines)).removeprefix("data: "))


async def test_requests_beside_a_stream_get_their_status(hub: Any, until: Any) -> None:
    url = f"http://127.0.0.1:{hub.port}/emulation"
    node = hub.node.emulation.node_id

    async with httpx.AsyncClient() as http:

        async def status(body: Any, **more: Any) -> int:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            return (await http.post(url, content=content, **more)).status_code

        octets = {"headers": {"content-type": "application/octet-stream"}}
        assert await status(b"garbage") == 400
        assert await status({"node": node}) == 400
        assert await status({"node": node, "session": 1, "data": ""}) == 400
        assert await status(b"\xff\xff", **octets) == 400
        assert await status({"node": "gone", "session": "x", "data": "{}"}) == 404
        assert await status({"node": "", "session": "x", "data": "{}"}) == 404
        assert await status({"node": node, "session": "unknown", "data": "{}"}) == 204
        assert await status({"node": node, "session": "x", "data": "y" * 65_536}) == 413
        assert (await http.get(url)).status_code == 405
    async with stream(hub, CONNECT) as (_, lines):  # what is no command ends only its session
        result = json.loads(await anext(lines))["connect"]
        async with httpx.AsyncClient() as http:
            body = {"node": node, "session": result["session"], "data": "[]"}
            assert (await http.post(url, json=body)).status_code == 204
        assert json.loads(await anext(lines))["push"]["disconnect"]["code"] == 3501


async def test_too_large_a_connect_is_refused(hub: Any) -> None:
    url = f"http://127.0.0.1:{hub.port}/connection/"
    async with httpx.AsyncClient() as http:
        for path in ("http_stream", "sse"):
            assert (await http.post(url + path, content=b"x" * 65_537)).status_code == 413


async def test_only_allowed_pages_may_read_a_stream(hub: Any, settings: Settings) -> None:
    allowed = settings.http.allowed_origins[0]
    base = f"http://127.0.0.1:{hub.port}"
    async with httpx.AsyncClient() as http:
        for path in ("/connection/http_stream", "/connection/sse", "/emulation"):
            asked = await http.options(base + path, headers={"origin": allowed})
            assert asked.status_code == 204
            assert asked.headers["access-control-allow-origin"] == allowed
            refused = await http.options(base + path, headers={"origin": "https://evil.example"})
            assert refused.status_code == 403
            assert "access-control-allow-origin" not in refused.headers
            posted = await http.post(base + path, headers={"origin": "https://evil.example"})
            assert posted.status_code == 403
    async with stream(hub, CONNECT, headers={"origin": allowed}) as (answer, _):
        assert answer.headers["access-control-allow-origin"] == allowed


async def test_a_reader_that_leaves_leaves_nothing(hub: Any, until: Any) -> None:
    async with stream(hub, CONNECT) as (_, lines):
        await anext(lines)
        assert len(hub.node.sessions) == 1
    await until(lambda: not hub.node.sessions)
    assert not hub.node.emulation._sessions


async def test_a_stopping_server_says_so_on_its_streams(direct_hub: Any) -> None:
    async with stream(direct_hub, CONNECT) as (_, lines):
        await anext(lines)
        direct_hub.server.should_exit = True
        told = json.loads(await anext(lines))["push"]["disconnect"]
        assert told == {"code": 3001, "reason": "shutdown", "reconnect": True}
        assert [line async for line in lines] == []


async def test_a_reader_that_reads_nothing_is_dropped_and_stalls_nobody(
    direct_hub: Any, until: Any
) -> None:
    hub = direct_hub
    _reader, writer = await asyncio.open_connection("127.0.0.1", hub.port, limit=1024)
    commands = [CONNECT, {"id": 2, "subscribe": {"channel": "chat:loud"}}]
    body = "\n".join(json.dumps(each) for each in commands).encode()
    head = b"POST /connection/http_stream HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    writer.write(head % len(body) + body)
    await until(lambda: hub.node.channel_count == 2)
    async with stream(hub, *commands) as (_, lines):
        while '"id":2' not in await anext(lines):
            pass
        big = json.dumps({"n": "x" * 60_000}).encode()
        namespace = hub.node.namespaces.of("chat:loud")

        async def read() -> int:
            return sum([1 async for line in lines if '"n":' in line or '"n": ' in line])

        reading = asyncio.ensure_future(read())
        for _ in range(120):
            await hub.broker.publish(namespace, "chat:loud", big)
        await until(lambda: hub.node.tally.disconnects[3008] == 1)
        await until(lambda: len(hub.node.sessions) == 1)
        await until(lambda: len(hub.server.server_state.connections) == 1)
        next(iter(hub.node.sessions)).close(SHUTDOWN)
        assert await reading == 120
    writer.close()


async def test_an_address_with_its_share_is_told_429(
    open_hub: Any, database: Database, redis: RedisClient, settings: Settings, until: Any
) -> None:
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus

    async with open_hub(
        database, redis, settings, direct=True, limits=Limits(per_address=2)
    ) as hub:
        async with stream(hub, CONNECT), connect(hub.url, proxy=None):
            await until(lambda: len(hub.node.sessions) == 2)
            with pytest.raises(InvalidStatus) as refused:
                await connect(hub.url, proxy=None)
            assert refused.value.response.status_code == 429
            url = f"http://127.0.0.1:{hub.port}/connection/http_stream"
            async with httpx.AsyncClient() as http:
                assert (await http.post(url, json=CONNECT)).status_code == 429
        await until(lambda: not hub.node.sessions)
        async with connect(hub.url, proxy=None):
            await until(lambda: len(hub.node.sessions) == 1)
