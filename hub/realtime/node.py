"""The real-time server of one process: its sessions, its channels, and what they need.

A node starts nothing by itself: ``running`` connects the broker and turns the wheel, transports
bring sessions by ``open``. Whatever fails in the background is logged and tried again; nothing
here ends silently.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from prometheus_client import REGISTRY

from hub.clock import Clock
from hub.errors import HubError
from hub.ids import new_id
from hub.realtime.channel import Channel
from hub.realtime.codes import INTERNAL, SERVER_ERROR, SHUTDOWN, Disconnect, Error
from hub.realtime.control import about, answer
from hub.realtime.departures import Departed, Departures
from hub.realtime.emulation import Emulation
from hub.realtime.encoding import Encoding
from hub.realtime.errors import BrokerDown
from hub.realtime.histories import Histories
from hub.realtime.joining import Joining
from hub.realtime.limits import Limits, Occupancy, Pace
from hub.realtime.metrics import NodeCollector, Tally
from hub.realtime.namespaces import Namespaces
from hub.realtime.peers import EVERY_NODE, Peers
from hub.realtime.policies import ClientPolicy, Terms, may_enter
from hub.realtime.ports import (
    Acknowledgements,
    Authenticator,
    Broker,
    DurableStreams,
    Permission,
    RpcHandler,
    SubscriptionTokens,
    Transport,
)
from hub.realtime.publication import Message
from hub.realtime.reaching import Reaching
from hub.realtime.session import Session
from hub.realtime.tolerance import tolerating
from hub.realtime.wheel import Wheel
from hub.realtime.wire import Command

__all__ = ["Node"]

logger = logging.getLogger(__name__)

_PRESENCE_SECONDS = 27
_CHECK_SECONDS = 40
_SUBSCRIBE_SECONDS = 3
_CHECKED_AT_ONCE = 500
_STOP_SECONDS = 1


class Node:
    """Composition of the real-time server; see the Protocols in ``ports`` for its parts.

    ``permissions`` are asked for channels of ``members_only`` namespaces, by namespace name.
    ``rpc`` adds procedures to ``ack``, ``seen``, ``typing`` and ``sync``. ``reaches`` tells by
    an event's kind whether it must reach its person; by default the catalogue of events does.
    ``client`` is what holds for every connection. Without ``subscription_tokens`` a token for a
    channel means nothing; without ``acknowledgements`` nobody is told what arrived. ``departed``
    is told who has no session left.
    """

    def __init__(
        self,
        *,
        broker: Broker,
        namespaces: Namespaces,
        authenticator: Authenticator,
        acknowledgements: Acknowledgements | None = None,
        clock: Clock,
        streams: DurableStreams | None = None,
        permissions: Mapping[str, Permission] | None = None,
        rpc: Mapping[str, RpcHandler] | None = None,
        reaches: Callable[[str], bool] | None = None,
        limits: Limits | None = None,
        client: ClientPolicy | None = None,
        subscription_tokens: SubscriptionTokens | None = None,
        departed: Departed | None = None,
    ) -> None:
        self.broker = broker
        self.namespaces = namespaces
        self.authenticator = authenticator
        self.acknowledgements = acknowledgements
        self.clock = clock
        self.streams = streams
        self.permissions = permissions or {}
        self.rpc = rpc or {}
        self.reaches = Reaching(reaches)
        self.client = client or ClientPolicy()
        self.subscription_tokens = subscription_tokens
        self.has_procedures = bool(rpc) or acknowledgements is not None
        most = self.client.recovery_max_publication_limit
        self.limits = limits or Limits()
        self.ping_seconds = self.limits.ping_seconds
        self.pace = Pace(self.limits)
        self.addresses = Occupancy(self.limits.per_address)
        self.people = Occupancy(self.limits.per_person)
        self.emulation = Emulation(broker, str(new_id(clock.now())))
        self.peers = Peers(
            broker, self.emulation.node_id, partial(answer, self), partial(about, self)
        )
        self._between_nodes = {
            self.emulation.address: self.emulation.receive,
            self.peers.address: self.peers.receive,
            EVERY_NODE: self.peers.receive,
        }
        self.tally = Tally(each.name for each in namespaces)
        self.histories = Histories(broker, streams, self.tally, most_publications=most)
        self.sessions: set[Session] = set()
        self.now = clock.monotonic
        self.departures = Departures(broker, self.now, departed)
        self.joining = Joining(self.now)
        self.started_at = clock.monotonic()
        self.wheel = Wheel(clock.monotonic())
        self._channels: dict[str, Channel] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = False
        self._grants_presence = False  # by tokens, where the namespace itself has none

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Node"]:
        """Serves until the block ends; then every session still open is closed with 3001."""
        self._loop = asyncio.get_running_loop()
        collector = NodeCollector(self)
        REGISTRY.register(collector)
        try:
            async with self.broker.running(self._receive, self._reconnected):
                work = (
                    self._turn(),
                    self._refresh_presence(),
                    self._check_positions(),
                    self.emulation.keep_present(),
                    self.peers.keep_present(),
                    self.departures.watch(),
                )
                loops = [self.spawn(each) for each in work]
                try:
                    yield self
                finally:
                    self.close_sessions()
                    for loop in loops:
                        loop.cancel()
                    self.spawn(self.emulation.leave())
                    self.spawn(self.peers.leave())
                    await self._stop_tasks()
        finally:
            REGISTRY.unregister(collector)

    def close_sessions(self) -> None:
        """Asks every client to come back elsewhere."""
        self._closing = True
        for session in list(self.sessions):
            session.close(SHUTDOWN)

    # Sessions

    def open(
        self,
        transport: Transport,
        encoding: Encoding,
        *,
        address: str = "",
        emulated: bool = False,
    ) -> Session:
        """A session for a connection whose handshake is done. ``address`` is whom it counts for;
        ``emulated``: its commands come as requests of their own."""
        session = Session(self, transport, encoding, str(new_id(self.clock.now())))
        session.address = address
        self.addresses.enter(address)
        if emulated:
            session.secret = self.emulation.register(session)
        self.sessions.add(session)
        if self._closing:
            session.close(SHUTDOWN)
        return session

    def drain(self, session: Session) -> None:
        """Asks one client to come back elsewhere, at a random moment of the drain time: all at
        once they would fall on the next node together."""
        wait = random.uniform(0, self.limits.drain_seconds)  # noqa: S311
        if wait:
            asyncio.get_running_loop().call_later(wait, session.close, SHUTDOWN)
        else:
            session.close(SHUTDOWN)

    def ended(self, session: Session, why: Disconnect) -> None:
        self.sessions.discard(session)
        self.addresses.leave(session.address)
        self.people.leave(session.user)
        personal = self.namespaces.personal_channel(session.user)
        self.departures.left(session.user, personal)
        if session.secret:
            self.emulation.forget(session.secret)
        counts = self.tally.disconnects
        counts[why.code] = counts.get(why.code, 0) + 1

    def fault(self, command: Command, fault: Exception) -> Error | Disconnect:
        """What a client is told when a command failed for a reason that is not the client's."""
        self.tally.faults += 1
        if isinstance(fault, HubError):
            logger.warning("a command could not be served: %s", fault.message)
        else:
            logger.error("a command failed", exc_info=fault)
            if command.connect is not None:
                return SERVER_ERROR
        return INTERNAL

    def acknowledge(self, session: Session, offset: int) -> None:
        """Notes that everything up to ``offset`` of the personal channel reached the device."""
        if session.personal is None or self.acknowledgements is None:
            return
        channel = session.personal.name
        delivered = self.acknowledgements.delivered
        self.spawn(delivered(session.user, session.device, channel, offset))

    async def permits(self, user: str, channel: str) -> bool:
        """Whether ``user`` may subscribe to ``channel`` without a token for it. Raises
        ``Refusal`` for a channel that cannot be."""
        namespace = self.namespaces.of(channel)
        if namespace.personal:
            return channel == self.namespaces.personal_channel(user)
        if namespace.members_only:
            permission = self.permissions.get(namespace.name)
            return permission is not None and await permission(user, channel)
        return may_enter(namespace, channel, user) or self.client.insecure

    # Channels

    @property
    def channel_count(self) -> int:
        return len(self._channels)

    @property
    def channels(self) -> Mapping[str, Channel]:
        """Those with members, or with newcomers on their way in."""
        return self._channels

    def channel(self, name: str) -> Channel:
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = Channel(self, name, self.namespaces.of(name))
        return channel

    async def subscribed(self, channel: Channel) -> None:
        """Waits until the broker has confirmed that messages arrive. Raises ``BrokerDown``."""
        if channel.heard:
            return
        if channel.subscribing is None:
            channel.subscribing = self.spawn(self._subscribe(channel.name))
        try:
            await asyncio.shield(channel.subscribing)
            channel.heard = True
        finally:
            channel.subscribing = None  # done or failed; a finished task would only take memory

    async def _subscribe(self, name: str) -> None:
        try:
            await asyncio.wait_for(self.broker.subscribe(name), _SUBSCRIBE_SECONDS)
        except TimeoutError:
            raise BrokerDown("The broker does not confirm a subscription.") from None

    def let_go(self, channel: Channel) -> None:
        """Forgets a channel without members."""
        if channel.unused and self._channels.get(channel.name) is channel:
            del self._channels[channel.name]
            self.broker.unsubscribe(channel.name)

    async def present(self, channel: Channel, session: Session) -> None:
        """Notes a new member, for those who ask who is there and those who listen."""
        terms = session.terms_of(channel)
        if not terms.presence and not terms.join_leave:
            return
        info = session.info_in(channel.name)
        with tolerating("presence"):
            if terms.presence:
                self._grants_presence |= not channel.namespace.presence
                await self.broker.enter(channel.name, {session.client: info})
            if terms.join_leave:
                await self.broker.announce(channel.name, info, kind=b"j")

    def absent(self, channel: Channel, session: Session) -> None:
        terms = session.terms_of(channel)
        if terms.presence or terms.join_leave:
            info = session.info_in(channel.name)
            self.spawn(self._absent(channel.name, session.client, info, terms))

    async def _absent(self, name: str, client: str, info: bytes, terms: Terms) -> None:
        with tolerating("presence"):
            if terms.presence:
                await self.broker.leave(name, client)
            if terms.join_leave:
                await self.broker.announce(name, info, kind=b"l")

    # From the broker

    def _receive(self, name: str, message: Message) -> None:
        channel = self._channels.get(name)
        receive = channel.receive if channel else self._between_nodes.get(name)
        try:
            if receive is not None:
                receive(message)
        except Exception:
            # One message that cannot be handled must not cost the others their connection
            logger.exception("a message in channel %s could not be handled", name)

    def _reconnected(self) -> None:
        """Messages may be missing from every channel."""
        self.tally.reconnects += 1
        self.spawn(self._check(list(self._channels.values())))

    # In the background

    def call_soon(self, callback: Callable[[], None]) -> None:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        self._loop.call_soon(callback)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Runs ``work`` as a task of this node; a failure nobody awaits is logged."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            logger.warning("background work failed", exc_info=fault)

    async def _stop_tasks(self) -> None:
        """Lets goodbyes and acknowledgements under way finish, for a moment."""
        for cancels in (False, True):
            tasks = list(self._tasks)
            if cancels:
                for task in tasks:
                    task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=_STOP_SECONDS)

    async def _turn(self) -> None:
        while True:
            await asyncio.sleep(1)
            with tolerating("the wheel"):
                self.wheel.turn(self.now())

    async def _refresh_presence(self) -> None:
        while True:
            await asyncio.sleep(_PRESENCE_SECONDS)
            for channel in list(self._channels.values()):
                if not (channel.namespace.presence or self._grants_presence):
                    continue
                present = {
                    each.client: each.info_in(channel.name)
                    for each in channel.members
                    if each.terms_of(channel).presence
                }
                if present:
                    with tolerating("presence"):
                        await self.broker.enter(channel.name, present)

    async def _check_positions(self) -> None:
        while True:
            await asyncio.sleep(1)
            due = self.now() - _CHECK_SECONDS
            quiet = [each for each in self._channels.values() if each.checked_at <= due]
            await self._check(quiet)

    async def _check(self, channels: list[Channel]) -> None:
        """Compares channels with their stored tops; a message may have been lost on its way."""
        followed = [each for each in channels if each.namespace.positioned and each.established]
        with tolerating("position checks"):
            for start in range(0, len(followed), _CHECKED_AT_ONCE):
                part = followed[start : start + _CHECKED_AT_ONCE]
                tops = await self.histories.tops([(each.namespace, each.name) for each in part])
                for channel, top in zip(part, tops, strict=True):
                    channel.check(top)
