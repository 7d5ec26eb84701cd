"""What a worker does over and over, each duty in a loop of its own.

A duty reads its work from tables, so it needs nobody to tell it: it runs every few seconds, and at
once when a job wakes it. Jobs (SAQ, over Redis) are hints; losing all of them costs seconds. Any
number of workers may run: duties take rows with SKIP LOCKED.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import msgspec

from hub.database import DatabaseDown
from hub.redis_client import RedisError
from hub.telemetry import logger

__all__ = ["Duties", "Duty"]

_log = logger("worker")
_LONGEST_PAUSE = 30.0


class Duty(msgspec.Struct, frozen=True):
    """``run`` does what is due now; it is called at least every ``every_seconds``."""

    name: str
    every_seconds: float
    run: Callable[[], Awaitable[object]]


class Duties:
    """Runs duties until cancelled; a failing one backs off and never stops the others."""

    def __init__(self, duties: list[Duty]) -> None:
        self._duties = duties
        self._woken = {duty.name: asyncio.Event() for duty in duties}

    def wake(self, name: str) -> None:
        """Makes a duty run at once (or once more, if it runs right now)."""
        if name in self._woken:
            self._woken[name].set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for duty in self._duties:
                group.create_task(self._loop(duty), name=f"duty-{duty.name}")

    async def _loop(self, duty: Duty) -> None:
        woken, failures = self._woken[duty.name], 0
        while True:
            woken.clear()
            try:
                await duty.run()
                failures = 0
            except (DatabaseDown, RedisError, OSError) as fault:
                failures += 1
                _log.warning(
                    "a duty waits for a server that is away",
                    duty=duty.name,
                    fault=type(fault).__name__,
                )
            except Exception as fault:
                failures += 1
                _log.error("a duty failed and will be tried again", duty=duty.name, exc_info=fault)
            pause = min(duty.every_seconds * 2**failures, _LONGEST_PAUSE) if failures else None
            # Not wait_for: on 3.11 it may swallow a cancellation that comes with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause or duty.every_seconds):
                    await woken.wait()
