"""Gateways: how money gets in from outside. One file each, and one line in ``_MAKERS``.

A gateway file knows its provider's HTTP API and quirks and nothing of ledger or database. What it
says is data of ``base``; what goes wrong is ``GatewayDown`` (try again), ``GatewayRefused`` (final)
or ``ReferenceUsed``. ``tests/contracts/test_gateways.py`` picks each up by itself.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager

import httpx

from hub.clock import Clock
from hub.payments.errors import UnknownGateway
from hub.payments.gateways.base import Charge, ChargeStatus, Checkout, Gateway, Notice, Order
from hub.payments.gateways.paystack import Paystack
from hub.settings import Settings

__all__ = [
    "Charge",
    "ChargeStatus",
    "Checkout",
    "Gateway",
    "Gateways",
    "Notice",
    "Order",
    "Paystack",
    "open_gateways",
]

_MAKERS: Mapping[str, Callable[[Settings, httpx.AsyncClient, Clock], Gateway]] = {
    "paystack": lambda settings, client, clock: Paystack(settings.paystack, client, clock),
}

_TIMEOUT = httpx.Timeout(10, connect=3)
_LIMITS = httpx.Limits(max_connections=50, max_keepalive_connections=20)


class Gateways:
    """The gateways of this process, by name."""

    def __init__(self, gateways: Mapping[str, Gateway]) -> None:
        self._gateways = dict(gateways)

    def __iter__(self) -> Iterator[Gateway]:
        return iter(self._gateways.values())

    def named(self, name: str) -> Gateway:
        """Raises ``UnknownGateway``."""
        try:
            return self._gateways[name]
        except KeyError:
            raise UnknownGateway("There is no such payment gateway.", gateway=name[:32]) from None


@asynccontextmanager
async def open_gateways(settings: Settings, clock: Clock) -> AsyncIterator[Gateways]:
    """Every gateway of the registry, over one pool of connections. One per process."""
    async with httpx.AsyncClient(timeout=_TIMEOUT, limits=_LIMITS) as client:
        yield Gateways({name: make(settings, client, clock) for name, make in _MAKERS.items()})
