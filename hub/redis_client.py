"""Redis: the one place where clients are made.

Redis holds nothing that cannot be rebuilt from PostgreSQL. Clients decode nothing (bytes in, bytes
out) and retry a lost connection; a caller that cannot go on without Redis says so in its own words.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

__all__ = ["RedisClient", "RedisError", "open_redis"]

RedisClient: TypeAlias = Redis


@asynccontextmanager
async def open_redis(url: str) -> AsyncIterator[RedisClient]:
    """A pooled client for one node; ``unix://`` and ``redis://`` addresses both work."""
    client: RedisClient = Redis.from_url(
        url,
        socket_connect_timeout=2,
        socket_timeout=5,
        health_check_interval=30,
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), retries=3),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
    )
    try:
        yield client
    finally:
        await client.aclose()
