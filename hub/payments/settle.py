"""Brings a payment to where the gateway says it is; the only place that moves collected money.

A charge counts once: the payment is locked, its state only rises, and the posting's reference is
the payment's. Money that arrived is never turned away and never lost: what fits goes to the wallet,
whatever does not goes to the suspense account with an alert to staff. Limits therefore count here
but do not refuse (``model.lifted``).
"""

from datetime import datetime
from typing import Literal, TypeAlias

import msgspec

from hub import events
from hub.clock import Clock
from hub.database import Connection
from hub.errors import Invalid
from hub.ids import AccountId, PaymentId, PostingId, new_id
from hub.ledger import (
    AccountRef,
    DuplicateReference,
    Guard,
    Leg,
    Posted,
    Posting,
    balance,
    open_account,
    post,
)
from hub.money import Money
from hub.payments import queries
from hub.payments.errors import PaymentNotFound
from hub.payments.events import (
    OPERATIONS_STREAM,
    PaymentFailed,
    PaymentMismatch,
    PaymentSettled,
)
from hub.payments.gateways import Charge
from hub.payments.model import Payment, lifted, may_become
from hub.payments.wallets import open_wallet, wallet_of

__all__ = ["Outcome", "alert", "expire_payment", "settle_payment"]

Outcome: TypeAlias = str
"""What came of a charge, for the inbox and the log: ``settled``, ``already_settled``, ``open``,
``declined``, ``amount``, ``currency``, ``paid_twice`` or ``reversed``."""


async def settle_payment(
    tx: Connection, clock: Clock, payment_id: PaymentId, charge: Charge
) -> Outcome:
    """Applies what the gateway answered about one of the payment's references.

    May be called any number of times, in any order, by any number of processes at once. Raises
    ``PaymentNotFound``.
    """
    payment = await queries.lock_payment(tx, payment_id)
    if payment is None:
        raise PaymentNotFound("There is no such payment.", payment=str(payment_id))
    if charge.status == "paid":
        return await _paid(tx, clock, payment, charge)
    if charge.status == "open" or charge.reference != payment.reference:
        return "open"
    if charge.status == "reversed" and payment.state == "settled":
        await alert(tx, clock, payment, charge.reference, payment.gateway, "reversed")
        return "reversed"
    if may_become(payment.state, "failed"):
        # ask_at stays: on a hosted page the payer may try another card under this reference
        await _end(tx, clock, payment, "failed", "declined", payment.ask_at)
    return "declined"


async def expire_payment(tx: Connection, clock: Clock, payment_id: PaymentId) -> bool:
    """Ends a payment whose time is over; the gateway was asked and has no money for it."""
    payment = await queries.lock_payment(tx, payment_id)
    if payment is None or clock.now() < payment.expires_at:
        return False
    if may_become(payment.state, "expired"):
        await _end(tx, clock, payment, "expired", "expired", None)
        return True
    if payment.ask_at is not None:
        await queries.move_payment(tx, msgspec.structs.replace(payment, ask_at=None))
    return False


async def alert(
    tx: Connection,
    clock: Clock,
    payment: Payment | None,
    reference: str,
    gateway: str,
    reason: str,
    held: Money | None = None,
    evidence: bytes = b"",
) -> None:
    """Tells staff that gateway and hub disagree."""
    await events.append(
        tx,
        PaymentMismatch(
            payment_id=payment.id if payment is not None else None,
            gateway=gateway,
            reference=reference,
            reason=reason,
            expected=payment.amount if payment is not None else None,
            held=held,
        ),
        at=clock.now(),
        actor=gateway,
        topics=[OPERATIONS_STREAM],
        evidence=evidence,
    )


async def _paid(tx: Connection, clock: Clock, payment: Payment, charge: Charge) -> Outcome:
    if payment.state == "settled":
        if charge.reference == payment.settled_reference:
            return "already_settled"
        return await _suspend(tx, clock, payment, charge, "paid_twice")
    if charge.amount.currency != payment.amount.currency:
        return await _suspend(tx, clock, payment, charge, "currency")
    if charge.amount != payment.amount:
        return await _suspend(tx, clock, payment, charge, "amount")
    now = clock.now()
    currency = payment.amount.currency
    wallet = await open_wallet(tx, clock, payment.person_id, currency)
    reference = f"payment:{payment.id}"
    posted = await _post(
        tx, clock, payment, reference, payment.amount, wallet.id, lifted(payment.guards)
    )
    settled = msgspec.structs.replace(
        payment,
        state="settled",
        reason=None,
        settled_reference=charge.reference,
        settled_at=now,
        ask_at=None,
    )
    await queries.move_payment(tx, settled)
    standing = await balance(tx, wallet_of(payment.person_id, currency))
    event = PaymentSettled(
        payment_id=payment.id,
        amount=payment.amount,
        gateway=payment.gateway,
        wallet_balance=Money(standing.available, currency),
    )
    await events.append(
        tx,
        event,
        at=now,
        actor=payment.gateway,
        to=[payment.person_id],
        evidence=posted.digest,
    )
    return "settled"


async def _suspend(
    tx: Connection, clock: Clock, payment: Payment, charge: Charge, reason: str
) -> Outcome:
    """Puts what came into suspense, once per reference, and asks staff to decide."""
    posted, held = None, None
    if may_become(payment.state, "failed"):
        await _end(tx, clock, payment, "failed", "mismatch", None)
    elif payment.ask_at is not None:
        await queries.move_payment(tx, msgspec.structs.replace(payment, ask_at=None))
    if _can_be_booked(charge.amount):
        held = charge.amount
        suspense = await open_account(tx, clock, AccountRef("platform", "suspense", held.currency))
        reference = f"payment:{payment.id}:suspense:{charge.reference}"
        try:
            posted = await _post(tx, clock, payment, reference, held, suspense.stripe(reference))
        except DuplicateReference:
            return reason  # told before
    digest = posted.digest if posted is not None else b""
    await alert(tx, clock, payment, charge.reference, payment.gateway, reason, held, digest)
    return reason


def _can_be_booked(amount: Money) -> bool:
    try:
        amount.check_positive()
    except Invalid:
        return False
    return True


async def _post(
    tx: Connection,
    clock: Clock,
    payment: Payment,
    reference: str,
    amount: Money,
    to: AccountId,
    guards: tuple[Guard, ...] = (),
) -> Posted:
    """From the gateway's clearing account, which owes us what its payouts will bring."""
    clearing = await open_account(
        tx, clock, AccountRef(f"gateway:{payment.gateway}", "clearing", amount.currency)
    )
    now = clock.now()
    posting = Posting(
        id=PostingId(new_id(now)),
        reference=reference,
        legs=(
            Leg(clearing.stripe(reference), -amount.amount, amount.currency),
            Leg(to, amount.amount, amount.currency),
        ),
        guards=guards,
        effective_at=now,
        metadata={"payment": str(payment.id)},
    )
    return await post(tx, clock, posting)


async def _end(
    tx: Connection,
    clock: Clock,
    payment: Payment,
    state: Literal["failed", "expired"],
    reason: str,
    ask_at: datetime | None,
) -> None:
    ended = msgspec.structs.replace(payment, state=state, reason=reason, ask_at=ask_at)
    await queries.move_payment(tx, ended)
    event = PaymentFailed(payment_id=payment.id, amount=payment.amount, reason=reason)
    await events.append(tx, event, at=clock.now(), actor=payment.gateway, to=[payment.person_id])
