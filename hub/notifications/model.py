"""The values that travel between escalation, the deliver worker and the channels."""

from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec

from hub.ids import DeviceId, EventId, PersonId

__all__ = ["Address", "Cost", "Dead", "Notice", "Outcome", "Retry", "Sent", "Urgency"]

Urgency: TypeAlias = Literal["critical", "normal", "promotional"]


class Address(msgspec.Struct, frozen=True):
    """Where a channel reaches a person: a phone number, or a push token of a device."""

    value: str
    device_id: DeviceId | None = None

    def __repr__(self) -> str:
        return "Address(…)"


class Cost(msgspec.Struct, frozen=True):
    """A provider's charge in *major* units (they charge in fractions of a minor one)."""

    amount: Decimal
    currency: str


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One try to tell one person of one event at one address, worded in their language.

    ``verbatim`` text holds a person's own words and is not transliterated. ``number`` is the try,
    from 1. ``data`` goes to apps beside the words; it holds ids, never personal text.
    """

    event_id: EventId
    kind: str
    person_id: PersonId
    address: Address
    title: str
    text: str
    verbatim: bool
    urgency: Urgency
    number: int
    expires_at: datetime
    data: dict[str, str]

    def __repr__(self) -> str:
        return f"Notice({self.kind}, {self.event_id})"


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """The provider took it. ``reports`` says that a delivery report will follow."""

    provider_id: str | None = None
    reports: bool = False
    parts: int | None = None
    cost: Cost | None = None


class Retry(msgspec.Struct, frozen=True):
    """Not now: try again after so many seconds."""

    after: float
    reason: str


class Dead(msgspec.Struct, frozen=True):
    """This will not work at this address; with ``retire`` the address itself is dead."""

    reason: str
    retire: bool = False


Outcome: TypeAlias = Sent | Retry | Dead
