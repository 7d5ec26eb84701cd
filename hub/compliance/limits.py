"""Limits of people and issuers as guards.

A figure applies in the currency it is stated in: the limits of a transaction in KES are Kenya's at
the person's KYC level, wherever the person lives. Days are local days of that country. Twelve-month
figures run by calendar year of that country. Limits hold per person, not per wallet.
"""

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from hub.compliance.errors import KycRequired, OverTransactionLimit
from hub.countries import Country, KycTier, countries
from hub.identity import Person
from hub.ids import BusinessId, PersonId
from hub.ledger import Guard
from hub.money import Money

__all__ = ["investment_guards", "issuer_guards", "refund_guards", "top_up_guards"]

_QUARTER = 15  # minutes: no day begins between quarters, in any time zone in use


def investment_guards(person: Person, amount: Money, at: datetime) -> list[Guard]:
    """Guards on one investment: the day's and the year's figure of the person's KYC level.

    Raises ``KycRequired`` or ``OverTransactionLimit`` where no counter is needed to say no.
    """
    country, tier = _tier(person, amount)
    return _investor_guards(person.id, amount, tier, *_windows(country.timezone, at))


def refund_guards(person_id: PersonId, kyc_level: int, amount: Money, at: datetime) -> list[Guard]:
    """Guards that give back what an investment made at ``at`` took from the investor's figures."""
    country = _country_of(amount.currency)
    tier = country.tier(kyc_level) if country is not None else None
    if country is None or tier is None:
        return []
    return _investor_guards(person_id, -amount, tier, *_windows(country.timezone, at))


def _investor_guards(
    person_id: PersonId, amount: Money, tier: KycTier, day: str, year: str
) -> list[Guard]:
    guards = (
        _counter("investor_daily", person_id, amount, day, tier.daily),
        _counter("investor_yearly", person_id, amount, year, tier.invested_yearly),
    )
    return [guard for guard in guards if guard is not None]


def top_up_guards(person: Person, amount: Money, at: datetime) -> list[Guard]:
    """Guards on one top-up: the day's figure of the person's KYC level. Raises as above."""
    country, tier = _tier(person, amount)
    day, _ = _windows(country.timezone, at)
    guard = _counter("top_up_daily", person.id, amount, day, tier.daily)
    return [guard] if guard is not None else []


def issuer_guards(
    business: BusinessId, country: Country, amount: Money, at: datetime
) -> list[Guard]:
    """Guards on what one business may raise in a year under its country's crowdfunding rules."""
    if country.issuer_cap is None or amount.currency != country.currency:
        return []
    _, year = _windows(country.timezone, at)
    return [
        Guard(
            rule="issuer_yearly",
            key=f"issuer:{business}:{amount.currency}",
            window=year,
            delta=amount.amount,
            ceiling=country.issuer_cap.amount,
        )
    ]


def _windows(timezone: str, at: datetime) -> tuple[str, str]:
    """The local day and year of ``at``."""
    quarter = at.minute - at.minute % _QUARTER
    return _local_day(timezone, at.replace(minute=quarter, second=0, microsecond=0))


@lru_cache(256)
def _local_day(timezone: str, at: datetime) -> tuple[str, str]:
    local = at.astimezone(ZoneInfo(timezone))
    return f"{local:%Y-%m-%d}", f"{local:%Y}"


@lru_cache(64)
def _country_of(currency: str) -> Country | None:
    """The country whose figures apply to money in ``currency``."""
    return next((c for c in countries().values() if c.currency == currency), None)


def _tier(person: Person, amount: Money) -> tuple[Country, KycTier]:
    """The country whose figures apply, and its tier of the person's level."""
    country = _country_of(amount.currency)
    tier = country.tier(person.kyc_level) if country is not None else None
    if country is None or tier is None:
        raise KycRequired(
            f"Your verification level does not allow payments in {amount.currency} yet."
            " Verify your identity to go on.",
            rule="kyc_level",
            level=person.kyc_level,
            currency=amount.currency,
        )
    if tier.transaction is not None and amount.amount > tier.transaction:
        limit = Money(tier.transaction, amount.currency)
        raise OverTransactionLimit(
            f"One payment may be at most {limit.format()} at your verification level.",
            rule="transaction",
            limit=limit,
            level=tier.level,
        )
    return country, tier


def _counter(
    rule: str, person_id: PersonId, amount: Money, window: str, ceiling: int | None
) -> Guard | None:
    if ceiling is None:
        return None
    return Guard(
        rule=rule,
        key=f"{rule}:{person_id}:{amount.currency}",
        window=window,
        delta=amount.amount,
        ceiling=ceiling,
    )
