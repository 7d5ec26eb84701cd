"""The process's subscriptions at one Redis server, over one connection.

Any failure (refused, reset, silent for 10 s, garbage) ends the connection and starts the next
attempt with a growing, jittered pause, for as long as the subscriber runs. After a reconnect
everything wanted is subscribed again and ``on_reconnected`` is called, because messages may be
missing.
"""

import asyncio
import logging
import random
from collections.abc import Callable

from hub.realtime.link import Address, Link

__all__ = ["Address", "Subscriber"]

logger = logging.getLogger(__name__)

_CONFIRMED_WITHIN = 5.0
_LONGEST_PAUSE = 2.0


class Subscriber:
    """Keeps wanted channels subscribed. Channels and messages are bytes.

    In a cluster ``on_refused(channel, fault)`` tells of channels that belong elsewhere and
    ``on_broken`` of every failed connection; the channels stay wanted until they are given up.
    """

    def __init__(
        self,
        address: Address,
        on_message: Callable[[bytes, bytes], None],
        on_reconnected: Callable[[], None],
        *,
        on_refused: Callable[[bytes, Exception | None], None] | None = None,
        on_broken: Callable[[], None] | None = None,
    ) -> None:
        self.address = address
        self._on_message = on_message
        self._on_reconnected = on_reconnected
        self._on_refused = on_refused or _tell_of_refusal
        self._on_broken = on_broken
        self._wanted: dict[bytes, asyncio.Future[None] | None] = {}
        self._link: Link | None = None

    @property
    def connected(self) -> bool:
        return self._link is not None

    async def subscribe(self, channel: bytes) -> None:
        """Returns once Redis has confirmed; waits as long as that takes."""
        if channel not in self._wanted:
            self.want(channel)
        waiting = self._wanted[channel]
        if waiting is not None:
            await asyncio.shield(waiting)

    def want(self, channel: bytes) -> None:
        """Subscribes without waiting; asks again for what was refused."""
        if self._wanted.get(channel) is None:
            self._wanted[channel] = asyncio.get_running_loop().create_future()
        if self._link is not None:
            self._link.join([channel])

    def unsubscribe(self, channel: bytes) -> None:
        if channel in self._wanted:
            waiting = self._wanted.pop(channel)
            if waiting is not None and not waiting.done():
                waiting.set_result(None)
            if self._link is not None:
                self._link.part(channel)

    async def run(self) -> None:
        """Connects, and connects again, until cancelled."""
        pause = 0.05
        connected_before = False
        while True:
            link = Link(self._on_message, self._confirmed, self._on_refused)
            try:
                await asyncio.wait_for(self.address.open(link), 2)
                await link.prepare(self.address.user, self.address.secret)
                self._link = link
                await self._subscribe_all(link)
                pause = 0.05
                if connected_before:
                    logger.warning("subscribed to Redis again")
                    self._on_reconnected()
                connected_before = True
                await link.watch()
            except Exception as fault:
                logger.warning("the subscription to Redis broke: %r", fault)
                if self._on_broken is not None:
                    self._on_broken()
            finally:
                self._link = None
                link.close()
            await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _subscribe_all(self, link: Link) -> None:
        """Asks for all that is wanted and waits for every confirmation."""
        loop = asyncio.get_running_loop()
        for channel, waiting in self._wanted.items():
            if waiting is None:
                self._wanted[channel] = loop.create_future()
        link.join(list(self._wanted))
        waiting_for = [each for each in self._wanted.values() if each is not None]
        if waiting_for:
            confirming = asyncio.ensure_future(asyncio.wait(waiting_for))
            watched = (confirming, link.closed)
            first = asyncio.FIRST_COMPLETED
            await asyncio.wait(watched, timeout=_CONFIRMED_WITHIN, return_when=first)
            if not confirming.done():
                confirming.cancel()
                raise TimeoutError("Redis does not confirm subscriptions")

    def _confirmed(self, channel: bytes) -> None:
        waiting = self._wanted.get(channel)
        if waiting is not None:
            self._wanted[channel] = None
            if not waiting.done():
                waiting.set_result(None)


def _tell_of_refusal(channel: bytes, fault: Exception | None) -> None:
    logger.warning("Redis refuses channel %r: %s", channel, fault or "dropped")
