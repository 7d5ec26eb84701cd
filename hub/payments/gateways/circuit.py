"""Spares a gateway that is down, and our callers the wait for its timeouts.

After five failures in a row nothing is sent for fifteen seconds; then one request at a time tries
again until one succeeds.
"""

from hub.clock import Clock
from hub.payments.errors import GatewayDown

__all__ = ["Circuit"]

_FAILURES = 5
_REST_SECONDS = 15


class Circuit:
    """Counts what a gateway does; sans I/O. ``Clock.monotonic`` decides when to try again."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._failures = 0
        self._rests_until = clock.monotonic()

    def check(self) -> None:
        """Call before a request. Raises ``GatewayDown`` while the circuit is open."""
        if self._failures < _FAILURES:
            return
        now = self._clock.monotonic()
        if now < self._rests_until:
            raise GatewayDown(
                "The payment provider is not answering at the moment. Nothing was charged;"
                " please try again in a minute.",
                gateway=self._name,
            )
        self._rests_until = now + _REST_SECONDS  # this caller tries; the others keep waiting

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        self._rests_until = self._clock.monotonic() + _REST_SECONDS
