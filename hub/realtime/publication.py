"""A publication, its place in a stream, and its form on Redis.

On the pub/sub wire a message is ``kind:offset:epoch:time:info_length:`` followed by the bytes of
info and data, so that a receiver cuts it apart without parsing JSON. Kinds: ``p`` a publication,
``j`` and ``l`` someone joined or left (the data is a ClientInfo).
"""

import msgspec

__all__ = ["History", "Numbered", "Position", "Publication", "pack", "unpack"]


class Position(msgspec.Struct, frozen=True):
    """Where a stream stands. Offset 0 under the empty epoch: nothing was ever written to it."""

    offset: int
    epoch: str


class Publication(msgspec.Struct, frozen=True):
    """``data`` and ``info`` are JSON. Offset 0 means it is in no stream (typing, for example)."""

    offset: int
    data: bytes
    info: bytes = b""
    time_ms: int = 0


class Numbered(msgspec.Struct, frozen=True):
    """A publication that its stream's owner has numbered: what the relay hands to the broker."""

    channel: str
    offset: int
    epoch: str
    data: bytes
    time_ms: int


class History(msgspec.Struct, frozen=True):
    """A stretch of a stream, ascending unless asked in reverse, and the stream's top when read."""

    top: Position
    publications: list[Publication]


class Message(msgspec.Struct, frozen=True):
    """What arrived by pub/sub on one channel."""

    kind: bytes
    epoch: str
    publication: Publication


def pack(kind: bytes, epoch: str, publication: Publication) -> bytes:
    """The pub/sub form of a message."""
    head = b"%b:%d:%b:%d:%d:" % (
        kind,
        publication.offset,
        epoch.encode(),
        publication.time_ms,
        len(publication.info),
    )
    return head + publication.info + publication.data


def unpack(message: bytes) -> Message:
    """Reverses ``pack``. Raises ``ValueError`` for bytes that are no message."""
    kind, offset, epoch, time_ms, length, rest = message.split(b":", 5)
    size = int(length)
    publication = Publication(int(offset), rest[size:], rest[:size], int(time_ms))
    return Message(kind, epoch.decode("ascii"), publication)
