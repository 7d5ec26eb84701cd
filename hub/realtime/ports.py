"""What the real-time server needs from others, as Protocols filled in at the root."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol, TypeAlias

import msgspec

from hub.realtime.errors import BrokerDown
from hub.realtime.namespaces import Namespace
from hub.realtime.outgoing import Outgoing
from hub.realtime.policies import Grant
from hub.realtime.publication import History, Message, Numbered, Position

__all__ = [
    "Acknowledgements",
    "Authenticator",
    "Broker",
    "Caller",
    "ConnectionClaims",
    "DurableStreams",
    "Permission",
    "RpcHandler",
    "StreamEntry",
    "StreamPosition",
    "SubscriptionTokens",
    "Transport",
]


class ConnectionClaims(Protocol):
    """What a connection token says: the person, Unix seconds of expiry (None or 0: never),
    what other subscribers may see of it (JSON-ready), and the device acknowledging. Claims that
    also open channels are ``policies.Credentials``."""

    @property
    def user(self) -> str: ...
    @property
    def expires_at(self) -> int | None: ...
    @property
    def info(self) -> object | None: ...
    @property
    def device(self) -> str | None: ...


class Authenticator(Protocol):
    def verify_connection(self, token: str) -> ConnectionClaims:
        """Raises ``hub.errors.Unauthenticated``; with the fact ``expired=True`` the client is
        asked for a fresh token, otherwise it is turned away for good."""


class SubscriptionTokens(Protocol):
    def verify_subscription(self, token: str, *, user: str, client: str, channel: str) -> Grant:
        """What the token gives. Raises ``hub.errors.Unauthenticated``; facts: ``expired=True``
        where a fresh one would do, ``foreign=True`` where it is not for this user or channel."""


class Acknowledgements(Protocol):
    """Is told what reached a person. ``offset`` covers everything up to it in the channel."""

    async def delivered(self, user: str, device: str | None, channel: str, offset: int) -> None: ...

    async def seen(self, user: str, device: str | None, channel: str, offset: int) -> None: ...


Permission: TypeAlias = Callable[[str, str], Awaitable[bool]]
"""``await permission(user, channel)``: may this person subscribe to it?"""


class Caller(msgspec.Struct, frozen=True):
    """Who calls a remote procedure."""

    user: str
    client: str
    device: str | None


RpcHandler: TypeAlias = Callable[[Caller, bytes], Awaitable[object]]
"""Gets the JSON a client sent (may be empty) and returns what msgspec can encode, or None."""


class StreamEntry(Protocol):
    @property
    def offset(self) -> int: ...
    @property
    def data(self) -> bytes: ...
    @property
    def recorded_at(self) -> datetime: ...


class StreamPosition(Protocol):
    @property
    def offset(self) -> int: ...
    @property
    def epoch(self) -> str: ...


class DurableStreams(Protocol):
    """Reads the streams in PostgreSQL (``hub.events.Streams``)."""

    async def position(self, stream: str) -> StreamPosition | None: ...

    async def positions(self, streams: Sequence[str]) -> Mapping[str, StreamPosition]:
        """Positions of those that were ever written to."""

    async def read(
        self, stream: str, *, after: int = 0, limit: int = 300, reverse: bool = False
    ) -> Sequence[StreamEntry]: ...


class Broker(Protocol):
    """Carries publications between processes and remembers the newest of each channel.

    Reading methods raise ``BrokerDown`` where it does not answer.
    """

    def running(
        self,
        on_message: Callable[[str, Message], None],
        on_reconnected: Callable[[], None],
    ) -> AbstractAsyncContextManager[None]:
        """Receives until the block ends. Whatever breaks it reconnects, subscribes again and
        then calls ``on_reconnected``: messages may be missing."""

    async def subscribe(self, channel: str) -> None:
        """Returns when the broker has confirmed: what is published later will arrive."""

    def unsubscribe(self, channel: str) -> None: ...

    async def position(self, channel: str) -> Position | None:
        """The stream's top; None where the broker knows nothing of it."""

    async def positions(self, channels: Sequence[str]) -> list[Position | None]: ...

    async def read(
        self, channel: str, *, after: int = 0, limit: int = 300, reverse: bool = False
    ) -> History | None:
        """Publications past ``after`` (before it in reverse; 0 then means from the top)."""

    async def publish_numbered(self, batch: Sequence[Numbered]) -> None: ...

    async def publish(
        self, namespace: Namespace, channel: str, data: bytes, *, info: bytes = b""
    ) -> None: ...

    async def publish_all(self, batch: Sequence[Outgoing]) -> "list[Position | BrokerDown | None]":
        """Publishes to ephemeral channels in one round trip: each one's place in its stream, None
        where it has none, or why it was not published."""

    async def remove_history(self, channel: str) -> None: ...

    async def announce(
        self, channel: str, data: bytes, *, kind: bytes = b"p", info: bytes = b""
    ) -> int:
        """Publishes without a place in the stream; returns how many processes hear it."""

    async def enter(self, channel: str, present: Mapping[str, bytes]) -> None:
        """Notes clients as present (client id -> ClientInfo as JSON); lasts 60 s."""

    async def leave(self, channel: str, client: str) -> None: ...

    async def presence(self, channel: str) -> dict[str, bytes]: ...


class Transport(Protocol):
    """One connection's way out. Nothing here waits; what a peer does not read is bounded by the
    transport, which then closes with code 3008."""

    def write(self, frame: bytes) -> None:
        """Sends a frame that ``Encoding.frame`` made."""

    def close(self, code: int, reason: str) -> None: ...

    def hold_reading(self, hold: bool) -> None:
        """Stops or resumes reading while a client sends faster than it is served."""
