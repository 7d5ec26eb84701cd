"""A small hub with nothing but the real-time door, on a real socket, in the test's own loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import pytest_asyncio
import uvicorn
from litestar import Litestar
from litestar.di import Provide

from channels.websocket import DirectHttpProtocol, DirectWebSocketProtocol, routes
from hub.clock import SystemClock
from hub.database import Database
from hub.errors import Unauthenticated
from hub.events import Streams, shard_of
from hub.realtime import (
    ClientPolicy,
    Limits,
    Namespace,
    Namespaces,
    Node,
    Numbered,
    RedisBroker,
    product_namespaces,
)
from hub.redis_client import RedisClient
from hub.settings import Settings

CLOCK = SystemClock()


class Claims(msgspec.Struct):
    user: str
    expires_at: int | None = None
    info: dict[str, object] | None = None
    device: str | None = None


class Door:
    """Tokens are ``user`` or ``user/device``; ``expired`` and ``forged`` are refused."""

    def verify_connection(self, token: str) -> Claims:
        if token == "expired":
            raise Unauthenticated("The token has expired.", expired=True)
        if token == "forged":
            raise Unauthenticated("The token is not valid.")
        user, _, device = token.partition("/")
        name, _, seconds = user.partition("~")
        expires = int(CLOCK.now().timestamp()) + int(seconds) if seconds else None
        return Claims(name, expires, {"name": name}, device or None)


@dataclass
class Acks:
    delivered_up_to: list[tuple[str, str | None, str, int]] = field(default_factory=list)
    seen_up_to: list[tuple[str, str | None, str, int]] = field(default_factory=list)

    async def delivered(self, user: str, device: str | None, channel: str, offset: int) -> None:
        self.delivered_up_to.append((user, device, channel, offset))

    async def seen(self, user: str, device: str | None, channel: str, offset: int) -> None:
        self.seen_up_to.append((user, device, channel, offset))


@dataclass
class Hub:
    """The running server and what a test does to it from outside."""

    url: str
    port: int
    node: Node
    broker: RedisBroker
    acks: Acks
    database: Database
    server: uvicorn.Server
    epochs: dict[str, str] = field(default_factory=dict)

    async def append(self, channel: str, *events: dict[str, Any], tell_redis: bool = True) -> int:
        """What the relay does: numbers events in PostgreSQL, then publishes. Returns the top."""
        async with self.database.connection() as connection:
            row = await connection.fetchrow("SELECT top, epoch FROM streams WHERE name=$1", channel)
            epoch = row["epoch"] if row else uuid4().hex[:8]
            top = row["top"] if row else 0
            batch = []
            for place, event in enumerate(events, top + 1):
                event_id, at = uuid4(), CLOCK.now()
                data = msgspec.json.encode(event)
                batch.append((channel, place, event_id, event["event"], data, at))
            await connection.execute(
                "INSERT INTO streams (name, shard, epoch, top, published) VALUES ($1,$2,$3,$4,$4)"
                " ON CONFLICT (name) DO UPDATE SET top = $4, published = $4",
                channel,
                shard_of(channel),
                epoch,
                top + len(events),
            )
            await connection.executemany(
                'INSERT INTO stream_entries (stream, "offset", event_id, kind, data, recorded_at)'
                " VALUES ($1,$2,$3,$4,$5,$6)",
                batch,
            )
        if tell_redis:
            numbered = [Numbered(channel, b[1], epoch, b[4], 1) for b in batch]
            await self.broker.publish_numbered(numbered)
        return top + len(events)


async def only_members(user: str, channel: str) -> bool:
    return user in channel


async def echo(caller: Any, data: bytes) -> object:
    return {"user": caller.user, "sent": msgspec.json.decode(data)}


TEST_NAMESPACES = [
    Namespace(
        name="ticker",
        allow_publish_for_subscriber=True,
        allowed_delta_types=("fossil",),
        delta_publish=True,
        allow_tags_filter=True,
    ),
    Namespace(
        name="chat",
        allow_publish_for_subscriber=True,
        presence=True,
        join_leave=True,
        history_size=5,
    ),
]


@asynccontextmanager
async def hub_on_a_socket(
    database: Database,
    redis: RedisClient,
    settings: Settings,
    *,
    direct: bool,
    limits: Limits | None = None,
    **more: Any,
) -> AsyncIterator[Hub]:
    broker, acks = RedisBroker(redis, CLOCK), Acks()
    product = product_namespaces()
    node = Node(
        broker=broker,
        namespaces=Namespaces([*product, *TEST_NAMESPACES]),
        authenticator=Door(),
        acknowledgements=acks,
        client=ClientPolicy(allowed_origins=settings.http.allowed_origins),
        clock=CLOCK,
        streams=Streams(database),
        permissions={"conversation": only_members},
        rpc={"echo": echo},
        reaches=lambda kind: kind == "test.rang",
        limits=limits,
    )
    app = Litestar(
        routes,
        dependencies={
            "node": Provide(lambda: node, sync_to_thread=False),
        },
        openapi_config=None,
    )
    config = uvicorn.Config(
        app,
        http=DirectHttpProtocol if direct else "httptools",
        ws=DirectWebSocketProtocol if direct else "websockets-sansio",
        log_level="warning",
        lifespan="off",
        timeout_graceful_shutdown=10,
        **{"ws_per_message_deflate": False, "ws_max_size": 65_536, **more},
    )
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    async with node.running():
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            url = f"ws://127.0.0.1:{port}/connection/websocket"
            yield Hub(url, port, node, broker, acks, database, server)
        finally:
            server.should_exit = True
            await serving


@pytest.fixture
def open_hub() -> Any:
    """Opens such a hub in any loop, with more settings for uvicorn."""
    return hub_on_a_socket


@pytest_asyncio.fixture(params=["direct", "portable"])
async def hub(
    request: pytest.FixtureRequest, database: Database, redis: RedisClient, settings: Settings
) -> AsyncIterator[Hub]:
    """The same promises hold on both transports."""
    async with hub_on_a_socket(
        database, redis, settings, direct=request.param == "direct"
    ) as running:
        yield running


@pytest_asyncio.fixture
async def direct_hub(
    database: Database, redis: RedisClient, settings: Settings
) -> AsyncIterator[Hub]:
    async with hub_on_a_socket(database, redis, settings, direct=True) as running:
        yield running


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Coroutine[Any, Any, None]]:
    """Waits until something is true; fails after 5 s."""

    async def wait(condition: Callable[[], object], seconds: float = 5) -> None:
        deadline = CLOCK.monotonic() + seconds
        while not condition():
            assert CLOCK.monotonic() < deadline, "waited too long"
            await asyncio.sleep(0.005)

    return wait


@pytest.fixture
def person() -> UUID:
    return uuid4()
