"""Every promise of this folder is kept four times: two SDKs, each in both encodings."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import jwt
import msgspec
import pytest
import pytest_asyncio

from hub.clock import SystemClock
from hub.embedded import Addresses
from hub.realtime import RedisBroker
from hub.realtime.config import load_config
from hub.realtime.outgoing import Outgoing
from hub.redis_client import RedisClient
from tests.sdk.client import SdkClient
from tests.sdk.gateway import CONFIG, Gateway, Road, gateway_alone
from tests.sdk.javascript import Node, node_process
from tests.sdk.python import PythonClient

SDKS = ["javascript-json", "javascript-protobuf", "python-json", "python-protobuf"]

CONFIGURED = load_config(CONFIG)
OpenClient = Callable[..., Awaitable[SdkClient]]


@pytest_asyncio.fixture(scope="session")
async def gateway(servers: Addresses) -> AsyncIterator[Gateway]:
    async with gateway_alone(servers.redis_url) as running:
        yield running


@pytest_asyncio.fixture(scope="session")
async def start_node() -> AsyncIterator[Callable[[], Awaitable[Node]]]:
    """One process of Node for the session, started by the first test that needs it."""
    async with AsyncExitStack() as stack:
        started: list[Node] = []

        async def start() -> Node:
            if not started:
                started.append(await stack.enter_async_context(node_process()))
            return started[0]

        yield start


@pytest_asyncio.fixture
async def road(gateway: Gateway, redis: RedisClient) -> AsyncIterator[Road]:
    """Leads to the gateway; its Redis is empty."""
    async with Road(gateway.port).running() as road:
        yield road


@pytest.fixture
def channel() -> str:
    return f"room:{uuid4().hex}"


@pytest.fixture
def token() -> Callable[..., str]:
    """A connection token; with ``channel`` a subscription token."""

    def sign(user: str = "ada", *, seconds: float = 3600, **claims: Any) -> str:
        secret = CONFIGURED.token_secret.reveal()
        expires = int(time.time() + seconds)
        return jwt.encode({"sub": user, "exp": expires, **claims}, secret, algorithm="HS256")

    return sign


@pytest_asyncio.fixture(params=SDKS)
async def open_client(
    request: pytest.FixtureRequest,
    road: Road,
    token: Callable[..., str],
    start_node: Callable[[], Awaitable[Node]],
) -> AsyncIterator[OpenClient]:
    """Opens clients of one SDK in one encoding; ends them after the test."""
    sdk, _, encoding = request.param.partition("-")
    node = await start_node() if sdk == "javascript" else None
    async with AsyncExitStack() as stack:

        async def open_client(
            user: str = "ada", *, port: int | None = None, **options: Any
        ) -> SdkClient:
            """``port`` goes past the road, straight to a gateway."""
            url = f"ws://127.0.0.1:{port}/connection/websocket" if port else road.url()
            if not options.get("tokens"):
                options.setdefault("token", token(user, info={"name": user.title()}))
            client: SdkClient
            if node is not None:
                client = await node.open(url, encoding=encoding, minReconnectDelay=50, **options)
            else:
                client = PythonClient(url, encoding=encoding, min_reconnect_delay=0.05, **options)
            stack.push_async_callback(client.disconnect)
            return client

        yield open_client


@pytest_asyncio.fixture
async def publish(redis: RedisClient) -> Callable[[str, Any], Awaitable[None]]:
    """Publishes as a service does, past every client."""
    broker = RedisBroker(redis, SystemClock())

    async def publish(channel: str, data: Any, **more: Any) -> None:
        namespace = CONFIGURED.namespaces.of(channel)
        patched = namespace.delta_publish
        encoded = msgspec.json.encode(data)
        [outcome] = await broker.publish_all(
            [Outgoing(namespace=namespace, channel=channel, data=encoded, delta=patched, **more)]
        )
        assert not isinstance(outcome, Exception)

    return publish
