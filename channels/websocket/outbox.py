"""What waits for a peer to read it, where a task does the writing: bounded, and never waiting."""

import asyncio
from collections import deque

from hub.realtime import SLOW

__all__ = ["MOST_UNREAD", "Outbox"]

MOST_UNREAD = 1024 * 1024


class Outbox:
    """Implements ``hub.realtime.Transport``: messages wait here for the writing task.

    Past ``MOST_UNREAD`` bytes it closes with 3008; the writing task then tells the session.
    """

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
        if self._unread > MOST_UNREAD:
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

    @property
    def overflowed(self) -> bool:
        return self.closed == (SLOW.code, SLOW.reason)

    async def may_read(self) -> None:
        await self._reads.wait()

    async def wait(self) -> None:
        """Returns once there is something to take, or the end."""
        await self._news.wait()
        self._news.clear()

    def take(self) -> bytes | None:
        if not self._messages:
            return None
        message = self._messages.popleft()
        self._unread -= len(message)
        return message

    def take_all(self) -> bytes:
        """Everything that waits, in its order."""
        everything = b"".join(self._messages)
        self._messages.clear()
        self._unread = 0
        return everything
