"""Rate limits: token buckets in Redis, one round trip a take, shared by all processes.

A bucket holds ``burst`` tokens and refills by ``rate_per_minute``. Limits protect, they do not
decide about money: while Redis is down everything passes (logged), and for a second after a
failure Redis is not asked again, so that a dead Redis does not slow every request. Keys are never
personal data: callers use blind indexes for phone numbers.
"""

import asyncio
from collections.abc import Awaitable, Callable
from importlib.resources import files
from ipaddress import IPv4Address, ip_address, ip_network
from math import ceil
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from hub.clock import Clock, milliseconds
from hub.errors import TooManyRequests
from hub.redis_client import RedisClient, RedisError
from hub.telemetry import logger

__all__ = ["Limits", "RateLimited", "address_of", "limit_by_address", "limit_by_person"]

_log = logger("limits")

_PREFIX = "hub:limit:"
_PATIENCE = 0.5  # seconds Redis may take for one bucket
_PAUSE = 1.0  # seconds without asking after a failure


class RateLimited(TooManyRequests):
    """A bucket is empty; ``retry_after`` seconds until it holds enough."""

    kind = "rate_limited"


class Limits:
    """Buckets in one Redis."""

    def __init__(self, redis: RedisClient, clock: Clock) -> None:
        self._clock = clock
        self._script = redis.register_script(files("hub").joinpath("limits.lua").read_text("utf-8"))
        self._ask_again = float("-inf")

    async def take(self, key: str, *, rate_per_minute: float, burst: int, cost: int = 1) -> None:
        """Takes ``cost`` tokens from bucket ``key``. Raises ``RateLimited``; then takes none."""
        if self._clock.monotonic() < self._ask_again:
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                taken, wait_ms = await self._script(
                    keys=[_PREFIX + key],
                    args=[rate_per_minute, burst, milliseconds(self._clock.now()), cost],
                )
        except (RedisError, OSError, TimeoutError) as fault:
            self._ask_again = self._clock.monotonic() + _PAUSE
            _log.warning("rate limits are off: Redis does not answer", fault=type(fault).__name__)
            return
        if not taken:
            raise RateLimited(
                "Too many requests. Try again later.", retry_after=max(1, ceil(wait_ms / 1000))
            )


Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]


def address_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """The caller's address, as the server (or a proxy that it trusts) gives it.

    Of an IPv6 address only the network of 64 bits: a single customer has all of it.
    """
    host = connection.client.host if connection.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host or "unknown"
    if isinstance(address, IPv4Address):
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network((int(address), 64), strict=False))


def limit_by_address(name: str, *, rate_per_minute: float, burst: int) -> Guard:
    """A Litestar guard: one bucket per caller's address and ``name``.

    Guards get no injected dependencies, so it finds the ``Limits`` in ``app.state.hub``.
    """

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        limits: Limits = connection.app.state.hub.limits
        await limits.take(
            f"{name}:{address_of(connection)}", rate_per_minute=rate_per_minute, burst=burst
        )

    return guard


def limit_by_person(name: str, *, rate_per_minute: float, burst: int) -> Guard:
    """As ``limit_by_address``, with a bucket per signed-in person."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        limits: Limits = connection.app.state.hub.limits
        user = connection.scope.get("user")
        who = user.actor if user is not None else address_of(connection)
        await limits.take(f"{name}:{who}", rate_per_minute=rate_per_minute, burst=burst)

    return guard
