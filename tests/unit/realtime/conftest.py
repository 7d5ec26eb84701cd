"""A node with everything around it in memory: what a test publishes, loses or wipes is exact."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
import pytest_asyncio

from hub.clock import ManualClock
from hub.errors import Unauthenticated
from hub.realtime import (
    JSON_MESSAGES,
    BrokerDown,
    HmacTokens,
    Namespace,
    Namespaces,
    Node,
    Numbered,
    read_config,
)
from hub.realtime.publication import History, Message, Position, Publication
from hub.settings import Secret


@dataclass
class Entry:
    offset: int
    data: bytes
    recorded_at: datetime = datetime(2026, 11, 24, tzinfo=UTC)


@dataclass
class MemoryStreams:
    """PostgreSQL's streams; ``kept_from`` is the first offset that retention left."""

    entries: dict[str, list[Entry]] = field(default_factory=dict)
    epochs: dict[str, str] = field(default_factory=dict)
    hidden: int = 0  # so many newest entries are not published yet
    reads: int = 0

    async def position(self, stream: str) -> Position | None:
        if stream not in self.epochs:
            return None
        return Position(self.entries[stream][-1].offset - self.hidden, self.epochs[stream])

    async def positions(self, streams: Sequence[str]) -> dict[str, Position]:
        found = {stream: await self.position(stream) for stream in streams}
        return {stream: position for stream, position in found.items() if position}

    async def read(
        self, stream: str, *, after: int = 0, limit: int = 300, reverse: bool = False
    ) -> Sequence[Entry]:
        self.reads += 1
        top = (await self.position(stream) or Position(0, "")).offset
        entries = [each for each in self.entries.get(stream, []) if each.offset <= top]
        if reverse:
            return [e for e in reversed(entries) if not after or e.offset < after][:limit]
        return [each for each in entries if each.offset > after][:limit]


@dataclass
class MemoryBroker:
    """Redis as a test wants it: up or down, with a memory that can be wiped."""

    down: bool = False
    tops: dict[str, Position] = field(default_factory=dict)
    kept: dict[str, list[Publication]] = field(default_factory=dict)
    present: dict[str, dict[str, bytes]] = field(default_factory=dict)
    subscribed: set[str] = field(default_factory=set)
    on_message: Callable[[str, Message], None] | None = None
    on_reconnected: Callable[[], None] | None = None

    @asynccontextmanager
    async def running(
        self, on_message: Callable[[str, Message], None], on_reconnected: Callable[[], None]
    ) -> AsyncIterator[None]:
        self.on_message, self.on_reconnected = on_message, on_reconnected
        yield

    def wipe(self) -> None:
        self.tops.clear()
        self.kept.clear()

    def _up(self) -> None:
        if self.down:
            raise BrokerDown("Redis does not answer.")

    async def subscribe(self, channel: str) -> None:
        self._up()
        await asyncio.sleep(0)
        self.subscribed.add(channel)

    def unsubscribe(self, channel: str) -> None:
        self.subscribed.discard(channel)

    async def position(self, channel: str) -> Position | None:
        self._up()
        await asyncio.sleep(0)
        return self.tops.get(channel)

    async def positions(self, channels: Sequence[str]) -> list[Position | None]:
        self._up()
        return [self.tops.get(channel) for channel in channels]

    async def read(
        self, channel: str, *, after: int = 0, limit: int = 300, reverse: bool = False
    ) -> History | None:
        self._up()
        await asyncio.sleep(0)
        if channel not in self.tops:
            return None
        kept = self.kept.get(channel, [])
        if reverse:
            found = [each for each in reversed(kept) if not after or each.offset < after]
        else:
            found = [each for each in kept if each.offset > after]
        return History(self.tops[channel], found[:limit])

    async def publish_numbered(self, batch: Sequence[Numbered]) -> None:
        for each in batch:
            publication = Publication(each.offset, each.data)
            self.kept.setdefault(each.channel, []).append(publication)
            self.tops[each.channel] = Position(each.offset, each.epoch)
            self.deliver(each.channel, each.epoch, publication)

    def deliver(self, channel: str, epoch: str, publication: Publication) -> None:
        if channel in self.subscribed and self.on_message is not None:
            self.on_message(channel, Message(b"p", epoch, publication))

    async def publish(
        self, namespace: Namespace, channel: str, data: bytes, *, info: bytes = b""
    ) -> None:
        top = self.tops.get(channel, Position(0, "ephemera"))
        numbered = Numbered(channel, top.offset + 1, top.epoch, data, 0)
        await self.publish_numbered([numbered])

    async def announce(
        self, channel: str, data: bytes, *, kind: bytes = b"p", info: bytes = b""
    ) -> None:
        if channel in self.subscribed and self.on_message is not None:
            self.on_message(channel, Message(kind, "", Publication(0, data, info)))

    async def enter(self, channel: str, present: Mapping[str, bytes]) -> None:
        self.present.setdefault(channel, {}).update(present)

    async def leave(self, channel: str, client: str) -> None:
        self.present.get(channel, {}).pop(client, None)

    async def presence(self, channel: str) -> dict[str, bytes]:
        return dict(self.present.get(channel, {}))


@dataclass
class Claims:
    user: str
    expires_at: int | None = None
    info: dict[str, object] | None = None
    device: str | None = None


@dataclass
class Door:
    """The token is the user's name; ``ends/<Unix seconds>`` expires."""

    def verify_connection(self, token: str) -> Claims:
        if token in ("forged", "expired"):
            raise Unauthenticated("no", **({"expired": True} if token == "expired" else {}))
        user, _, expires = token.partition("/")
        return Claims(user, int(expires) if expires else None, device="phone")


@dataclass
class Acks:
    up_to: list[tuple[str, str, int]] = field(default_factory=list)

    async def delivered(self, user: str, device: str | None, channel: str, offset: int) -> None:
        self.up_to.append(("delivered", channel, offset))

    async def seen(self, user: str, device: str | None, channel: str, offset: int) -> None:
        self.up_to.append(("seen", channel, offset))


@dataclass
class Peer:
    """A client at the other end of a session; the transport writes into it."""

    node: Node
    frames: list[bytes] = field(default_factory=list)
    closed: tuple[int, str] | None = None
    held: list[bool] = field(default_factory=list)
    session: Any = None
    number: int = 0

    def write(self, frame: bytes) -> None:
        assert self.closed is None
        self.frames.append(frame)

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def hold_reading(self, hold: bool) -> None:
        self.held.append(hold)

    def say(self, *commands: dict[str, Any]) -> None:
        self.session.receive(b"\n".join(json.dumps(each).encode() for each in commands))

    async def ask(self, **command: Any) -> dict[str, Any]:
        """Sends a command and waits for its reply."""
        self.number += 1
        self.say({"id": self.number, **command})
        for _ in range(1_500):
            for reply in self.messages:
                if reply.get("id") == self.number:
                    return reply
            await asyncio.sleep(0.001)
        raise AssertionError(f"no reply to {command}; closed: {self.closed}")

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line) for frame in self.frames for line in frame.split(b"\n")]

    @property
    def received(self) -> list[int]:
        """What ``n`` came, by recovery and by push, in their order."""
        found: list[int] = []
        for message in self.messages:
            results = [message.get("subscribe") or {}]
            results += (message.get("connect") or {}).get("subs", {}).values()
            for result in results:
                found += [each["data"]["n"] for each in result.get("publications", [])]
            if "pub" in message.get("push", {}):
                found.append(message["push"]["pub"]["data"]["n"])
        return found

    @property
    def pings(self) -> int:
        return self.frames.count(b"{}")


@dataclass
class World:
    node: Node
    broker: MemoryBroker
    streams: MemoryStreams
    acks: Acks
    clock: ManualClock

    def peer(self) -> Peer:
        peer = Peer(self.node)
        peer.session = self.node.open(peer, JSON_MESSAGES)
        return peer

    async def connected(self, token: str = "ada", **subs: Any) -> Peer:
        peer = self.peer()
        reply = await peer.ask(connect={"token": token, "subs": subs.get("subs", {})})
        assert "connect" in reply, reply
        await self.rest()
        return peer

    async def append(
        self, channel: str, *numbers: int, kind: str = "ticked", tell: bool = True
    ) -> None:
        """What the relay does."""
        entries = self.streams.entries.setdefault(channel, [])
        epoch = self.streams.epochs.setdefault(channel, "epoch-one")
        batch = []
        for n in numbers:
            offset = entries[-1].offset + 1 if entries else 1
            entries.append(Entry(offset, json.dumps({"event": kind, "n": n}).encode()))
            batch.append(Numbered(channel, offset, epoch, entries[-1].data, 0))
        if tell:
            await self.broker.publish_numbered(batch)
        await self.rest()

    async def rest(self, seconds: float = 0.005) -> None:
        """Lets everything that is under way finish."""
        await asyncio.sleep(seconds)

    async def pass_time(self, seconds: int) -> None:
        """Lets the clock go on second by second, as the wheel sees it."""
        from datetime import timedelta

        for _ in range(seconds):
            self.clock.advance(timedelta(seconds=1))
            self.node.wheel.turn(self.node.now())
        await self.rest()


NAMESPACES = [
    Namespace(name="personal", durable=True, personal=True, presence=True),
    Namespace(name="offering", durable=True),
    Namespace(name="club", durable=True, members_only=True),
    Namespace(
        name="room", allow_publish_for_subscriber=True, presence=True, join_leave=True, typing=True
    ),
    Namespace(name="market", force_recovery_mode="cache", history_size=1),
    Namespace(name="noise", history_size=0, allow_publish_for_subscriber=True),
]


async def only_ada(user: str, channel: str) -> bool:
    return user == "ada"


@pytest_asyncio.fixture
async def world(clock: ManualClock) -> AsyncIterator[World]:
    broker, streams, acks = MemoryBroker(), MemoryStreams(), Acks()
    node = Node(
        broker=broker,
        namespaces=Namespaces(NAMESPACES),
        authenticator=Door(),
        acknowledgements=acks,
        clock=clock,
        streams=streams,
        permissions={"club": only_ada},
        reaches=lambda kind: kind == "rang",
    )
    async with node.running():
        yield World(node, broker, streams, acks, clock)


SECRET = "a secret that is long enough for everybody: even HS512 wants no more than this"


@pytest.fixture
def signed() -> Callable[..., str]:
    """A token with these claims."""

    def sign(*, algorithm: str = "HS256", secret: str = SECRET, **claims: Any) -> str:
        return jwt.encode(claims, secret, algorithm=algorithm)

    return sign


@pytest_asyncio.fixture
async def gateway(clock: ManualClock) -> AsyncIterator[Callable[[str], Any]]:
    """A gateway as a file describes it, with ``SECRET`` as its token secret."""
    async with AsyncExitStack() as stack:

        async def open_gateway(toml: str) -> World:
            config = read_config(toml)
            tokens = HmacTokens(Secret(SECRET), clock)
            broker, streams, acks = MemoryBroker(), MemoryStreams(), Acks()
            node = Node(
                broker=broker,
                namespaces=config.namespaces,
                authenticator=tokens,
                subscription_tokens=tokens,
                client=config.client,
                limits=config.limits,
                clock=clock,
            )
            await stack.enter_async_context(node.running())
            return World(node, broker, streams, acks, clock)

        yield open_gateway
