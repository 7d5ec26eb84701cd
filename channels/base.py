"""What every channel is: a way to reach a person, known to the deliver worker by this Protocol.

``send`` answers with an outcome or raises; whatever it raises means that nobody can say whether
the provider took the notice, and the attempt stays open for a delivery report (``SendInDoubt``
says so on purpose). A channel therefore answers ``Retry`` or ``Dead`` only where it is known.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import httpx

from hub.database import Connection
from hub.identity import Person
from hub.notifications import (
    Address,
    Cost,
    Dead,
    Notice,
    Outcome,
    Retry,
    SendInDoubt,
    Sent,
)

__all__ = [
    "Address",
    "Channel",
    "Cost",
    "Dead",
    "Notice",
    "Outcome",
    "Retry",
    "SendInDoubt",
    "Sent",
    "never_left",
    "provider_client",
    "retry_after",
]

_LONGEST_WAIT = 3_600.0


class Channel(Protocol):
    """One way to reach people. ``provider`` is who carries it."""

    @property
    def name(self) -> str: ...

    @property
    def provider(self) -> str: ...

    async def can_reach(self, c: Connection, person: Person) -> Sequence[Address]:
        """The usable addresses of the person; none where this channel cannot reach them."""

    async def send(self, notice: Notice) -> Outcome:
        """Hands one notice over. Raises ``SendInDoubt``, or anything, where it may have left."""

    def price(self, notice: Notice) -> Cost | None:
        """What it would cost; None where that is not known beforehand or nothing."""

    async def retire(self, tx: Connection, address: Address, reason: str, at: datetime) -> None:
        """Forgets an address that is dead, within ``tx``."""


def provider_client(base_url: str, *, connections: int = 100) -> httpx.AsyncClient:
    """A pooled client with short waits; nothing here may hang a worker."""
    return httpx.AsyncClient(
        base_url=base_url.rstrip("/"),
        timeout=httpx.Timeout(connect=3.05, read=10.0, write=10.0, pool=30.0),
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        trust_env=False,
    )


def never_left(fault: httpx.HTTPError) -> bool:
    """Whether a request surely did not reach the provider."""
    return isinstance(fault, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def retry_after(response: httpx.Response, default: float) -> float:
    """Seconds to wait by the ``Retry-After`` header, at most an hour; ``default`` without one."""
    text = response.headers.get("retry-after", "").strip()
    if not text.isdigit():
        return default
    return min(max(float(text), 1.0), _LONGEST_WAIT)
