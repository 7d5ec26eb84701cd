"""Jobs over SAQ, the receiving side: a hint wakes its duty in whichever worker gets it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from saq import Worker
from saq.types import Context

from hub.jobs import WAKE, Jobs
from hub.redis_client import RedisError
from hub.telemetry import logger
from workers.duties import Duties

__all__ = ["taking_hints"]

_RETRY_SECONDS = 2
_log = logger("jobs")


class _HintWorker(Worker[Any]):
    SIGNALS = []  # noqa: RUF012 - SAQ's own attribute; the process handles its signals itself


@asynccontextmanager
async def taking_hints(jobs: Jobs, duties: Duties) -> AsyncIterator[None]:
    """Hands hints on to ``duties`` while the block runs. A queue that is down slows nothing but
    the hints: it is tried again until it answers."""

    async def wake(_: Context, *, duty: str) -> None:
        duties.wake(duty)

    worker = _HintWorker(jobs.queue, functions=[(WAKE, wake)], concurrency=4)

    async def listen() -> None:
        while True:
            try:
                await worker.start()
            except (RedisError, OSError) as fault:
                _log.warning("hints are off until redis answers", fault=type(fault).__name__)
            await asyncio.sleep(_RETRY_SECONDS)

    listening = asyncio.ensure_future(listen())
    try:
        yield
    finally:
        listening.cancel()
        with contextlib.suppress(Exception, asyncio.CancelledError):
            await worker.stop()
