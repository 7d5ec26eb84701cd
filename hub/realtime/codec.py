"""How messages become bytes. One codec per encoding; a session is given one and never asks which.

A publication is encoded once per channel and codec, however many sessions receive it. Protobuf
is a second class with the same members.
"""

from collections.abc import Iterable
from typing import Protocol

import msgspec

from hub.realtime.codes import Unsubscribed
from hub.realtime.publication import Publication
from hub.realtime.wire import Command, Reply

__all__ = ["JSON", "Codec", "JsonCodec", "Malformed"]


class Malformed(Exception):
    """The bytes are no commands of this protocol."""


class Codec(Protocol):
    """Encodes for one wire format. ``binary`` says which WebSocket opcode carries it."""

    name: str
    binary: bool
    ping: bytes

    def decode(self, frame: bytes) -> list[Command]:
        """The commands of one frame, in order. Raises ``Malformed`` for anything else."""

    def reply(self, reply: Reply) -> bytes: ...

    def publication(self, channel: str, publication: Publication) -> bytes:
        """The push that carries a publication."""

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

    def publication(self, channel: str, publication: Publication) -> bytes:
        parts = [b'{"push":{"channel":', self._encoder.encode(channel)]
        parts += (b',"pub":{"data":', publication.data)
        if publication.info:
            parts += (b',"info":', publication.info)
        if publication.offset:
            parts.append(b',"offset":%d' % publication.offset)
        parts.append(b"}}}")
        return b"".join(parts)

    def presence_change(self, channel: str, kind: str, info: bytes) -> bytes:
        return b'{"push":{"channel":%b,"%b":{"info":%b}}}' % (
            self._encoder.encode(channel),
            kind.encode(),
            info,
        )

    def unsubscribed(self, channel: str, why: Unsubscribed) -> bytes:
        push = {"push": {"channel": channel, "unsubscribe": why}}
        return self._encoder.encode(push)

    def join(self, messages: Iterable[bytes]) -> bytes:
        return b"\n".join(messages)


JSON = JsonCodec()
