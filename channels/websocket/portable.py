"""The same session over plain ASGI messages, for servers that cannot hand a socket over.

One task reads, one writes; what the peer does not read is bounded by 1 MiB, then 3008.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any

from litestar.connection import WebSocket
from litestar.exceptions import WebSocketDisconnect

from channels.websocket.frames import MOST_BYTES
from hub.realtime import SLOW, Encoding, Node

__all__ = ["serve"]

_MOST_UNREAD = 1024 * 1024
_CLOSE_SECONDS = 1.0


class _Outbox:
    """Implements ``hub.realtime.Transport``: messages wait here for the writing task."""

    def __init__(self) -> None:
        self._messages: deque[bytes] = deque()
        self._unread = 0
        self._news = asyncio.Event()
        self._reads = asyncio.Event()
        self._reads.set()
        self.closed: tuple[int, str] | None = None
        self.ended = asyncio.Event()

    def write(self, frame: bytes) -> None:
        if self.closed is not None:
            return
        if self._unread > _MOST_UNREAD:
            self.close(SLOW.code, SLOW.reason)
            return
        self._messages.append(frame)
        self._unread += len(frame)
        self._news.set()

    def close(self, code: int, reason: str) -> None:
        if self.closed is None:
            self.closed = (code, reason)
            self._news.set()
            self.ended.set()

    def hold_reading(self, hold: bool) -> None:
        if hold:
            self._reads.clear()
        else:
            self._reads.set()

    async def may_read(self) -> None:
        await self._reads.wait()

    async def wait(self) -> None:
        await self._news.wait()
        self._news.clear()

    def take(self) -> bytes | None:
        if not self._messages:
            return None
        message = self._messages.popleft()
        self._unread -= len(message)
        return message


async def serve(socket: "WebSocket[Any, Any, Any]", node: Node, encoding: Encoding) -> None:
    """Runs a session on an accepted socket until either side ends it."""
    outbox = _Outbox()
    session = node.open(outbox, encoding)

    async def read() -> None:
        while True:
            await outbox.may_read()
            message: dict[str, Any] = dict(await socket.receive())
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            frame: bytes = text.encode() if text is not None else message.get("bytes") or b""
            if len(frame) > MOST_BYTES:
                outbox.close(1009, "message too big")
                return
            session.receive(frame)

    async def write() -> None:
        while True:
            await outbox.wait()
            while (message := outbox.take()) is not None:
                await socket.send_data(message.decode(), mode="text")
            if outbox.closed is not None:
                return

    reader, writer = asyncio.ensure_future(read()), asyncio.ensure_future(write())
    ended = asyncio.ensure_future(outbox.ended.wait())
    tasks = (reader, writer, ended)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if outbox.closed == (SLOW.code, SLOW.reason):
            session.close(SLOW)
        elif outbox.closed is not None:
            await asyncio.wait([writer], timeout=_CLOSE_SECONDS)
    finally:
        session.lost()
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for fault in results:
        if isinstance(fault, Exception) and not isinstance(fault, WebSocketDisconnect | OSError):
            raise fault
    if outbox.closed is not None:
        code, reason = outbox.closed
        with suppress(TimeoutError):  # who reads nothing does not let us say goodbye either
            await asyncio.wait_for(socket.close(code=code, reason=reason), _CLOSE_SECONDS)
