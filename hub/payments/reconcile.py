"""Asks gateways about payments whose webhook never came, and ends those whose time is over."""

import asyncio

from hub.clock import Clock
from hub.database import Connection, Database
from hub.payments import queries
from hub.payments.errors import GatewayDown
from hub.payments.gateways import Charge, Gateways
from hub.payments.model import Payment
from hub.payments.settle import expire_payment, settle_payment
from hub.telemetry import logger

__all__ = ["reconcile_pending"]

_log = logger("payments")

_AT_ONCE = 8


async def reconcile_pending(
    database: Database, clock: Clock, gateways: Gateways, *, limit: int = 64
) -> int:
    """Asks about up to ``limit`` payments that have been open for over a minute.

    Each is asked about again after half its age (1 to 30 minutes). A payment ends as ``expired``
    after 24 hours, and only once the gateway has answered that it holds no money for it. Returns
    how many were asked about; any number of processes may do so at once.
    """
    rows = await database.transaction(lambda tx: tx.fetch(queries.DUE_PAYMENTS, clock.now(), limit))
    due = [queries.payment_from(row) for row in rows]
    gate = asyncio.Semaphore(_AT_ONCE)

    async def ask(payment: Payment) -> None:
        async with gate:
            await _ask(database, clock, gateways, payment)

    results = await asyncio.gather(*(ask(payment) for payment in due), return_exceptions=True)
    for payment, fault in zip(due, results, strict=True):
        if isinstance(fault, BaseException):
            _log.error("reconciliation_failed", payment=str(payment.id), exc_info=fault)
    return len(due)


async def _ask(database: Database, clock: Clock, gateways: Gateways, payment: Payment) -> None:
    try:
        charge = await gateways.named(payment.gateway).ask(payment.reference)
    except GatewayDown:
        return  # ask_at has moved on already
    outcome = await database.transaction(lambda tx: _apply(tx, clock, payment, charge))
    _log.info("payment_reconciled", payment=str(payment.id), outcome=outcome)


async def _apply(tx: Connection, clock: Clock, payment: Payment, charge: Charge | None) -> str:
    outcome = "unknown to the gateway"
    if charge is not None:
        outcome = await settle_payment(tx, clock, payment.id, charge)
    if await expire_payment(tx, clock, payment.id):
        return "expired"
    return outcome
