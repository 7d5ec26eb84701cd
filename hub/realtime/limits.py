"""How much one client may take, and how often the server asks after it.

Everything here costs a session at most one number. Counts are per process: a limit protects the
process that it is counted in, whatever its neighbours do.
"""

import msgspec

__all__ = ["Limits", "Occupancy", "Pace"]


class Limits(msgspec.Struct, frozen=True):
    """What a node allows. 0 means without limit.

    ``per_address`` and ``per_person`` are open connections. ``commands_per_second`` may be passed
    for a moment, by ``command_burst`` commands: a client that comes back subscribes to everything
    at once. ``drain_seconds`` is the time over which a stopping node says 3001 to its clients, so
    that they do not all knock at the next one in the same instant.
    """

    per_address: int = 0
    per_person: int = 0
    commands_per_second: int = 50
    command_burst: int = 500
    ping_seconds: int = 25
    drain_seconds: float = 0.0


class Occupancy:
    """Open connections by address, or by person; only those who have any are remembered."""

    __slots__ = ("_counts", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: dict[str, int] = {}

    def full(self, who: str) -> bool:
        return bool(self._most) and self._counts.get(who, 0) >= self._most

    def enter(self, who: str) -> None:
        if self._most and who:
            self._counts[who] = self._counts.get(who, 0) + 1

    def leave(self, who: str) -> None:
        if self._most and who:
            left = self._counts.get(who, 0) - 1
            if left > 0:
                self._counts[who] = left
            else:
                self._counts.pop(who, None)


class Pace:
    """A token bucket kept as one moment: the time up to which a client has spent its share.

    Each command moves the moment on by its price; standing still lets the clock catch up. A
    refused command costs its price too, so that a client that never slows down falls behind by
    a second burst, and is then ended.
    """

    __slots__ = ("_burst", "_price")

    def __init__(self, limits: Limits) -> None:
        self._price = 1 / limits.commands_per_second if limits.commands_per_second else 0.0
        self._burst = self._price * (max(limits.command_burst, 1) + 0.5)  # moments are not exact

    def spend(self, spent_until: float, now: float) -> float:
        """The moment after one more command."""
        return max(spent_until, now) + self._price

    def exceeded(self, spent_until: float, now: float) -> bool:
        """Whether the command that was just paid for is one too many: answer 111."""
        return spent_until - now > self._burst

    def hopeless(self, spent_until: float, now: float) -> bool:
        """Whether the client goes on although it was told: end it by 3013."""
        return spent_until - now > 2 * self._burst
