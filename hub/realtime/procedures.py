"""The remote procedures every client has: ``ack``, ``seen``, ``typing`` and ``sync``."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

import msgspec

from hub.realtime.codes import BAD_REQUEST, NOT_AVAILABLE, PERMISSION_DENIED, Refusal

if TYPE_CHECKING:
    from hub.realtime.channel import Channel
    from hub.realtime.ports import Acknowledgements
    from hub.realtime.session import Session

__all__ = ["BUILT_IN"]

T = TypeVar("T")
_MOST_ENTRIES = 300


class _Read(msgspec.Struct, frozen=True):
    """Arguments of ``ack`` and ``seen``: up to which offset; the personal channel by default."""

    offset: int
    channel: str = ""


class _Typing(msgspec.Struct, frozen=True):
    channel: str


class _Sync(msgspec.Struct, frozen=True):
    """Arguments of ``sync``: a page of at most ``limit`` publications past ``after`` of one
    channel, or with ``since`` past an offset of each channel named, of all of them together."""

    channel: str = ""
    after: int = 0
    since: dict[str, int] | None = None
    limit: int = _MOST_ENTRIES


class _Synced(msgspec.Struct, frozen=True):
    offset: int
    data: msgspec.Raw


class _Page(msgspec.Struct, frozen=True):
    """What was found past an offset, and where the stream stands."""

    publications: list[_Synced]
    offset: int
    epoch: str


async def _ack(session: "Session", data: bytes) -> None:
    read = _decode(data, _Read)
    channel = _channel(session, read.channel)
    offset = min(max(read.offset, 0), channel.offset)
    await _acknowledgements(session).delivered(session.user, session.device, channel.name, offset)


async def _seen(session: "Session", data: bytes) -> None:
    read = _decode(data, _Read)
    channel = _channel(session, read.channel)
    offset = min(max(read.offset, 0), channel.offset)
    await _acknowledgements(session).seen(session.user, session.device, channel.name, offset)


async def _typing(session: "Session", data: bytes) -> None:
    channel = _channel(session, _decode(data, _Typing).channel)
    if not channel.namespace.typing:
        raise Refusal(NOT_AVAILABLE)
    event = msgspec.json.encode({"event": "typing", "user": session.user})
    await session.node.broker.announce(channel.name, event, info=session.info)


async def _sync(session: "Session", data: bytes) -> object:
    """One channel: ``{"publications": [{"offset", "data"}], "offset", "epoch"}``; page on while
    the last offset is below ``offset``. With ``since``: ``{"channels": {name: the same}}``; the
    limit is shared in the order asked, so page on for the channels that are not complete."""
    wanted = _decode(data, _Sync)
    if wanted.limit < 1:
        raise Refusal(BAD_REQUEST)
    left = min(wanted.limit, _MOST_ENTRIES)
    if wanted.since is None:
        return await _since(session, wanted.channel, wanted.after, left)
    found: dict[str, _Page] = {}
    for name, after in wanted.since.items():
        found[name] = await _since(session, name, after, left)
        left -= len(found[name].publications)
    return {"channels": found}


async def _since(session: "Session", name: str, after: int, limit: int) -> _Page:
    channel = _channel(session, name)
    if not 0 <= after < 2**53:
        raise Refusal(BAD_REQUEST)
    page = await session.node.histories.page(
        channel.namespace, channel.name, after=after, limit=limit, reverse=False
    )
    entries = [_Synced(each.offset, msgspec.Raw(each.data)) for each in page.publications]
    return _Page(entries, page.top.offset, page.top.epoch)


BUILT_IN: Mapping[str, Callable[["Session", bytes], Awaitable[object]]] = {
    "ack": _ack,
    "seen": _seen,
    "typing": _typing,
    "sync": _sync,
}


def _decode(data: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(data or b"{}", type=shape)
    except msgspec.DecodeError:
        raise Refusal(BAD_REQUEST) from None


def _acknowledgements(session: "Session") -> "Acknowledgements":
    found = session.node.acknowledgements
    if found is None:
        raise Refusal(NOT_AVAILABLE)
    return found


def _channel(session: "Session", name: str) -> "Channel":
    channel = session.subscriptions.get(name) if name else session.personal
    if channel is None:
        raise Refusal(PERMISSION_DENIED)
    return channel
