"""A channel in this process: its members, its position, and one frame for all of them.

Every member stands at the channel's own position, so order and gaps are checked once per message
and not once per session. A member is added only in the moment in which it stands there too
(``admit``). A gap is mended from the stream before anything later is delivered; only a stream
that cannot be read without a hole makes members start again (2500, 3010).

What one turn of the event loop brings is joined: one frame per encoding, written to all.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from hub.realtime.codes import WRONG_PROTOCOL
from hub.realtime.histories import Missed, contiguous
from hub.realtime.namespaces import Namespace
from hub.realtime.publication import Message, Position, Publication
from hub.realtime.wishes import Group, Wish, Wishers

if TYPE_CHECKING:
    from hub.realtime.codec import Codec
    from hub.realtime.encoding import Encoding
    from hub.realtime.node import Node
    from hub.realtime.session import Session

__all__ = ["Channel"]

logger = logging.getLogger(__name__)

_JOIN_BYTES = 128 * 1024
_PATIENCE = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
_LONGEST_WAIT = 5.0
_MOST_READS = 12  # about half a minute


class Channel:
    """Live members of one channel. ``holds`` counts those on their way in."""

    __slots__ = (
        "_batch",
        "_batch_bytes",
        "_establishing",
        "_flush_due",
        "_groups",
        "_holds",
        "_known",
        "_mending",
        "_node",
        "_reach",
        "_recorded",
        "_wishers",
        "checked_at",
        "epoch",
        "established",
        "heard",
        "listeners",
        "name",
        "namespace",
        "offset",
        "subscribing",
    )

    def __init__(self, node: "Node", name: str, namespace: Namespace) -> None:
        self._node = node
        self.name = name
        self.namespace = namespace
        self.epoch = ""
        self.offset = 0
        self.established = False
        self.checked_at = node.now()
        self.heard = False
        self.subscribing: asyncio.Future[None] | None = None
        self.listeners: set[Session] | None = None
        self._establishing: asyncio.Future[None] | None = None
        self._mending: asyncio.Future[None] | None = None
        self._groups: dict[Encoding, dict[Session, Callable[[bytes], None]]] = {}
        self._wishers: Wishers | None = None
        self._batch: list[Publication] = []
        self._batch_bytes = 0
        self._flush_due = False
        self._holds = self._known = 0
        self._recorded: list[Message] = []
        self._reach = 0

    # Members

    @property
    def members(self) -> "list[Session]":
        members = [session for group in self._groups.values() for session in group]
        return members + self._wishers.members if self._wishers else members

    @property
    def unused(self) -> bool:
        return not (self._groups or self._wishers or self._holds)

    def add(
        self,
        session: "Session",
        *,
        listens: bool = False,
        wish: Wish | None = None,
        last: Publication | None = None,
    ) -> None:
        """Makes a session a member, at the channel's position, from the next flush on. ``last``
        is the last publication its answer held, which patches may build on."""
        self._node.tally.of(self.namespace.name).subscriptions += 1
        if wish is None:
            self._groups.setdefault(session.encoding, {})[session] = session.transport.write
        else:
            self._wishers = self._wishers or Wishers()
            self._wishers.add(session, wish, last)
        if listens:
            self.listeners = self.listeners or set()
            self.listeners.add(session)

    def remove(self, session: "Session") -> None:
        group = self._groups.get(session.encoding)
        if group is not None and group.pop(session, None) is not None and not group:
            del self._groups[session.encoding]
        if self._wishers is not None:
            self._wishers.remove(session)
            self._wishers = self._wishers or None
        if self.listeners is not None:
            self.listeners.discard(session)
        self._node.let_go(self)

    async def admit(self, after: Position | None) -> Missed:
        """What a newcomer that stands at ``after`` (None: wants nothing old) has missed.

        When it returns, the newcomer stands where the channel stands and is held there: the
        caller adds it before waiting for anything else, or not at all, and then calls
        ``release``. Raises ``BrokerDown`` or ``DatabaseDown``.
        """
        self._holds += 1
        try:
            await self._node.subscribed(self)
            await self._establish()
            missed = await self._missed(after)
        except BaseException:
            self.release()
            raise
        self.flush()  # so that the newcomer does not get what its answer already covers
        return missed

    def release(self) -> None:
        """Ends the hold of one ``admit``."""
        self._holds -= 1
        if not self._holds and self._mending is None:
            self._recorded.clear()
        self._node.let_go(self)

    async def _missed(self, after: Position | None) -> Missed:
        if self.namespace.cache:
            return await self._newest(after)
        nothing_lost = after is None or not self.namespace.positioned
        for wait in _PATIENCE:
            if self._mending is not None:
                await asyncio.shield(self._mending)
            here = Position(self.offset, self.epoch)
            if nothing_lost or after is None:
                return Missed(here, [], whole=False)
            if after.epoch not in ("", self.epoch):
                return Missed(here, [], whole=False)
            if after.offset == self.offset:
                return Missed(here, [], whole=True)
            read = await self._node.histories.since(
                self.namespace, self.name, after, known=self.offset
            )
            if self._mending is not None:
                continue
            found = self._merge(read.publications, after.offset)
            if contiguous(found, after.offset, self.offset):
                return Missed(Position(self.offset, self.epoch), found, whole=True)
            if not read.whole and after.offset < self.offset:
                break  # it was cut off by retention, or is too much at once
            if read.top.offset > self.offset:
                self.mend(read.top.offset)  # seen on another node, still on its way here
            await asyncio.sleep(wait)
        return Missed(Position(self.offset, self.epoch), [], whole=False)

    async def _newest(self, after: Position | None) -> Missed:
        here = Position(self.offset, self.epoch)
        if after is None:
            return Missed(here, [], whole=False)
        if after == here and self.offset:
            return Missed(here, [], whole=True)
        newest = await self._node.histories.newest(self.name)
        found = newest.publications
        return Missed(Position(self.offset, self.epoch), found, whole=bool(found))

    def _merge(self, read: list[Publication], after: int) -> list[Publication]:
        """What was read and what arrived meanwhile, up to the channel's position."""
        known = {publication.offset: publication for publication in read}
        for message in self._recorded:
            if message.epoch == self.epoch:
                known.setdefault(message.publication.offset, message.publication)
        return [known[offset] for offset in sorted(known) if after < offset <= self.offset]

    def arrived_since(self, offset: int) -> list[Publication]:
        """What arrived past ``offset`` while somebody is held here."""
        return self._merge([], offset)

    # Position

    async def _establish(self) -> None:
        """Learns where the stream stands, once for all who come in together."""
        if self.established or not self.namespace.numbered:
            return
        if self._establishing is None:
            self._establishing = self._node.spawn(self._find_top())
        await asyncio.shield(self._establishing)

    async def _find_top(self) -> None:
        try:
            top = await self._node.histories.top(self.namespace, self.name)
            self.epoch, self.offset, self.established = top.epoch, top.offset, True
            self.checked_at = self._node.now()
            for message in list(self._recorded):
                self._advance(message)
        finally:
            self._establishing = None

    def receive(self, message: Message) -> None:
        """Takes what the broker brings."""
        publication = message.publication
        if message.kind != b"p":
            self._tell_listeners(message)
        elif not publication.offset:
            self._queue(publication)
        else:
            if self._holds or self._mending is not None:
                self._recorded.append(message)
            if self.established and self._mending is None:
                self._advance(message)

    def _advance(self, message: Message) -> None:
        publication = message.publication
        if not self.namespace.positioned:
            if message.epoch == self.epoch and publication.offset <= self.offset:
                return
        elif message.epoch != self.epoch and (self.epoch or publication.offset != 1):
            self.mend(publication.offset)
            return
        elif publication.offset <= self.offset:
            return  # a repeat: the relay publishes again what it is not sure of
        elif publication.offset > self.offset + 1:
            self.mend(publication.offset)
            return
        self.epoch, self.offset = message.epoch, publication.offset
        self._queue(publication)

    def mend(self, known: int) -> None:
        """Reads what is missing and delivers it before anything that came later; the stream is
        known to reach at least to offset ``known``."""
        self._known = max(self._known, known)
        if self._mending is None:
            self._mending = self._node.spawn(self._mend())

    async def _mend(self) -> None:
        waits, reads = iter(_PATIENCE), 0
        try:
            while not self.unused:
                await asyncio.sleep(next(waits, _LONGEST_WAIT))
                try:
                    after = Position(self.offset, self.epoch)
                    read = await self._node.histories.since(
                        self.namespace, self.name, after, known=self._known
                    )
                except Exception:
                    # Redis and PostgreSQL may both be away; the members keep their place
                    logger.exception("could not read what channel %s is missing", self.name)
                    continue
                if not read.whole and self._is_lost(read.top):
                    self._start_again(read.top)
                    return
                if self._catch_up(read):
                    return
                reads += 1
                if reads > _MOST_READS:
                    logger.error("channel %s has a gap that nobody can fill", self.name)
                    self._start_again(read.top)
                    return
        finally:
            self._mending, self._known = None, 0
            if not self._holds:
                self._recorded.clear()
            self._node.let_go(self)

    def _is_lost(self, top: Position) -> bool:
        """Whether waiting cannot help: another epoch, or more than can be read at once."""
        return top.epoch not in ("", self.epoch) or top.offset > self.offset

    def _catch_up(self, read: Missed) -> bool:
        """Delivers what was read and what arrived meanwhile; False if there is still a gap."""
        epoch = self.epoch or read.top.epoch
        known = {each.offset: each for each in read.publications}
        known.update((m.publication.offset, m.publication) for m in self._recorded
                     if m.epoch == epoch)  # fmt: skip
        self.epoch = epoch
        while (following := known.get(self.offset + 1)) is not None:
            self.offset += 1
            self._queue(following)
        return max(known, default=self._known) <= self.offset >= self._known

    def check(self, top: Position) -> None:
        """Compares with the stream's stored top, for messages that never arrived."""
        self.checked_at = self._node.now()
        if not self.established or self._mending is not None:
            return
        if top.offset and (top.epoch != self.epoch or top.offset > self.offset):
            self.mend(top.offset)

    def _start_again(self, top: Position) -> None:
        """The stream cannot be followed without a gap: members must reload."""
        self.flush()
        self.epoch, self.offset = top.epoch, top.offset
        for session in self.members:
            session.lost_track(self)

    # Delivery

    def _queue(self, publication: Publication) -> None:
        if not self._groups and not self._wishers:
            return
        if publication.binary:
            self._spare_json()
        self._batch.append(publication)
        self._batch_bytes += len(publication.data)
        if self.namespace.personal and self._node.reaches(publication.data):
            self._reach = publication.offset
        self._node.joining.arrived += 1
        if self._batch_bytes > _JOIN_BYTES:
            self.flush()
        elif not self._flush_due:
            self._flush_due = True
            self._node.joining.add(self)

    def flush_in_turn(self) -> None:
        self._flush_due = False
        self.flush()

    def flush(self) -> None:
        """Writes what has gathered: one frame per encoding, the same bytes to every member."""
        if not self._batch:
            return
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        counts = self._node.tally.of(self.namespace.name)
        counts.publications += len(batch)
        plain: dict[Codec, list[bytes]] = {}
        for encoding, group in self._groups.items():
            encode = encoding.codec.publication
            messages = [encode(self.name, each) for each in batch]
            if self._wishers is not None:
                plain[encoding.codec] = messages
            self._write(encoding.frame(messages), group)
            counts.deliveries += len(group) * len(batch)
        if self._wishers is not None:
            patches_all = self.namespace.delta_publish
            frames = self._wishers.frames(self.name, batch, plain, patches_all=patches_all)
            for frame, group, count in frames:
                self._write(frame, group)
                counts.deliveries += len(group) * count
        self.checked_at = self._node.now()
        if self._reach:
            reach, self._reach = self._reach, 0
            for session in self.members:
                session.owes_acknowledgement(reach)

    def _write(self, frame: bytes, group: Group) -> None:
        for session, write in group.items():
            try:
                write(frame)
            except Exception:
                # A broken connection ends alone: the others still get their frame
                self._node.call_soon(session.lost)

    def _spare_json(self) -> None:
        """Data that is not JSON makes a frame that JSON clients cannot take apart."""
        for session in self.members:
            if not session.encoding.codec.binary:
                session.close(WRONG_PROTOCOL)

    def _tell_listeners(self, message: Message) -> None:
        if not self.listeners:
            return
        self.flush()
        kind = "join" if message.kind == b"j" else "leave"
        for session in self.listeners:
            codec = session.encoding.codec
            session.push(codec.presence_change(self.name, kind, message.publication.data))
