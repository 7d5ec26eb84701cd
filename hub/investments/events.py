"""What investing tells the world: ids, amounts and public names, nothing else.

The last field of ``InvestmentMade`` and of ``InvestmentConfirmed`` is a figure that only the
database knows at the moment of posting; it is put in there, so it must stay the last.
"""

from typing import ClassVar

from hub.events import Event, Reach
from hub.ids import InvestmentId, OfferingId, PersonId
from hub.money import Money

__all__ = [
    "EscrowReleased",
    "InvestmentConfirmed",
    "InvestmentMade",
    "InvestmentRefunded",
    "OfferingFailed",
    "OfferingFunded",
]


class InvestmentMade(Event, frozen=True, kw_only=True):
    """Somebody invested: to the business's owner and everybody who watches the offering."""

    kind: ClassVar[str] = "investment.made"
    reach: ClassVar[Reach | None] = Reach()

    investment_id: InvestmentId
    offering_id: OfferingId
    offering_title: str
    business_name: str
    investor_id: PersonId
    investor_name: str
    amount: Money
    target: Money
    raised: Money


class InvestmentConfirmed(Event, frozen=True, kw_only=True):
    """Your investment stands; the money is in escrow. To the investor."""

    kind: ClassVar[str] = "investment.confirmed"

    investment_id: InvestmentId
    offering_id: OfferingId
    offering_title: str
    amount: Money
    wallet_balance: Money


class OfferingFunded(Event, frozen=True, kw_only=True):
    """The offering reached its target and is closed. To the owner and all investors."""

    kind: ClassVar[str] = "offering.funded"
    reach: ClassVar[Reach | None] = Reach()

    offering_id: OfferingId
    offering_title: str
    business_name: str
    raised: Money


class EscrowReleased(Event, frozen=True, kw_only=True):
    """The money raised is in the business's wallet; ``wallet_balance`` is that wallet's."""

    kind: ClassVar[str] = "escrow.released"
    reach: ClassVar[Reach | None] = Reach(urgency="critical", stop_at="seen")

    offering_id: OfferingId
    offering_title: str
    business_name: str
    amount: Money
    wallet_balance: Money


class OfferingFailed(Event, frozen=True, kw_only=True):
    """The offering's time is over below its target; everybody gets their money back. To the
    owner, and everybody who watches the offering."""

    kind: ClassVar[str] = "offering.failed"
    reach: ClassVar[Reach | None] = Reach()

    offering_id: OfferingId
    offering_title: str
    business_name: str
    raised: Money
    target: Money


class InvestmentRefunded(Event, frozen=True, kw_only=True):
    """Your money is back in your wallet, because the offering missed its target."""

    kind: ClassVar[str] = "investment.refunded"
    reach: ClassVar[Reach | None] = Reach()

    investment_id: InvestmentId
    offering_id: OfferingId
    offering_title: str
    business_name: str
    amount: Money
    wallet_balance: Money
