"""The one clock. Business time is UTC and always passed in, so tests can set it."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol, runtime_checkable

__all__ = ["Clock", "ManualClock", "SystemClock", "from_milliseconds", "milliseconds"]


@runtime_checkable
class Clock(Protocol):
    """Tells the time: ``now`` for business time, ``monotonic`` for waits (seconds)."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...


class SystemClock:
    """The machine's clock in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is moved; for tests and simulations."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._monotonic = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, by: timedelta) -> None:
        self._now += by
        self._monotonic += by.total_seconds()


def milliseconds(moment: datetime) -> int:
    """Unix time of ``moment`` in whole milliseconds."""
    return int(moment.timestamp() * 1000)


def from_milliseconds(value: int) -> datetime:
    """The UTC moment of a Unix time in milliseconds."""
    return datetime.fromtimestamp(value / 1000, UTC)
