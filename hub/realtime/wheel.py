"""Deadlines of many sessions without a timer each: a wheel of whole seconds.

One entry per session; moving a deadline leaves the old entry behind, which is skipped when its
second comes. Adding is one list append, so ten thousand idle sessions cost nothing between ticks.
"""

from collections import defaultdict
from math import ceil
from typing import Protocol

__all__ = ["Sleeper", "Wheel"]


class Sleeper(Protocol):
    """Something to wake. ``wakes_at`` belongs to the wheel: the second it waits for, 0 for none."""

    wakes_at: int

    def wake(self, now: float) -> None: ...


class Wheel:
    """Wakes sleepers once their second has come; ``turn`` is called about once a second."""

    def __init__(self, now: float) -> None:
        self._turned = int(now)
        self._slots: defaultdict[int, list[Sleeper]] = defaultdict(list)

    def wake_by(self, sleeper: Sleeper, moment: float) -> None:
        """Wakes ``sleeper`` at ``moment`` (monotonic seconds, rounded up), or when it was due
        already, whichever is earlier."""
        second = max(ceil(moment), self._turned + 1)
        if sleeper.wakes_at and sleeper.wakes_at <= second:
            return
        sleeper.wakes_at = second
        self._slots[second].append(sleeper)

    def turn(self, now: float) -> None:
        """Wakes everything due by ``now``."""
        while self._turned < int(now):
            self._turned += 1
            second = self._turned
            for sleeper in self._slots.pop(second, ()):
                if sleeper.wakes_at == second:
                    sleeper.wakes_at = 0
                    sleeper.wake(now)
