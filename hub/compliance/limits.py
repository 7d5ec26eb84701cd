"""Limits of people and issuers as guards.

A figure applies in the currency it is stated in: the limits of a transaction in KES are Kenya's at
the person's KYC level, wherever the person lives. Days are local days of that country. Twelve-month
figures run by calendar year of that country. Limits hold per person, not per wallet.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from hub.compliance.errors import KycRequired, OverTransactionLimit
from hub.countries import Country, KycTier, countries
from hub.identity import Person
from hub.ids import BusinessId
from hub.ledger import Guard
from hub.money import Money

__all__ = ["investment_guards", "issuer_guards", "top_up_guards"]


def investment_guards(person: Person, amount: Money, at: datetime) -> list[Guard]:
    """Guards on one investment: the day's and the year's figure of the person's KYC level.

    Raises ``KycRequired`` or ``OverTransactionLimit`` where no counter is needed to say no.
    """
    country, tier = _tier(person, amount)
    local = at.astimezone(ZoneInfo(country.timezone))
    guards = [_counter("investor_daily", person, amount, f"{local:%Y-%m-%d}", tier.daily)]
    guards.append(_counter("investor_yearly", person, amount, f"{local:%Y}", tier.invested_yearly))
    return [guard for guard in guards if guard is not None]


def top_up_guards(person: Person, amount: Money, at: datetime) -> list[Guard]:
    """Guards on one top-up: the day's figure of the person's KYC level. Raises as above."""
    country, tier = _tier(person, amount)
    local = at.astimezone(ZoneInfo(country.timezone))
    guard = _counter("top_up_daily", person, amount, f"{local:%Y-%m-%d}", tier.daily)
    return [guard] if guard is not None else []


def issuer_guards(
    business: BusinessId, country: Country, amount: Money, at: datetime
) -> list[Guard]:
    """Guards on what one business may raise in a year under its country's crowdfunding rules."""
    if country.issuer_cap is None or amount.currency != country.currency:
        return []
    year = f"{at.astimezone(ZoneInfo(country.timezone)):%Y}"
    return [
        Guard(
            rule="issuer_yearly",
            key=f"issuer:{business}:{amount.currency}",
            window=year,
            delta=amount.amount,
            ceiling=country.issuer_cap.amount,
        )
    ]


def _tier(person: Person, amount: Money) -> tuple[Country, KycTier]:
    """The country whose figures apply, and its tier of the person's level."""
    country = next((c for c in countries().values() if c.currency == amount.currency), None)
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
    rule: str, person: Person, amount: Money, window: str, ceiling: int | None
) -> Guard | None:
    if ceiling is None:
        return None
    return Guard(
        rule=rule,
        key=f"{rule}:{person.id}:{amount.currency}",
        window=window,
        delta=amount.amount,
        ceiling=ceiling,
    )
