"""What every gateway can do, in our words."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from hub.money import Money

__all__ = ["Charge", "ChargeStatus", "Checkout", "Gateway", "Notice", "Order"]

ChargeStatus: TypeAlias = Literal["paid", "open", "declined", "reversed"]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to collect. ``reference`` is ours and unique at the gateway; ``payer_email`` may be
    one made up for a person whose address is not known."""

    reference: str
    amount: Money
    payer_email: str
    return_url: str
    metadata: dict[str, str]


class Checkout(msgspec.Struct, frozen=True):
    """The gateway's page where the payer pays."""

    reference: str
    url: str


class Charge(msgspec.Struct, frozen=True):
    """What the gateway says when asked about a reference; ``amount`` is what was really paid."""

    reference: str
    status: ChargeStatus
    amount: Money


class Notice(msgspec.Struct, frozen=True):
    """A webhook that was signed properly.

    ``key`` is the same for every delivery of one provider event. ``settles`` says that the event
    is about a collected charge, so that asking back is worth it. ``record`` is what may be kept
    of the body: no card, account or personal details.
    """

    key: str
    event: str
    reference: str | None
    status: str | None
    settles: bool
    record: dict[str, Any]


class Gateway(Protocol):
    """One provider."""

    @property
    def name(self) -> str: ...

    @property
    def currencies(self) -> frozenset[str]:
        """ISO codes it collects in."""
        ...

    async def start(self, order: Order) -> Checkout:
        """Opens a checkout page. Sent once, never retried inside: the caller knows what a lost
        answer means. Raises ``GatewayDown``, ``GatewayRefused``, ``ReferenceUsed``."""
        ...

    async def ask(self, reference: str) -> Charge | None:
        """What became of a reference; None if the gateway does not know it. Raises
        ``GatewayDown``."""
        ...

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """The notice in a webhook; ``headers`` has lower-case names. Raises ``BadSignature``
        and ``BadWebhook``."""
        ...
