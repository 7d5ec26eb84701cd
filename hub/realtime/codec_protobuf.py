"""The second encoding: Protobuf messages behind their lengths, in binary frames.

Commands and replies go through the generated classes; a publication, of which there are many,
is put together by hand. Payloads are the bytes they are: JSON from the server, anything from
another client of this encoding.
"""

from collections.abc import Iterable

import msgspec
from google.protobuf.message import DecodeError

from hub.realtime.codec import Malformed
from hub.realtime.codes import Unsubscribed
from hub.realtime.protobuf import cut, delimited, read, schema, varint, write
from hub.realtime.publication import Publication
from hub.realtime.wire import Command, Push, Reply

__all__ = ["PROTOBUF", "ProtobufCodec"]

# Keys of the schema: number of the member * 8, plus 2 where a length follows.
_PUSH = _PUSH_PUB = b"\x22"
_PUSH_CHANNEL = b"\x12"
_DATA, _INFO, _OFFSET, _TAG, _DELTA, _TIME = (
    b"\x22",
    b"\x2a",
    b"\x30",
    b"\x3a",
    b"\x40\x01",
    b"\x48",
)
_KEY, _VALUE = b"\x0a", b"\x12"


class ProtobufCodec:
    """Messages behind their lengths, in binary frames."""

    name = "protobuf"
    binary = True
    ping = b"\x00"

    def decode(self, frame: bytes) -> list[Command]:
        try:
            commands = [read(schema.Command.FromString(message), Command) for message in cut(frame)]
        except (DecodeError, ValueError, RecursionError) as fault:
            raise Malformed(str(fault)) from None
        if not commands:
            raise Malformed("a frame without a command")
        return commands

    def reply(self, reply: Reply) -> bytes:
        message = schema.Reply()
        write(reply, message)
        return delimited(message.SerializeToString())

    def push(self, push: Push) -> bytes:
        message = schema.Reply()
        write(push, message.push)
        return delimited(message.SerializeToString())

    def publication(self, channel: str, publication: Publication) -> bytes:
        return self._publication(channel, publication, publication.data)

    def patch(self, channel: str, publication: Publication, patch: bytes | None) -> bytes:
        if patch is None:
            return self._publication(channel, publication, publication.data)
        return self._publication(channel, publication, patch, delta=True)

    def patchable(self, data: bytes) -> bytes | None:
        return data

    def _publication(
        self, channel: str, publication: Publication, data: bytes, *, delta: bool = False
    ) -> bytes:
        parts = [_DATA, varint(len(data)), data]
        if publication.info:
            parts += (_INFO, delimited(_client_info(publication.info).SerializeToString()))
        if publication.offset:
            parts += (_OFFSET, varint(publication.offset))
        for key, value in (publication.tags or {}).items():
            name, text = delimited(key.encode()), delimited(value.encode())
            parts += (_TAG, delimited(_KEY + name + _VALUE + text))
        if delta:
            parts.append(_DELTA)
        if publication.time_ms:
            parts += (_TIME, varint(publication.time_ms))
        push = _PUSH_CHANNEL + delimited(channel.encode()) + _PUSH_PUB + delimited(b"".join(parts))
        return delimited(_PUSH + delimited(push))

    def presence_change(self, channel: str, kind: str, info: bytes) -> bytes:
        message = schema.Reply()
        message.push.channel = channel
        part = message.push.join if kind == "join" else message.push.leave
        part.info.CopyFrom(_client_info(info))
        return delimited(message.SerializeToString())

    def unsubscribed(self, channel: str, why: Unsubscribed) -> bytes:
        return self.push(Push(channel, unsubscribe=why))

    def join(self, messages: Iterable[bytes]) -> bytes:
        return b"".join(messages)


def _client_info(info: bytes) -> schema.ClientInfo:
    message = schema.ClientInfo()
    write(msgspec.Raw(info), message)
    return message


PROTOBUF = ProtobufCodec()
