"""When channels write what they gathered: at the next turn of the event loop, or a little later.

A write costs a system call for each session, however much is in it. Where more arrives than can
be written, one turn brings a single publication for each of many channels, and nothing is saved by
joining. So while turns bring much, reading goes on for up to 50 ms before anything is written:
publications of one channel meet in one frame, and the work becomes less than what arrives. The
first turn that brings little writes at once, so nobody waits where there is time.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub.realtime.channel import Channel

__all__ = ["Joining"]

logger = logging.getLogger(__name__)

_MUCH = 100  # publications in one turn
_LONGEST_SECONDS = 0.05


class Joining:
    """Channels of one node that have something to write. ``arrived`` counts what came for them
    since the last turn, and is theirs to raise."""

    __slots__ = ("_due", "_now", "_since", "arrived")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._due: list[Channel] = []
        self._since = 0.0
        self.arrived = 0

    def add(self, channel: "Channel") -> None:
        """Calls ``channel.flush_in_turn`` once, in at most 50 ms."""
        if not self._due:
            self._since = self._now()
            self._call_again()
        self._due.append(channel)

    def _turn(self) -> None:
        arrived, self.arrived = self.arrived, 0
        if arrived >= _MUCH and self._now() - self._since < _LONGEST_SECONDS:
            self._call_again()
            return
        due, self._due = self._due, []
        for channel in due:
            try:
                channel.flush_in_turn()
            except Exception:
                logger.exception("channel %s could not be written to", channel.name)

    def _call_again(self) -> None:
        asyncio.get_running_loop().call_soon(self._turn)
