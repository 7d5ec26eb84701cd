"""The real-time gateway alone: a server of the client protocol for services that are not this
product. It needs Redis and the file of ``HUB_REALTIME_CONFIG``; no database, no other secret.

Whoever holds the file's token secret opens its channels. What the product adds (durable channels,
acknowledgement, its events) is not here.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.types import ControllerRouterHandler
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from channels import websocket
from hub.clock import Clock, SystemClock
from hub.edge import exception_handlers
from hub.realtime import BrokerDown, HmacTokens, Node, RealtimeConfig, RedisBroker
from hub.redis_client import RedisClient, open_redis

__all__ = ["create_gateway"]

MAX_BODY = 1024 * 1024


@get("/health", sync_to_thread=False)
def health() -> dict[str, str]:
    """The process turns."""
    return {}


@get("/health/ready")
async def ready(node: NamedDependency[Node]) -> Response[dict[str, str]]:
    """Redis answers too (200), or not (503)."""
    try:
        await node.broker.position("health")
    except BrokerDown:
        return Response({"redis": "down"}, status_code=503)
    return Response({"redis": "up"})


@get("/metrics", sync_to_thread=False)
def metrics() -> Response[bytes]:
    """Prometheus text format."""
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


routes: list[ControllerRouterHandler] = [health, ready, metrics, *websocket.routes]


def create_gateway(
    config: RealtimeConfig, redis_url: str, *, clock: Clock | None = None
) -> Litestar:
    """The ASGI application that serves what ``config`` describes."""
    return Litestar(
        [*routes, *websocket.api_routes(config.api_key)],
        lifespan=[_lifespan(config, redis_url, clock or SystemClock())],
        dependencies={
            "config": Provide(lambda: config, sync_to_thread=False),
            "node": Provide(_node, sync_to_thread=False),
        },
        exception_handlers=exception_handlers,
        request_max_body_size=MAX_BODY,
        openapi_config=None,
        debug=False,
    )


def _node(state: State) -> Any:
    return state.node


def _lifespan(config: RealtimeConfig, redis_url: str, clock: Clock) -> Callable[[Litestar], Any]:
    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_redis(redis_url) as redis, open_node(config, redis, clock) as node:
            app.state.node = node
            yield

    return lifespan


@asynccontextmanager
async def open_node(
    config: RealtimeConfig, redis: RedisClient, clock: Clock
) -> AsyncIterator[Node]:
    """A running node as ``config`` describes it."""
    tokens = HmacTokens(config.token_secret, clock, audience=config.audience, issuer=config.issuer)
    node = Node(
        broker=RedisBroker(redis, clock),
        namespaces=config.namespaces,
        authenticator=tokens,
        subscription_tokens=tokens,
        client=config.client,
        limits=config.limits,
        clock=clock,
    )
    async with node.running():
        yield node
