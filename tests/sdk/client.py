"""One vocabulary for two SDKs, so that a promise is written once and kept by both.

What an SDK tells its application is noted as an event: ``on`` (its name), ``channel`` and facts
with the same names everywhere. What it answers has one shape, whatever the encoding.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

__all__ = ["Refused", "SdkClient"]

Event = dict[str, Any]


class Refused(Exception):
    """The SDK reported an error to its caller."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code


class SdkClient(ABC):
    """A client of one of the official SDKs."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._changed = asyncio.Event()

    def note(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()

    def seen(self, on: str, channel: str | None = None) -> list[Event]:
        """What the SDK told so far, of one name and one channel."""
        return [
            each
            for each in self.events
            if each["on"] == on and (channel is None or each.get("channel") == channel)
        ]

    def data(self, channel: str | None = None) -> list[Any]:
        """What was published to the client so far."""
        return [each["data"] for each in self.seen("publication", channel)]

    async def until(
        self, on: str, channel: str | None = None, *, count: int = 1, seconds: float = 10
    ) -> Event:
        """Waits for the ``count``-th event of that name; returns it."""
        try:
            async with asyncio.timeout(seconds):
                while len(found := self.seen(on, channel)) < count:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            told = "\n".join(map(str, self.events[-20:]))
            raise AssertionError(f"no {on} number {count} of {channel}; told:\n{told}") from None
        return found[count - 1]

    async def connected(self, times: int = 1) -> Event:
        await self.connect()
        return await self.until("connected", count=times)

    async def subscribed(self, channel: str, **more: Any) -> Event:
        """Subscribes and waits until the server has answered."""
        count = len(self.seen("subscribed", channel)) + 1
        await self.subscribe(channel, **more)
        return await self.until("subscribed", channel, count=count)

    @abstractmethod
    async def connect(self) -> None: ...

    @abstractmethod
    async def disconnect(self) -> None: ...

    @abstractmethod
    async def subscribe(self, channel: str, *, tokens: Sequence[str] = (), **options: Any) -> None:
        """``tokens`` are what the application has when the SDK asks, one after the other.
        Options: recoverable, positioned, join_leave, delta, tags_filter, since."""

    @abstractmethod
    async def subscribe_many(self, channels: Sequence[str], **options: Any) -> None:
        """Subscribes to all of them in one frame, where the SDK can."""

    @abstractmethod
    async def unsubscribe(self, channel: str) -> None: ...

    @abstractmethod
    async def publish(self, channel: str, data: Any) -> None: ...

    @abstractmethod
    async def presence(self, channel: str) -> list[dict[str, Any]]: ...

    @abstractmethod
    async def presence_stats(self, channel: str) -> dict[str, int]: ...

    @abstractmethod
    async def history(
        self,
        channel: str,
        *,
        limit: int = 0,
        since: dict[str, Any] | None = None,
        reverse: bool = False,
    ) -> dict[str, Any]: ...

    @abstractmethod
    async def rpc(self, method: str, data: Any) -> Any: ...
