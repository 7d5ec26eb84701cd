"""A publication, its place in a stream, and its form on Redis.

On the pub/sub wire a message is ``kind:offset:epoch:time:shape:`` followed by the bytes of info,
tags and data, so that a receiver cuts it apart without parsing JSON. The shape is the length of
info, and for publications that have more to say also the length of the tags and the flags:
``12`` or ``12,30,d``. Kinds: ``p`` a publication, ``j`` and ``l`` someone joined or left (the data
is a ClientInfo).
"""

from collections.abc import Mapping

import msgspec

__all__ = [
    "History",
    "Message",
    "Numbered",
    "Position",
    "Publication",
    "flags_of",
    "is_json",
    "pack",
    "shape_of",
    "unpack",
]

_DELTA, _BINARY = b"d", b"b"


class Position(msgspec.Struct, frozen=True):
    """Where a stream stands. Offset 0 under the empty epoch: nothing was ever written to it."""

    offset: int
    epoch: str


class Publication(msgspec.Struct, frozen=True):
    """``data`` and ``info`` are JSON, in one line. Offset 0: it is in no stream (typing, for
    example).

    ``binary`` marks data that is not JSON: only sessions of the Protobuf encoding can take it.
    ``delta`` allows patches against the one before; ``tags`` are what filters look at.
    """

    offset: int
    data: bytes
    info: bytes = b""
    time_ms: int = 0
    tags: Mapping[str, str] | None = None
    delta: bool = False
    binary: bool = False


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


def is_json(data: bytes) -> bool:
    """Whether ``data`` is one JSON value."""
    try:
        msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return False
    return True


def flags_of(publication: Publication) -> bytes:
    """``delta`` and ``binary`` as letters, for streams and messages; mostly nothing."""
    return _DELTA * publication.delta + _BINARY * publication.binary


def shape_of(publication: Publication, tags: bytes) -> bytes:
    """How to cut what follows the head of a message; ``tags`` is their JSON or empty."""
    flags = flags_of(publication)
    if not tags and not flags:
        return b"%d" % len(publication.info)
    return b"%d,%d,%b" % (len(publication.info), len(tags), flags)


def pack(kind: bytes, epoch: str, publication: Publication) -> bytes:
    """The pub/sub form of a message."""
    tags = msgspec.json.encode(publication.tags) if publication.tags else b""
    head = b"%b:%d:%b:%d:%b:" % (
        kind,
        publication.offset,
        epoch.encode(),
        publication.time_ms,
        shape_of(publication, tags),
    )
    return head + publication.info + tags + publication.data


def unpack(message: bytes) -> Message:
    """Reverses ``pack``. Raises ``ValueError`` for bytes that are no message."""
    kind, offset, epoch, time_ms, shape, rest = message.split(b":", 5)
    tags: dict[str, str] | None = None
    flags = b""
    if b"," in shape:
        info_size, tags_size, flags = shape.split(b",")
        size, end = int(info_size), int(info_size) + int(tags_size)
        if end > size:
            tags = msgspec.json.decode(rest[size:end], type=dict[str, str])
    else:
        size = end = int(shape)
    publication = Publication(
        int(offset), rest[end:], rest[:size], int(time_ms), tags, _DELTA in flags, _BINARY in flags
    )
    return Message(kind, epoch.decode("ascii"), publication)
