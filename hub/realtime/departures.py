"""Notices that a person is gone: no session left, on any node, for longer than a reconnect takes.

Whoever waits for that person's acknowledgement then need not wait any longer. A server that dies
tells of nobody, so this only ever shortens a wait and never replaces one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from hub.realtime.ports import Broker
from hub.realtime.tolerance import tolerating

__all__ = ["Departed", "Departures"]

Departed: TypeAlias = Callable[[Sequence[str]], Awaitable[None]]
"""Is told which persons have no session left."""

GRACE_SECONDS = 10
"""A client that lost its network comes back within seconds; who is away for longer has left."""


class Departures:
    """``tell`` is None where nobody wants to know; then nothing is remembered."""

    def __init__(self, broker: Broker, now: Callable[[], float], tell: Departed | None) -> None:
        self._broker = broker
        self._now = now
        self._tell = tell
        self._left: dict[str, tuple[float, str]] = {}

    def left(self, user: str, personal_channel: str | None) -> None:
        """A session of ``user`` ended; there may be others."""
        if self._tell is not None and user and personal_channel is not None:
            self._left[user] = (self._now() + GRACE_SECONDS, personal_channel)

    async def watch(self) -> None:
        """Looks after those who left, until cancelled."""
        while self._tell is not None:
            await asyncio.sleep(1)
            with tolerating("departures"):
                await self.look()

    async def look(self) -> None:
        """Tells of everybody whose time is up and who is nowhere present."""
        now, gone = self._now(), []
        for user, (due, channel) in list(self._left.items()):
            if due > now:
                continue
            if not await self._broker.presence(channel):
                gone.append(user)
            if self._left.get(user) == (due, channel):  # not left once more in the meantime
                del self._left[user]
        if gone and self._tell is not None:
            await self._tell(gone)
