"""Jobs over SAQ: hints that wake a duty of some worker. The sending side.

A job carries no facts, so a lost or repeated one changes nothing: duties read their work from
tables, and a hint only makes one run now instead of at its next turn.
"""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from saq.queue.redis import RedisQueue

from hub.redis_client import RedisError

__all__ = ["WAKE", "Jobs", "open_jobs"]

QUEUE = "hub"
WAKE = "wake"


class Jobs:
    """Sends hints."""

    def __init__(self, queue: RedisQueue) -> None:
        self.queue = queue

    async def wake(self, duty: str) -> None:
        """Asks for a duty to run now. Hints that wait are not doubled; a Redis that is down is no
        error, because duties poll too."""
        try:
            await self.queue.enqueue(WAKE, key=f"{WAKE}:{duty}", duty=duty, timeout=10, ttl=60)
        except (RedisError, OSError):
            return


@asynccontextmanager
async def open_jobs(url: str) -> AsyncIterator[Jobs]:
    """Jobs on ``HUB_JOBS_REDIS_URL``: one node, not a cluster."""
    queue = RedisQueue(Redis.from_url(url), name=QUEUE)  # its own from_url knows no sockets
    await queue.connect()
    try:
        yield Jobs(queue)
    finally:
        with contextlib.suppress(RedisError, OSError):  # a Redis that is away is left as well
            await queue.disconnect()
