"""Businesses, offerings and investments as values."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from hub.ids import AccountId, BusinessId, InvestmentId, OfferingId, PersonId
from hub.ledger import AccountRef
from hub.money import Money

__all__ = [
    "Backing",
    "Business",
    "Investment",
    "Offering",
    "OfferingState",
    "Terms",
    "business_wallet",
    "escrow_of",
    "investor_wallet",
]

OfferingState = Literal["open", "funded", "failed"]
InvestmentState = Literal["confirmed", "refunded"]


class Business(msgspec.Struct, frozen=True):
    """A business and the person who answers for it."""

    id: BusinessId
    owner_id: PersonId
    name: str
    sector: str
    country: str


class Offering(msgspec.Struct, frozen=True):
    """What a business asks for. ``minimum`` is per investment, ``maximum`` for all together."""

    id: OfferingId
    business_id: BusinessId
    business_name: str
    title: str
    summary: str
    target: Money
    minimum: Money
    maximum: Money
    raised: Money
    investors: int
    rate_percent: Decimal
    term_months: int
    state: OfferingState
    closes_at: datetime
    sector: str
    country: str


class Terms(msgspec.Struct, frozen=True):
    """What never changes about an offering: all that an investment must know of it.

    ``counter`` is the key of the guard that keeps all investments together under the maximum.
    """

    id: OfferingId
    title: str
    business_id: BusinessId
    business_name: str
    country: str
    owner_id: PersonId
    currency: str
    target: int
    minimum: int
    maximum: int
    escrow_id: AccountId
    counter: str


class Investment(msgspec.Struct, frozen=True):
    """One's own investment, with what its offering has raised so far."""

    id: InvestmentId
    offering_id: OfferingId
    offering_title: str
    business_name: str
    amount: Money
    state: InvestmentState
    made_at: datetime
    offering_state: OfferingState
    raised: Money
    target: Money


class Backing(msgspec.Struct, frozen=True):
    """An investment as the business sees it."""

    id: InvestmentId
    offering_id: OfferingId
    offering_title: str
    investor_id: PersonId
    investor_name: str
    amount: Money
    state: InvestmentState
    made_at: datetime
    raised: Money
    target: Money


def investor_wallet(person_id: PersonId, currency: str) -> AccountRef:
    return AccountRef(f"person:{person_id}", "wallet", currency)


def business_wallet(business_id: BusinessId, currency: str) -> AccountRef:
    return AccountRef(f"business:{business_id}", "wallet", currency)


def escrow_of(offering_id: OfferingId, currency: str) -> AccountRef:
    return AccountRef(f"offering:{offering_id}", "escrow", currency)
