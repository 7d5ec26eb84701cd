"""What a stream held after an offset: from the broker if it still has all of it, else PostgreSQL.

The broker is only a cache. Its answer counts if the epoch is the asked one and the publications
run without a hole from the asked offset to its top; anything else (a hole, an empty stream, no
meta key, Redis down) sends us to the durable streams, where there are any. A client that was away
for more than 2,000 publications or 768 KiB is told so, and pages with ``history`` or ``sync``.
"""

from collections.abc import Mapping, Sequence

import msgspec

from hub.clock import milliseconds
from hub.realtime.errors import BrokerDown
from hub.realtime.metrics import Tally
from hub.realtime.namespaces import Namespace
from hub.realtime.ports import Broker, DurableStreams, StreamEntry, StreamPosition
from hub.realtime.publication import History, Position, Publication

__all__ = ["Histories", "Missed", "contiguous", "newer"]

MOST_PUBLICATIONS = 2_000
MOST_BYTES = 768 * 1024
_PAGE = 500
_NEVER_WRITTEN = Position(0, "")


class Missed(msgspec.Struct, frozen=True):
    """What came after a position. ``whole`` is False where it cannot be had without a gap;
    ``publications`` is empty then."""

    top: Position
    publications: list[Publication]
    whole: bool


def contiguous(publications: Sequence[Publication], after: int, upto: int) -> bool:
    """Whether offsets run from ``after + 1`` to ``upto`` without a hole."""
    return len(publications) == upto - after and all(
        publication.offset == after + place for place, publication in enumerate(publications, 1)
    )


def newer(stored: Position, remembered: Position | None) -> Position:
    """Which of PostgreSQL and the broker is ahead. PostgreSQL's mark follows the broker's by a
    moment; the broker may have lost its memory, or know another epoch, which does not count."""
    if remembered is None or (stored.epoch and stored.epoch != remembered.epoch):
        return stored
    return remembered if remembered.offset > stored.offset else stored


class Histories:
    """Reads streams through both memories. ``streams`` is None in a server without durability."""

    def __init__(
        self,
        broker: Broker,
        streams: DurableStreams | None,
        tally: Tally | None = None,
        *,
        most_publications: int = MOST_PUBLICATIONS,
    ) -> None:
        self._most = most_publications
        self._tally = tally or Tally()
        self._broker = broker
        self._streams = streams

    async def top(self, namespace: Namespace, channel: str) -> Position:
        """Where the stream stands. Raises ``BrokerDown`` or ``DatabaseDown``."""
        try:
            known = await self._broker.position(channel)
        except BrokerDown:
            if not self._durable(namespace):
                raise
            known = None
        if known is not None:
            return known
        return await self.durable_top(namespace, channel)

    async def durable_top(self, namespace: Namespace, channel: str) -> Position:
        """The published top in PostgreSQL; of an ephemeral stream, that it was never written."""
        if (streams := self._durable(namespace)) is None:
            return _NEVER_WRITTEN
        return _plain(await streams.position(channel))

    async def tops(self, channels: Sequence[tuple[Namespace, str]]) -> list[Position]:
        """Where many streams stand, with one question to each memory. What the broker does not
        know, or does not answer, it is not ahead in. Raises ``DatabaseDown``."""
        names = [name for _, name in channels]
        try:
            remembered = await self._broker.positions(names)
        except BrokerDown:
            remembered = [None] * len(names)
        durable = [name for namespace, name in channels if self._durable(namespace)]
        stored: Mapping[str, StreamPosition] = {}
        if durable and self._streams is not None:
            stored = await self._streams.positions(durable)
        tops = ((stored.get(name), top) for name, top in zip(names, remembered, strict=True))
        return [newer(_plain(position), top) for position, top in tops]

    async def since(
        self, namespace: Namespace, channel: str, after: Position, *, known: int = 0
    ) -> Missed:
        """Everything past ``after`` (its epoch may be empty: any). Raises like ``top``.

        ``known`` is an offset known to exist: a broker whose top is lower has lost its newest.
        """
        self._tally.of(namespace.name).history_reads += 1
        remembered = await self._remembered(namespace, channel, after)
        if remembered is not None and remembered.top.offset < known and self._durable(namespace):
            remembered = None
        streams = self._durable(namespace)
        if remembered is not None and (remembered.whole or streams is None):
            return remembered
        if streams is None:
            return Missed(_NEVER_WRITTEN, [], after.offset == 0 and not after.epoch)
        top = await self.durable_top(namespace, channel)
        if after.epoch not in ("", top.epoch) or after.offset > top.offset:
            return Missed(top, [], whole=False)
        if top.offset - after.offset > self._most:
            return Missed(top, [], whole=False)
        found: list[Publication] = []
        size = 0
        while len(found) < top.offset - after.offset:
            start = after.offset + len(found)
            page = await streams.read(channel, after=start, limit=_PAGE)
            found += (_publication(entry) for entry in page if entry.offset <= top.offset)
            size += sum(len(entry.data) for entry in page)
            if not page or size > MOST_BYTES:
                break
        if size > MOST_BYTES or not contiguous(found, after.offset, top.offset):
            return Missed(top, [], whole=False)
        return Missed(top, found, whole=True)

    async def page(
        self, namespace: Namespace, channel: str, *, after: int, limit: int, reverse: bool
    ) -> History:
        """A page for ``history`` and ``sync``: durable streams always from PostgreSQL."""
        self._tally.of(namespace.name).history_reads += 1
        if (streams := self._durable(namespace)) is None:
            read = self._broker.read(channel, after=after, limit=limit, reverse=reverse)
            return await read or History(_NEVER_WRITTEN, [])
        top = await self.durable_top(namespace, channel)
        if limit == 0:
            return History(top, [])
        entries = await streams.read(channel, after=after, limit=limit, reverse=reverse)
        return History(top, [_publication(entry) for entry in entries])

    async def newest(self, channel: str) -> History:
        """The last publication of an ephemeral stream, for cache recovery."""
        read = await self._broker.read(channel, limit=1, reverse=True)
        return read or History(_NEVER_WRITTEN, [])

    async def _remembered(
        self, namespace: Namespace, channel: str, after: Position
    ) -> Missed | None:
        """The broker's answer; None where it has none or does not matter."""
        try:
            history = await self._broker.read(channel, after=after.offset, limit=self._most)
        except BrokerDown:
            if self._durable(namespace) is None:
                raise
            return None
        if history is None:
            return None
        fits = after.epoch in ("", history.top.epoch) and (
            contiguous(history.publications, after.offset, history.top.offset)
            and sum(len(each.data) for each in history.publications) <= MOST_BYTES
        )
        return Missed(history.top, history.publications if fits else [], whole=fits)

    def _durable(self, namespace: Namespace) -> DurableStreams | None:
        return self._streams if namespace.durable else None


def _plain(position: StreamPosition | None) -> Position:
    return Position(position.offset, position.epoch) if position else _NEVER_WRITTEN


def _publication(entry: StreamEntry) -> Publication:
    return Publication(entry.offset, entry.data, time_ms=milliseconds(entry.recorded_at))
