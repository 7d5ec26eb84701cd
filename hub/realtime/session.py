"""One client's session: the rules of the protocol, without sockets, tasks or timers of its own.

Bytes come in by ``receive`` and ``lost``, time by ``wake``; bytes go out through the transport.
Work that must wait for others is handed to the node as a coroutine; until it is done, later
commands queue, so that a connection's commands take effect in their order. An idle session owns
no task, no queue and no timer.

Acknowledgement without help from the SDK: after an event that asks to reach its person is
written, the session pings at once unless a ping is outstanding. The pong proves that the device
has read everything written before the ping.
"""

import math
import random
from collections import deque
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, assert_never

import msgspec

from hub.realtime.codec import Malformed
from hub.realtime.codes import (
    BAD_COMMAND,
    CONNECTION_CLOSED,
    CONNECTION_EXPIRED,
    INSUFFICIENT_STATE,
    NO_PONG,
    STALE,
    SUBSCRIPTION_EXPIRED,
    TOO_MANY_COMMANDS,
    TOO_MANY_REQUESTS,
    UNSUBSCRIBED_EXPIRED,
    UNSUBSCRIBED_INSUFFICIENT_STATE,
    Disconnect,
    Error,
    Refusal,
    Unsubscribed,
)
from hub.realtime.commands import begin
from hub.realtime.policies import Standing, Terms, ordinary
from hub.realtime.state import State
from hub.realtime.wire import ClientInfo, Command, Reply, valid_id

if TYPE_CHECKING:
    from hub.realtime.channel import Channel
    from hub.realtime.encoding import Encoding
    from hub.realtime.node import Node
    from hub.realtime.ports import ConnectionClaims, Transport

__all__ = ["Session"]

_STALE_SECONDS = 10
_EXPIRED_CLOSE_SECONDS = 25
_QUEUE_HOLDS_READING = 256


class Session:
    """A connection from its first byte to its end. ``offset`` values are of the personal channel:
    ``_reach`` written, ``_covered`` by the outstanding ping, ``_acknowledged`` by a pong."""

    __slots__ = (
        "_acknowledged",
        "_busy",
        "_covered",
        "_deadline",
        "_expires",
        "_ping_at",
        "_pong_by",
        "_queue",
        "_reach",
        "_spent_until",
        "_standing",
        "address",
        "client",
        "device",
        "encoding",
        "node",
        "personal",
        "secret",
        "shown",
        "state",
        "subscriptions",
        "transport",
        "user",
        "wakes_at",
    )

    def __init__(
        self, node: "Node", transport: "Transport", encoding: "Encoding", client: str
    ) -> None:
        self.node = node
        self.transport = transport
        self.encoding = encoding
        self.client = client
        self.user = ""
        self.device: str | None = None
        self.personal: Channel | None = None
        self.state = State.NEW
        self.subscriptions: dict[str, Channel] = {}
        self.wakes_at = 0
        self._busy = False
        self._queue: deque[Command] | None = None
        self.shown = b""
        self._standing: Standing | None = None
        self.address = self.secret = ""
        self._ping_at = self._pong_by = self._expires = self._spent_until = 0.0
        self._deadline = node.now() + _STALE_SECONDS
        self._reach = self._covered = self._acknowledged = 0
        node.wheel.wake_by(self, self._deadline)

    # What comes in

    def receive(self, frame: bytes) -> None:
        """Takes one WebSocket message from the client."""
        if self.state is State.CLOSED:
            return
        try:
            commands = self.encoding.codec.decode(frame)
        except Malformed:
            self.close(BAD_COMMAND)
            return
        for command in commands:
            if not valid_id(command.id):
                self.close(BAD_COMMAND)
            elif command.id == 0 and command.send is None:
                self._pong()
            elif self._too_fast():
                self._turn_down(command)
            elif self._busy:
                self._enqueue(command)
            else:
                self._take(command)
            if self.closed:
                return

    @property
    def closed(self) -> bool:
        return self.state is State.CLOSED

    def lost(self) -> None:
        """The connection is gone."""
        self._end(CONNECTION_CLOSED)

    def wake(self, now: float) -> None:
        """Called by the wheel when a deadline may have passed."""
        if self.state is State.CLOSED:
            return
        if self.state is not State.LIVE:
            if now >= self._deadline:
                self.close(STALE)
                return
            self.node.wheel.wake_by(self, self._deadline)
            return
        if self._pong_by and now >= self._pong_by:
            self.close(NO_PONG)
        elif self._expires and now >= self._expires:
            self.close(CONNECTION_EXPIRED)
        else:
            ends = self._end_terms(now) if self._standing else 0.0
            if now >= self._ping_at and not self._pong_by and not self.closed:
                self._ping(now)
            self._sleep(self._pong_by or self._ping_at, self._expires, ends)

    def _sleep(self, *deadlines: float) -> None:
        """Asks to be woken at the earliest deadline; 0 and infinity are none."""
        due = [each for each in deadlines if each and each != math.inf]
        if due and self.state is State.LIVE:
            self.node.wheel.wake_by(self, min(due))

    # What goes out

    def push(self, *messages: bytes) -> None:
        """Sends encoded messages as one frame."""
        if self.state is not State.CLOSED:
            self.transport.write(self.encoding.frame(messages))

    def reply(self, reply: Reply) -> None:
        self.push(self.encoding.codec.reply(reply))

    def close(self, why: Disconnect) -> None:
        """Ends the session and tells the client why."""
        if self.state is not State.CLOSED:
            self._end(why)
            self.transport.close(why.code, why.reason)

    def lost_track(self, channel: "Channel") -> None:
        """The channel cannot be followed without a gap: the client must start it again, if it
        was promised to miss nothing."""
        if self.terms_of(channel).positioned:
            self._stop(channel, INSUFFICIENT_STATE, UNSUBSCRIBED_INSUFFICIENT_STATE)

    def _stop(self, channel: "Channel", why: Disconnect, reason: Unsubscribed) -> None:
        """Ends a subscription; one that the server made cannot be made again by the client."""
        if self.is_server_side(channel):
            self.close(why)
            return
        self.unsubscribe(channel)
        self.push(self.encoding.codec.unsubscribed(channel.name, reason))

    # Life

    def identify(self, claims: "ConnectionClaims") -> None:
        """Learns from a verified token who this is."""
        self.user, self.device = claims.user, claims.device
        self.node.people.enter(self.user)
        self.shown = msgspec.json.encode(claims.info) if claims.info else b""
        self.extend(claims)

    def extend(self, claims: "ConnectionClaims") -> None:
        """Takes the expiry of a (fresh) token."""
        left = self.seconds_until(claims.expires_at or 0)
        self._expires = self.ends_after(left)
        self._sleep(self._expires)

    def seconds_until(self, unix: int) -> int:
        """Whole seconds until a Unix time, at least one; 0 for never."""
        if not unix or self.node.client.insecure:
            return 0
        return max(1, unix - int(self.node.clock.now().timestamp()))

    def ends_after(self, seconds: int) -> float:
        """When what was good for so long ends for good, some time for a fresh token included."""
        return self.node.now() + seconds + _EXPIRED_CLOSE_SECONDS if seconds else 0.0

    def go_live(self) -> None:
        """The connect reply is written: pings start, the first at a random moment of the second
        half of the interval, so that those who came together do not ping together."""
        self.state = State.LIVE
        now = self.node.now()
        interval = self.node.ping_seconds
        first = now + random.uniform(interval / 2, interval)  # noqa: S311
        self._ping_at = first if interval else math.inf
        self._sleep(self._ping_at, self._expires)

    @property
    def info(self) -> bytes:
        """This client as others see it: a ClientInfo as JSON."""
        return self.info_in("")

    def info_in(self, name: str) -> bytes:
        """This client as others in the channel of that name see it."""
        terms = self._standing.of(name) if self._standing else None
        shown = msgspec.Raw(self.shown) if self.shown else msgspec.UNSET
        here = msgspec.Raw(terms.info) if terms and terms.info else msgspec.UNSET
        return msgspec.json.encode(ClientInfo(self.user, self.client, shown, here))

    # Subscriptions

    def terms_of(self, channel: "Channel") -> Terms:
        """The terms on which it is in a channel."""
        terms = self._standing.of(channel.name) if self._standing else None
        return terms or ordinary(channel.namespace)

    def accept_terms(self, channel: "Channel", terms: Terms) -> None:
        """Notes the terms of a subscription; the ordinary ones are not worth the memory."""
        if terms != ordinary(channel.namespace):
            self._standing = self._standing or Standing()
            self._standing.keep(channel.name, terms)
            self._sleep(self._standing.ends)
        elif self._standing:
            self._standing.drop(channel.name)

    def is_server_side(self, channel: "Channel") -> bool:
        """Whether the server made the subscription."""
        return channel is self.personal or self.terms_of(channel).server_side

    @property
    def granted(self) -> set[str]:
        """The channels that the connection's token opened."""
        return self._standing.granted if self._standing else set()

    def _end_terms(self, now: float) -> float:
        """Ends what is over; the next end, 0 for none."""
        for name in self._standing.ended(now) if self._standing else ():
            channel = self.subscriptions.get(name)
            if channel is not None:
                self._stop(channel, SUBSCRIPTION_EXPIRED, UNSUBSCRIBED_EXPIRED)
        return self._standing.ends if self._standing else 0.0

    def unsubscribe(self, channel: "Channel") -> None:
        """Forgets a subscription; no push of the channel follows."""
        if self.subscriptions.pop(channel.name, None) is not None:
            channel.remove(self)
            self.node.absent(channel, self)
            if self._standing:
                self._standing.drop(channel.name)

    def owes_acknowledgement(self, offset: int) -> None:
        """An event that must reach its person was written at ``offset`` of the personal channel."""
        self._reach = max(self._reach, offset)
        if self.state is State.LIVE and not self._pong_by and self.node.client.pong_timeout:
            self._ping(self.node.now())

    def has_read(self, offset: int) -> None:
        """The client itself told how far it read: it resumed after ``offset``."""
        if offset > self._acknowledged and self.personal is not None:
            self._acknowledged = offset
            self.node.acknowledge(self, offset)

    def _ping(self, now: float) -> None:
        self._covered = self._reach
        # Never later than promised, and never in step with those that came at the same time
        interval = self.node.ping_seconds * random.uniform(0.9, 1)  # noqa: S311
        self._ping_at = now + interval if interval else math.inf
        patience = self.node.client.pong_timeout
        self._pong_by = now + patience if patience else 0.0
        self._sleep(self._pong_by or self._ping_at)
        self.transport.write(self.encoding.ping)

    def _pong(self) -> None:
        if not self._pong_by:
            self.close(BAD_COMMAND)
            return
        self._pong_by = 0.0
        self.has_read(self._covered)
        if self._reach > self._covered:
            self._ping(self.node.now())

    def _end(self, why: Disconnect) -> None:
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self._queue = None
        for channel in list(self.subscriptions.values()):
            self.unsubscribe(channel)
        self.personal = None
        self.node.ended(self, why)

    # Commands, one after the other

    def _too_fast(self) -> bool:
        now, pace = self.node.now(), self.node.pace
        self._spent_until = pace.spend(self._spent_until, now)
        return pace.exceeded(self._spent_until, now)

    def _turn_down(self, command: Command) -> None:
        """Answers a command that came too fast; ends a client that goes on regardless."""
        if self.node.pace.hopeless(self._spent_until, self.node.now()):
            self.close(TOO_MANY_COMMANDS)
        elif command.id:
            self.reply(Reply(command.id, error=TOO_MANY_REQUESTS))

    def _enqueue(self, command: Command) -> None:
        self._queue = self._queue or deque()
        self._queue.append(command)
        if len(self._queue) == _QUEUE_HOLDS_READING:
            self.transport.hold_reading(True)

    def _take(self, command: Command) -> None:
        work = self._begin(command)
        if work is not None:
            self._busy = True
            self.node.spawn(self._work(command, work))

    def _begin(self, command: Command) -> Coroutine[Any, Any, Reply | None] | None:
        """Starts a command; returns what is left to wait for."""
        try:
            outcome = begin(self, command)
        except Refusal as refusal:
            self._refuse(command, refusal.outcome)
            return None
        if isinstance(outcome, Reply):
            self.reply(outcome)
            return None
        return outcome

    async def _work(self, command: Command, work: Coroutine[Any, Any, Reply | None]) -> None:
        """Finishes a command that waits, then those that queued behind it."""
        while True:
            try:
                reply = await work
                if reply is not None:
                    self.reply(reply)
            except Refusal as refusal:
                self._refuse(command, refusal.outcome)
            except Exception as fault:
                self._refuse(command, self.node.fault(command, fault))
            following: Coroutine[Any, Any, Reply | None] | None = None
            while self._queue and following is None:
                if len(self._queue) == _QUEUE_HOLDS_READING:
                    self.transport.hold_reading(False)
                command = self._queue.popleft()
                following = self._begin(command)
            if following is None:
                self._queue = None
                self._busy = False
                return
            work = following

    def _refuse(self, command: Command, outcome: Error | Disconnect) -> None:
        match outcome:
            case Disconnect():
                self.close(outcome)
            case Error():
                if command.connect is not None:
                    self.state = State.REFUSED if self.state is not State.CLOSED else self.state
                self.reply(Reply(command.id, error=outcome))
            case _:
                assert_never(outcome)
