"""How messages become bytes. One codec per encoding; a session is given one and never asks which.

A publication is encoded once per channel and codec, however many sessions receive it.
"""

from collections.abc import Iterable
from typing import Protocol

import msgspec

from hub.realtime.codes import Unsubscribed
from hub.realtime.publication import Publication
from hub.realtime.wire import Command, Push, Reply

__all__ = ["JSON", "Codec", "JsonCodec", "Malformed"]


class Malformed(Exception):
    """The bytes are no commands of this protocol."""


class Codec(Protocol):
    """Encodes for one wire format. ``binary`` says which WebSocket opcode carries it, and whether
    it can carry data that is not JSON."""

    name: str
    binary: bool
    ping: bytes

    def decode(self, frame: bytes) -> list[Command]:
        """The commands of one frame, in order. Raises ``Malformed`` for anything else."""

    def reply(self, reply: Reply) -> bytes: ...

    def push(self, push: Push) -> bytes:
        """Any push; for publications there is a quicker way."""

    def publication(self, channel: str, publication: Publication) -> bytes:
        """The push that carries a publication."""

    def patch(self, channel: str, publication: Publication, patch: bytes | None) -> bytes:
        """The push for subscriptions that take patches; without a patch, with all data."""

    def patchable(self, data: bytes) -> bytes | None:
        """The form of data or of a patch in such a subscription; None if it has none there."""

    def presence_change(self, channel: str, kind: str, info: bytes) -> bytes:
        """The push of a ``join`` or a ``leave``; ``info`` is a ClientInfo as JSON."""

    def unsubscribed(self, channel: str, why: Unsubscribed) -> bytes: ...

    def join(self, messages: Iterable[bytes]) -> bytes:
        """Several messages as one frame."""


class JsonCodec:
    """Objects joined by a line feed, in text frames."""

    name = "json"
    binary = False
    ping = b"{}"

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(Command)
        self._encoder = msgspec.json.Encoder()

    def decode(self, frame: bytes) -> list[Command]:
        lines = [line for line in frame.split(b"\n") if line]
        if not lines:
            raise Malformed("a frame without a command")
        try:
            return [self._decoder.decode(line) for line in lines]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
            raise Malformed(str(fault)) from None

    def reply(self, reply: Reply) -> bytes:
        return self._encoder.encode(reply)

    def push(self, push: Push) -> bytes:
        return b'{"push":%b}' % self._encoder.encode(push)

    def publication(self, channel: str, publication: Publication) -> bytes:
        return self._publication(channel, publication, publication.data, b"")

    def patch(self, channel: str, publication: Publication, patch: bytes | None) -> bytes:
        data = self.patchable(patch) if patch is not None else None
        if data is not None:
            return self._publication(channel, publication, data, b',"delta":true')
        whole = self.patchable(publication.data) or b"null"
        return self._publication(channel, publication, whole, b"")

    def patchable(self, data: bytes) -> bytes | None:
        try:
            return self._encoder.encode(data.decode())
        except UnicodeDecodeError:
            return None

    def _publication(
        self, channel: str, publication: Publication, data: bytes, delta: bytes
    ) -> bytes:
        """``delta`` is that member with its comma, or nothing."""
        info, tags = publication.info, publication.tags
        return b'{"push":{"channel":%b,"pub":{"data":%b%b%b%b%b%b}}}' % (
            self._encoder.encode(channel),
            data,
            b',"info":%b' % info if info else b"",
            b',"offset":%d' % publication.offset if publication.offset else b"",
            b',"tags":%b' % self._encoder.encode(tags) if tags else b"",
            delta,
            b',"time":%d' % publication.time_ms if publication.time_ms else b"",
        )

    def presence_change(self, channel: str, kind: str, info: bytes) -> bytes:
        return b'{"push":{"channel":%b,"%b":{"info":%b}}}' % (
            self._encoder.encode(channel),
            kind.encode(),
            info,
        )

    def unsubscribed(self, channel: str, why: Unsubscribed) -> bytes:
        return self.push(Push(channel, unsubscribe=why))

    def join(self, messages: Iterable[bytes]) -> bytes:
        return b"\n".join(messages)


JSON = JsonCodec()
