"""Two gateways in one process that share one Valkey, with the server API open on both."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
import uvicorn
from centrifuge import Client, ClientEventHandler
from litestar import Litestar
from litestar.di import Provide

from channels.websocket import (
    DirectHttpProtocol,
    DirectWebSocketProtocol,
    api_routes,
    routes,
)
from hub.clock import SystemClock
from hub.realtime import Limits, Namespace, Namespaces, Node, RedisBroker
from hub.redis_client import RedisClient, open_redis
from hub.settings import Secret

CLOCK = SystemClock()
KEY = "the key of the tests"


class Claims(msgspec.Struct):
    user: str
    expires_at: int | None = None
    info: dict[str, object] | None = None
    device: str | None = None


class Door:
    """The token is the user."""

    def verify_connection(self, token: str) -> Claims:
        return Claims(token, info={"name": token})


class Nobody:
    async def delivered(self, *_: object) -> None: ...

    async def seen(self, *_: object) -> None: ...


async def echo(caller: Any, data: bytes) -> object:
    return {"user": caller.user, "sent": msgspec.json.decode(data)}


NAMESPACES = Namespaces(
    [
        Namespace(name="room", history_size=5, presence=True, join_leave=True),
        Namespace(name="bare", history_size=0),
        Namespace(name="mine", durable=True, personal=True),
        Namespace(name="kept", durable=True),
    ]
)


class Told(ClientEventHandler):
    """What the SDK tells its application."""

    def __init__(self) -> None:
        self.subscribed: list[Any] = []
        self.unsubscribed: list[str] = []
        self.publications: list[Any] = []
        self.disconnected: list[tuple[int, str]] = []
        self.connected: list[Any] = []

    async def on_connected(self, ctx: Any) -> None:
        self.connected.append(ctx)

    async def on_disconnected(self, ctx: Any) -> None:
        self.disconnected.append((ctx.code, ctx.reason))

    async def on_subscribed(self, ctx: Any) -> None:
        self.subscribed.append(ctx)

    async def on_unsubscribed(self, ctx: Any) -> None:
        self.unsubscribed.append(ctx.channel)

    async def on_publication(self, ctx: Any) -> None:
        self.publications.append((ctx.channel, ctx.pub.data, ctx.pub.offset))


@dataclass
class Gateway:
    """A running gateway, its server API, and clients of it."""

    port: int
    node: Node
    http: httpx.AsyncClient
    clients: list[Client] = field(default_factory=list)

    async def api(self, method: str, **params: Any) -> Any:
        answer = await self.http.post(f"/api/{method}", json=params, headers={"X-API-Key": KEY})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def result(self, method: str, **params: Any) -> Any:
        answer = await self.api(method, **params)
        assert "error" not in answer, answer
        return answer["result"]

    async def connect(self, user: str) -> tuple[Client, Told]:
        told = Told()
        url = f"ws://127.0.0.1:{self.port}/connection/websocket"
        client = Client(url, token=user, events=told, min_reconnect_delay=0.05)
        self.clients.append(client)
        await client.connect()
        await client.ready(timeout=5)
        return client, told


@asynccontextmanager
async def gateway(redis_url: str, *, key: str = KEY) -> AsyncIterator[Gateway]:
    async with AsyncExitStack() as stack:
        redis: RedisClient = await stack.enter_async_context(open_redis(redis_url))
        node = Node(
            broker=RedisBroker(redis, CLOCK),
            namespaces=NAMESPACES,
            authenticator=Door(),
            acknowledgements=Nobody(),
            clock=CLOCK,
            rpc={"echo": echo},
            limits=Limits(),
        )
        app = Litestar(
            [*routes, *api_routes(Secret(key))],
            dependencies={"node": Provide(lambda: node, sync_to_thread=False)},
            openapi_config=None,
        )
        config = uvicorn.Config(
            app,
            http=DirectHttpProtocol,
            ws=DirectWebSocketProtocol,
            log_level="warning",
            lifespan="off",
            timeout_graceful_shutdown=5,
        )
        server = uvicorn.Server(config)
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        await stack.enter_async_context(node.running())
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10)
        )
        running = Gateway(port, node, http)
        try:
            yield running
        finally:
            for client in running.clients:
                await client.disconnect()
            server.should_exit = True
            await serving


@pytest_asyncio.fixture
async def pair(servers: Any, redis: RedisClient) -> AsyncIterator[tuple[Gateway, Gateway]]:
    """Two nodes that know of each other."""
    async with gateway(servers.redis_url) as one, gateway(servers.redis_url) as other:
        async with asyncio.timeout(5):
            while len((await one.result("info"))["nodes"]) < 2:
                await asyncio.sleep(0.02)
        yield one, other


@pytest.fixture
def open_gateway() -> Any:
    return gateway


@pytest.fixture
def until() -> Callable[..., Coroutine[Any, Any, None]]:
    async def wait(condition: Callable[[], object], seconds: float = 5) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.005)

    return wait
