"""What a payment is, and the pure rules of its life.

A payment asks a gateway for money into a wallet. Its state only rises::

    created -> pending -> failed | expired -> settled

``created``: recorded, not yet known to be open at the gateway. ``pending``: the payer has a
checkout page. ``failed`` and ``expired`` end it for the payer, but money that arrives all the same
(a bank transfer a day late, a second try on the gateway's page) still counts, so ``settled`` stands
above them and is the only state nothing leaves.
"""

from datetime import datetime, timedelta
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from hub.ids import PaymentId, PersonId
from hub.ledger import Guard
from hub.money import MAX_AMOUNT, Money

__all__ = [
    "EXPIRES_AFTER",
    "FIRST_QUESTION_AFTER",
    "Payment",
    "PaymentState",
    "Purpose",
    "lifted",
    "may_become",
    "payment_of_reference",
    "reference_of",
]

PaymentState: TypeAlias = Literal["created", "pending", "failed", "expired", "settled"]
Purpose: TypeAlias = Literal["top_up"]

EXPIRES_AFTER = timedelta(hours=24)
FIRST_QUESTION_AFTER = timedelta(minutes=1)

_RANK: dict[PaymentState, int] = {
    "created": 0,
    "pending": 1,
    "failed": 2,
    "expired": 2,
    "settled": 3,
}


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """One row of ``payments``. ``attempt`` counts the references used at the gateway, from 1;
    ``ask_at`` is when the gateway is next asked, None when it need not be any more."""

    id: PaymentId
    person_id: PersonId
    purpose: Purpose
    gateway: str
    amount: Money
    guards: tuple[Guard, ...]
    attempt: int
    state: PaymentState
    checkout_url: str | None
    return_url: str
    reason: str | None
    settled_reference: str | None
    created_at: datetime
    expires_at: datetime
    settled_at: datetime | None
    ask_at: datetime | None

    @property
    def reference(self) -> str:
        return reference_of(self.id, self.attempt)


def may_become(state: PaymentState, next_state: PaymentState) -> bool:
    """Whether a payment may go from one state to the other. The database holds the same rule."""
    return _RANK[next_state] > _RANK[state]


def reference_of(payment: PaymentId, attempt: int) -> str:
    """Our reference at the gateway: the payment's id; from the second on with ``-<attempt>``.

    A further reference is used only where the gateway has the last one but its answer, the
    checkout page, never reached us, so that no payer can ever have two pages for one payment.
    """
    return str(payment) if attempt == 1 else f"{payment}-{attempt}"


def payment_of_reference(reference: str) -> PaymentId | None:
    """The payment a reference belongs to; None if it is not one of ours by its form."""
    head, tail = reference[:36], reference[36:]
    if tail and not (tail[0] == "-" and tail[1:].isascii() and tail[1:].isdigit()):
        return None
    try:
        return PaymentId(UUID(head))
    except ValueError:
        return None


def lifted(guards: tuple[Guard, ...]) -> tuple[Guard, ...]:
    """The guards with ceilings that never refuse.

    Limits say no before a checkout opens. Once money has arrived, refusing it would only lose it,
    so at settlement the counters still grow but nothing is turned away.
    """
    return tuple(msgspec.structs.replace(guard, ceiling=MAX_AMOUNT) for guard in guards)
