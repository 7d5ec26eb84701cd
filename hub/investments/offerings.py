"""Businesses and their offerings: made, and read."""

from datetime import datetime
from decimal import Decimal

from hub.clock import Clock
from hub.countries import country as country_named
from hub.database import Connection
from hub.ids import BusinessId, InvestmentId, OfferingId, PersonId, new_id
from hub.investments import queries
from hub.investments.errors import BusinessNotFound, OfferingInvalid, OfferingNotFound
from hub.investments.model import (
    Backing,
    Business,
    Investment,
    Offering,
    business_wallet,
    escrow_of,
)
from hub.ledger import open_account
from hub.money import Money

__all__ = [
    "businesses_of",
    "create_business",
    "create_offering",
    "get_business",
    "get_offering",
    "investments_in",
    "investments_of",
    "list_open_offerings",
]

_LONGEST_NAME = 120
_LONGEST_SUMMARY = 4_000


async def create_business(
    tx: Connection, clock: Clock, *, owner: PersonId, name: str, sector: str, country: str
) -> Business:
    """Registers a business of ``owner`` and opens its wallet in its country's currency."""
    if not 0 < len(name.strip()) <= _LONGEST_NAME:
        raise OfferingInvalid("A business needs a name of at most 120 characters.")
    at_home = country_named(country)
    business = Business(BusinessId(new_id(clock.now())), owner, name.strip(), sector, at_home.code)
    await tx.execute(
        queries.INSERT_BUSINESS,
        business.id,
        owner,
        business.name,
        sector,
        business.country,
        clock.now(),
    )
    await open_account(tx, clock, business_wallet(business.id, at_home.currency))
    return business


async def create_offering(
    tx: Connection,
    clock: Clock,
    *,
    business: BusinessId,
    title: str,
    summary: str,
    target: Money,
    minimum: Money,
    maximum: Money,
    closes_at: datetime,
    rate_percent: Decimal | int,
    term_months: int,
) -> Offering:
    """Opens an offering and its escrow account.

    ``minimum`` is the least one investment may be, ``maximum`` the most that may be raised;
    ``rate_percent`` is per year. Raises ``OfferingInvalid`` or ``BusinessNotFound``.
    """
    await get_business(tx, business)
    currency = target.check_positive().currency
    if {minimum.currency, maximum.currency} != {currency}:
        raise OfferingInvalid("Target, minimum and maximum must be in one currency.")
    if not 0 < minimum.amount <= target.amount <= maximum.check_positive().amount:
        raise OfferingInvalid("Minimum, target and maximum must ascend.")
    if not 0 < len(title.strip()) <= _LONGEST_NAME or len(summary) > _LONGEST_SUMMARY:
        raise OfferingInvalid("An offering needs a title of at most 120 characters.")
    if closes_at <= clock.now() or term_months <= 0:
        raise OfferingInvalid("An offering closes, and is paid back, after today.")
    offering_id = OfferingId(new_id(clock.now()))
    escrow = await open_account(tx, clock, escrow_of(offering_id, currency))
    await open_account(tx, clock, business_wallet(business, currency))
    await tx.execute(
        queries.INSERT_OFFERING,
        offering_id,
        business,
        title.strip(),
        summary,
        currency,
        target.amount,
        minimum.amount,
        maximum.amount,
        Decimal(rate_percent),
        term_months,
        escrow.id,
        clock.now(),
        closes_at,
    )
    return await get_offering(tx, offering_id)


async def get_business(connection: Connection, business_id: BusinessId) -> Business:
    """The business. Raises ``BusinessNotFound``."""
    row = await connection.fetchrow(queries.BUSINESS, business_id)
    if row is None:
        raise BusinessNotFound("There is no such business.")
    return queries.to_business(row)


async def businesses_of(connection: Connection, person_id: PersonId) -> list[Business]:
    """The businesses a person answers for."""
    rows = await connection.fetch(queries.BUSINESSES_OF, person_id)
    return [queries.to_business(row) for row in rows]


async def get_offering(connection: Connection, offering_id: OfferingId) -> Offering:
    """The offering as it stands. Raises ``OfferingNotFound``."""
    row = await connection.fetchrow(queries.OFFERINGS.format(where="o.id = $1"), offering_id)
    if row is None:
        raise OfferingNotFound("There is no such offering.")
    return queries.to_offering(row)


async def list_open_offerings(
    connection: Connection, limit: int = 20, after: OfferingId | None = None
) -> list[Offering]:
    """Open offerings, oldest first; ``after`` is the last id of the page before."""
    rows = await connection.fetch(
        queries.OFFERINGS.format(
            where="o.state = 'open' AND ($1::uuid IS NULL OR o.id > $1) ORDER BY o.id LIMIT $2"
        ),
        after,
        limit,
    )
    return [queries.to_offering(row) for row in rows]


async def investments_of(
    connection: Connection,
    person_id: PersonId,
    limit: int = 50,
    before: InvestmentId | None = None,
) -> list[Investment]:
    """What a person invested, newest first; ``before`` is the last id of the page before."""
    rows = await connection.fetch(queries.INVESTMENTS_OF, person_id, before, limit)
    return [queries.to_investment(row) for row in rows]


async def investments_in(
    connection: Connection,
    business_id: BusinessId,
    limit: int = 50,
    before: InvestmentId | None = None,
) -> list[Backing]:
    """Who invested in a business's offerings, newest first."""
    rows = await connection.fetch(queries.BACKINGS, business_id, before, limit)
    return [queries.to_backing(row) for row in rows]
