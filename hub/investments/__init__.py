"""Investments: businesses offer, people put money in, escrow holds it until the end is known.

An investment is a posting from the investor's wallet to the offering's escrow account, made by
``Investing`` in batches. An offering that reaches its target is released to the business; one that
misses it is refunded (``settle_offerings``).
"""

from hub.investments.errors import (
    BelowMinimum,
    BusinessNotFound,
    OfferingClosed,
    OfferingInvalid,
    OfferingNotFound,
    OwnBusinessInvestment,
    WrongCurrency,
)
from hub.investments.events import (
    EscrowReleased,
    InvestmentConfirmed,
    InvestmentMade,
    InvestmentRefunded,
    OfferingFailed,
    OfferingFunded,
)
from hub.investments.invest import Investing, InvestRequest
from hub.investments.model import Backing, Business, Investment, Offering
from hub.investments.offerings import (
    businesses_of,
    create_business,
    create_offering,
    get_business,
    get_offering,
    investments_in,
    investments_of,
    list_open_offerings,
)
from hub.investments.settle import Settled, fail_expired, release_funded, settle_offerings

__all__ = [
    "Backing",
    "BelowMinimum",
    "Business",
    "BusinessNotFound",
    "EscrowReleased",
    "InvestRequest",
    "Investing",
    "Investment",
    "InvestmentConfirmed",
    "InvestmentMade",
    "InvestmentRefunded",
    "Offering",
    "OfferingClosed",
    "OfferingFailed",
    "OfferingFunded",
    "OfferingInvalid",
    "OfferingNotFound",
    "OwnBusinessInvestment",
    "Settled",
    "WrongCurrency",
    "businesses_of",
    "create_business",
    "create_offering",
    "fail_expired",
    "get_business",
    "get_offering",
    "investments_in",
    "investments_of",
    "list_open_offerings",
    "release_funded",
    "settle_offerings",
]
