"""Events of payments. They carry ids, amounts and the gateway's name, nothing about the payer."""

from typing import ClassVar

from hub.events import Event, Reach
from hub.ids import PaymentId
from hub.money import Money

__all__ = ["OPERATIONS_STREAM", "PaymentFailed", "PaymentMismatch", "PaymentSettled"]

OPERATIONS_STREAM = "ops:payments"
"""Where staff see what needs a person's decision."""


class PaymentSettled(Event, frozen=True, kw_only=True):
    """The money arrived and is in the wallet; ``wallet_balance`` is what can be spent now."""

    kind: ClassVar[str] = "payment.settled"
    reach: ClassVar[Reach | None] = Reach()

    payment_id: PaymentId
    amount: Money
    gateway: str
    wallet_balance: Money


class PaymentFailed(Event, frozen=True, kw_only=True):
    """Nothing reached the wallet; ``reason`` is ``declined``, ``expired``, ``refused`` or
    ``mismatch``."""

    kind: ClassVar[str] = "payment.failed"

    payment_id: PaymentId
    amount: Money
    reason: str


class PaymentMismatch(Event, frozen=True, kw_only=True):
    """Gateway and hub disagree; staff must look.

    ``reason``: ``amount`` or ``currency`` (what came is not what was asked for; it is in
    suspense), ``paid_twice`` (a second charge for a settled payment, in suspense), ``reversed``
    (taken back after it had settled; nothing was moved), ``unknown_reference`` (no payment of
    ours; nothing was moved). ``held`` is what was put into suspense.
    """

    kind: ClassVar[str] = "payment.mismatch"

    payment_id: PaymentId | None
    gateway: str
    reference: str
    reason: str
    expected: Money | None
    held: Money | None
