"""Is it alive, is it ready, and its metrics.

``/health/live`` says that the process turns. ``/health/ready`` says that the whole is up:
PostgreSQL with the present schema, Redis, a relay that holds its leases, a worker that reported
lately, and the sandbox where it is on. Once all of it was up, a relay or worker that goes missing
is reported as ``degraded`` with status 200: this process can still serve, and taking every web
node out of rotation would not bring the relay back. The parts are asked at most once a second,
however often somebody asks us: anybody may.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from hmac import compare_digest
from typing import Any

import asyncpg
import httpx
import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from hub.database import DatabaseDown
from hub.errors import NotFound
from hub.events.numbering import backlog
from hub.migrations import pending
from hub.redis_client import RedisClient, RedisError
from hub.root import Hub
from hub.settings import Settings
from hub.telemetry import OUTBOX_OLDEST, OUTBOX_WAITING, UNPUBLISHED

__all__ = ["WORKER_HEARTBEAT", "Health", "check", "heartbeat", "routes"]

WORKER_HEARTBEAT = b"hub:worker:heartbeat"
HEARTBEAT_SECONDS = 3
_TIMEOUT = 2.0
_FRESH_SECONDS = 1.0
_ESSENTIAL = {"database", "redis", "schema"}


class Health(msgspec.Struct, frozen=True):
    """``state`` is ready, degraded or starting; ``parts`` says ``up`` or what is wrong."""

    state: str
    parts: dict[str, str]


async def heartbeat(redis: RedisClient) -> None:
    """A worker says it is there."""
    await redis.set(WORKER_HEARTBEAT, b"1", ex=3 * HEARTBEAT_SECONDS)


async def check(hub: Hub) -> dict[str, str]:
    """Asks every part at once; ``up`` or a few words on what is wrong."""

    async def database() -> str:
        async with hub.database.connection() as connection:
            await connection.fetchval("SELECT 1")
        return "up"

    async def schema() -> str:
        async with hub.database.connection() as connection:
            waiting = await pending(connection)
        return "up" if not waiting else f"{len(waiting)} migrations pending"

    async def redis() -> str:
        await hub.redis.exists(WORKER_HEARTBEAT)
        return "up"

    async def relay() -> str:
        async with hub.database.connection() as connection:
            held = await connection.fetchval(
                "SELECT count(*) FROM relay_leases WHERE expires_at > now()"
            )
        return "up" if held else "no relay holds a lease"

    async def worker() -> str:
        return "up" if await hub.redis.exists(WORKER_HEARTBEAT) else "no worker has reported lately"

    async def sandbox() -> str:
        async with httpx.AsyncClient(timeout=_TIMEOUT) as client:
            answer = await client.get(f"{hub.settings.sandbox.url}/health")
        return "up" if answer.status_code == 200 else f"answers {answer.status_code}"

    checks: dict[str, Callable[[], Awaitable[str]]] = {
        "database": database,
        "schema": schema,
        "redis": redis,
        "relay": relay,
        "worker": worker,
    }
    if hub.settings.sandbox.enabled:
        checks["sandbox"] = sandbox
    words = await asyncio.gather(*(_guarded(run) for run in checks.values()))
    return dict(zip(checks, words, strict=True))


async def _guarded(run: Callable[[], Awaitable[str]]) -> str:
    try:
        return await asyncio.wait_for(run(), _TIMEOUT)
    except TimeoutError:
        return "does not answer in time"
    except (DatabaseDown, asyncpg.PostgresError, RedisError, httpx.HTTPError, OSError) as fault:
        return f"down ({type(fault).__name__})"


@get("/health/live", opt={"public": True}, sync_to_thread=False)
def live() -> dict[str, str]:
    """The process turns."""
    return {"state": "live"}


@get("/health/ready", opt={"public": True})
async def ready(hub: NamedDependency[Hub], state: State) -> Response[Health]:
    """The whole is up (200), or what is not (503)."""
    parts = await _checked(hub, state)
    down = {name for name, word in parts.items() if word != "up"}
    if not down:
        state.was_ready = True
        return Response(Health("ready", parts))
    serving = bool(getattr(state, "was_ready", False)) and not down & _ESSENTIAL
    health = Health("degraded" if serving else "starting", parts)
    return Response(health, status_code=200 if serving else 503)


async def _checked(hub: Hub, state: State) -> dict[str, str]:
    """What ``check`` found within the last second, or finds now; one at a time."""
    now = hub.clock.monotonic()
    asked: asyncio.Future[dict[str, str]] | None = getattr(state, "health_asked", None)
    if asked is None or (asked.done() and now - state.health_asked_at > _FRESH_SECONDS):
        asked = state.health_asked = asyncio.ensure_future(check(hub))
        state.health_asked_at = now
    return await asyncio.shield(asked)


@get("/metrics", opt={"public": True}, include_in_schema=False)
async def metrics(
    request: Request[Any, Any, Any],
    settings: NamedDependency[Settings],
    hub: NamedDependency[Hub],
) -> Response[bytes]:
    """Prometheus text format, for who shows ``HUB_METRICS_TOKEN``; it may be unset anywhere but
    in production, where nobody gets anything without one."""
    right = settings.http.metrics_token.reveal()
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    known = bool(right) and compare_digest(given.encode(), right.encode())
    if not known and (right or settings.environment == "production"):
        raise NotFound("There is nothing here.")
    await _measure_backlog(hub)
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _measure_backlog(hub: Hub) -> None:
    """Measured where it is asked for: the relay, which may be down, could not tell of itself. With
    the database away the figures become NaN, which no alarm takes for "nothing waits"."""
    gauges = (OUTBOX_WAITING, OUTBOX_OLDEST, UNPUBLISHED)
    try:
        async with hub.database.connection() as connection:
            found = await backlog(connection)
    except (DatabaseDown, asyncpg.PostgresError, OSError):
        for gauge in gauges:
            gauge.set(math.nan)
        return
    age = (hub.clock.now() - found.oldest).total_seconds() if found.oldest else 0.0
    for gauge, value in zip(gauges, (found.waiting, age, found.unpublished), strict=True):
        gauge.set(value)


routes = [live, ready, metrics]
