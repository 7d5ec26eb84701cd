"""Webhooks: taken in at once, worked on afterwards, each counted once.

``receive`` stores a properly signed webhook and nothing else, so that the gateway gets its 200 even
while everything behind is down. ``settle_inbox`` works on what is stored: a webhook is only a hint,
so the gateway is asked back, and only its answer moves money. A notice is claimed for 60 s; if the
process dies, it comes up again.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

import msgspec

from hub.clock import Clock
from hub.database import Connection, Database
from hub.ids import PaymentId, new_id
from hub.payments import queries
from hub.payments.errors import GatewayDown
from hub.payments.gateways import Charge, Gateway, Gateways
from hub.payments.model import payment_of_reference
from hub.payments.settle import Outcome, alert, settle_payment
from hub.telemetry import logger

__all__ = ["receive", "settle_inbox"]

_log = logger("payments")

_AT_ONCE = 8
_LONGEST_PAUSE = timedelta(hours=1)
_GIVEN_UP_AFTER = 80
"""Tries, about three days, as long as Paystack repeats a webhook. The row stays for staff."""


async def receive(
    database: Database, clock: Clock, gateway: Gateway, headers: Mapping[str, str], body: bytes
) -> bool:
    """Stores the webhook; whether it was new. Raises ``BadSignature`` and ``BadWebhook``."""
    notice = gateway.read_webhook(headers, body)
    now = clock.now()
    async with database.connection() as connection:
        new = await connection.fetchval(
            queries.RECEIVE,
            new_id(now),
            gateway.name,
            notice.key,
            sha256(body).digest(),
            notice.event,
            notice.reference,
            notice.record,
            "waiting" if notice.settles else "ignored",
            None if notice.settles else "not about a collected charge",
            now if notice.settles else None,
            now,
        )
    _log.info("webhook_received", gateway=gateway.name, webhook_event=notice.event, new=new)
    return bool(new)


class _Claimed(msgspec.Struct, frozen=True):
    id: UUID
    gateway: str
    reference: str
    tries: int


async def settle_inbox(
    database: Database, clock: Clock, gateways: Gateways, *, limit: int = 64
) -> int:
    """Works on up to ``limit`` notices that are due and returns how many it took.

    Any number of processes may do so at once. What cannot be decided now (the gateway is down or
    not that far, the reference is unknown) is kept and comes up again later.
    """
    rows = await database.transaction(lambda tx: tx.fetch(queries.CLAIM_INBOX, clock.now(), limit))
    claimed = [_Claimed(row["id"], row["gateway"], row["reference"], row["tries"]) for row in rows]
    gate = asyncio.Semaphore(_AT_ONCE)

    async def work(notice: _Claimed) -> None:
        async with gate:
            await _work(database, clock, gateways, notice)

    results = await asyncio.gather(*(work(n) for n in claimed), return_exceptions=True)
    for notice, fault in zip(claimed, results, strict=True):
        if isinstance(fault, BaseException):
            # One notice that cannot be worked on must not hold up the others; its lease ends.
            _log.error("notice_failed", notice=str(notice.id), exc_info=fault)
    return len(claimed)


async def _work(database: Database, clock: Clock, gateways: Gateways, notice: _Claimed) -> None:
    payment_id = payment_of_reference(notice.reference)
    async with database.connection() as connection:
        payment = await queries.load_payment(connection, payment_id) if payment_id else None
    if payment is None or payment.gateway != notice.gateway:
        await database.transaction(lambda tx: _keep_unmatched(tx, clock, notice))
        return
    try:
        charge = await gateways.named(notice.gateway).ask(notice.reference)
    except GatewayDown:
        await database.transaction(
            lambda tx: _defer(tx, clock, notice, "the gateway did not answer")
        )
        return
    outcome = await database.transaction(lambda tx: _apply(tx, clock, notice, payment.id, charge))
    _log.info("notice_worked", payment=str(payment.id), outcome=outcome)


async def _apply(
    tx: Connection, clock: Clock, notice: _Claimed, payment_id: PaymentId, charge: Charge | None
) -> Outcome:
    """The money and the notice's end in one transaction; a notice ahead of its gateway waits."""
    outcome = "unknown to the gateway"
    if charge is not None:
        outcome = await settle_payment(tx, clock, payment_id, charge)
    if charge is None or outcome == "open":
        await _defer(tx, clock, notice, outcome)
    else:
        await tx.execute(queries.FINISH_NOTICE, notice.id, outcome, clock.now())
    return outcome


async def _defer(tx: Connection, clock: Clock, notice: _Claimed, outcome: str) -> None:
    await tx.execute(queries.DEFER_NOTICE, notice.id, "waiting", outcome, _next_try(clock, notice))


async def _keep_unmatched(tx: Connection, clock: Clock, notice: _Claimed) -> None:
    """Keeps what belongs to no payment (yet); staff hear of it the first time."""
    was = await tx.fetchval("SELECT state FROM webhook_inbox WHERE id = $1 FOR UPDATE", notice.id)
    await tx.execute(
        queries.DEFER_NOTICE,
        notice.id,
        "unmatched",
        "no payment has this reference",
        _next_try(clock, notice),
    )
    if was == "waiting":
        await alert(tx, clock, None, notice.reference, notice.gateway, "unknown_reference")


def _next_try(clock: Clock, notice: _Claimed) -> datetime | None:
    """Half a minute later, doubling up to an hour; never again after about three days."""
    if notice.tries >= _GIVEN_UP_AFTER:
        return None
    pause = min(timedelta(seconds=30 << min(notice.tries - 1, 7)), _LONGEST_PAUSE)
    return clock.now() + pause
