"""The process's subscriptions in a Redis Cluster: one connection for each node that has some.

A channel belongs to the node that owns its hash slot. When a slot moves (``MOVED``, or the old
owner drops the subscription), a node dies or a replica takes over, the owners are learned again
and the channels follow; then ``on_reconnected`` is called, because messages may be missing. While
a shard has no owner its channels wait, and those of the other shards do not notice.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, cast

from redis.crc import key_slot

from hub.realtime.link import Address, Link
from hub.realtime.subscriber import Subscriber

__all__ = ["ClusterSubscriber"]

logger = logging.getLogger(__name__)

_PAUSE = 0.2


class ClusterSubscriber:
    """Keeps wanted channels subscribed where their slots are. ``seeds`` are nodes known so far."""

    def __init__(
        self,
        seeds: Sequence[Address],
        on_message: Callable[[bytes, bytes], None],
        on_reconnected: Callable[[], None],
    ) -> None:
        self._seeds = {seed.place: seed for seed in seeds}
        self._on_message = on_message
        self._on_reconnected = on_reconnected
        self._owners: dict[int, tuple[str, int]] = {}
        self._homes: dict[tuple[str, int], Subscriber] = {}
        self._wanted: dict[bytes, Subscriber | None] = {}
        self._refused: set[bytes] = set()
        self._trouble = asyncio.Event()
        self._learned = asyncio.Event()
        self._tasks: dict[Subscriber, asyncio.Task[None]] = {}
        self._moves: set[asyncio.Task[None]] = set()

    async def subscribe(self, channel: bytes) -> None:
        """Returns once the owner has confirmed; waits as long as that takes."""
        self._wanted.setdefault(channel, None)
        while channel in self._wanted:
            home = self._wanted[channel]
            if home is None:
                await self._learned.wait()
                home = self._wanted[channel] = self._home(channel)
                if home is None:  # nobody owns its slot now
                    self._learned.clear()
                    self._trouble.set()
                    continue
            await home.subscribe(channel)
            if self._wanted.get(channel) is home:
                return

    def unsubscribe(self, channel: bytes) -> None:
        home = self._wanted.pop(channel, None)
        self._refused.discard(channel)
        if home is not None:
            home.unsubscribe(channel)

    async def run(self) -> None:
        """Learns who owns what, and learns it again whenever something does not fit."""
        try:
            while True:
                try:
                    await self._learn()
                except (OSError, TimeoutError) as fault:
                    logger.warning("no node of the Redis Cluster answers: %r", fault)
                else:
                    self._trouble.clear()
                    self._learned.set()
                    self._settle()
                    await self._trouble.wait()
                await asyncio.sleep(random.uniform(_PAUSE / 2, _PAUSE))  # noqa: S311
        finally:
            running = [*self._tasks.values(), *self._moves]
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    # Who owns what

    def _home(self, channel: bytes) -> Subscriber | None:
        place = self._owners.get(key_slot(channel))
        if place is None:
            return None
        home = self._homes.get(place)
        if home is None:
            home = self._homes[place] = Subscriber(
                self._address(place),
                self._on_message,
                self._on_reconnected,
                on_refused=self._refuse,
                on_broken=self._trouble.set,
            )
            self._tasks[home] = asyncio.ensure_future(home.run())
        return home

    def _address(self, place: tuple[str, int]) -> Address:
        known = self._seeds.get(place)
        if known is None:
            known = self._seeds[place] = next(iter(self._seeds.values())).at(*place)
        return known

    async def _learn(self) -> None:
        """Asks one node after the other for the owners of all slots."""
        fault: Exception = OSError("no node is known")
        for seed in sorted(self._seeds.values(), key=lambda each: each.place in self._broken()):
            link = Link(_ignore, _ignore, _ignore)
            try:
                await asyncio.wait_for(seed.open(link), 2)
                await link.prepare(seed.user, seed.secret)
                ranges = await link.ask(b"CLUSTER", b"SLOTS")
                self._owners = dict(_owners(cast("list[Any]", ranges), seed))
                return
            except Exception as failed:
                fault = failed
            finally:
                link.close()
        raise OSError(f"{fault!r}")

    def _broken(self) -> set[tuple[str, int]]:
        return {place for place, home in self._homes.items() if not home.connected}

    # Following the slots

    def _refuse(self, channel: bytes, fault: Exception | None) -> None:
        """A node does not serve a channel (any longer). ``MOVED`` says who does."""
        if channel not in self._wanted:
            return
        self._refused.add(channel)
        word, _, rest = str(fault or "").partition(" ")
        if word == "MOVED":
            with suppress(ValueError):
                slot, _, where = rest.partition(" ")
                host, _, port = where.rpartition(":")
                old = self._wanted[channel]
                place = (host or (old.address.host if old else ""), int(port))
                self._owners[int(slot)] = place
                self._follow([channel])
                return
        self._trouble.set()

    def _settle(self) -> None:
        """Brings every channel to the owner just learned, and lets go of nodes without any."""
        self._follow([channel for channel, home in self._wanted.items() if home is not None])
        needed = {home for home in self._wanted.values() if home is not None}
        owners = set(self._owners.values())
        for place, home in list(self._homes.items()):
            if home not in needed and place not in owners:
                del self._homes[place]
                self._tasks.pop(home).cancel()

    def _follow(self, channels: Iterable[bytes]) -> None:
        arriving: dict[Subscriber, list[bytes]] = {}
        for channel in channels:
            old, home = self._wanted[channel], self._home(channel)
            if home is None:
                self._trouble.set()
            elif home is not old:
                self._wanted[channel] = home
                if old is not None:
                    old.unsubscribe(channel)  # those who wait there see that it has moved
                arriving.setdefault(home, []).append(channel)
            elif channel in self._refused:
                home.want(channel)
                arriving.setdefault(home, []).append(channel)
            self._refused.discard(channel)
        for home, moved in arriving.items():
            task = asyncio.ensure_future(self._arrive(home, moved))
            self._moves.add(task)
            task.add_done_callback(self._moves.discard)

    async def _arrive(self, home: Subscriber, channels: list[bytes]) -> None:
        await asyncio.gather(*(home.subscribe(channel) for channel in channels))
        logger.warning("%d channels are subscribed at another node", len(channels))
        self._on_reconnected()


def _owners(ranges: list[Any], asked: Address) -> Iterable[tuple[int, tuple[str, int]]]:
    """From ``CLUSTER SLOTS``: ranges of slots, each with its primary and then its replicas."""
    for first, last, primary, *_ in ranges:
        place = ((primary[0] or b"").decode() or asked.host, int(primary[1]))
        for slot in range(first, last + 1):
            yield slot, place


def _ignore(*_: object) -> None:
    return None
