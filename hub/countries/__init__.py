"""What differs from country to country: one TOML file each, every figure with source and date.

A file is checked when it is first read; a missing or unknown field stops the start. Amounts are in
minor units of the country's currency.
"""

from datetime import time
from functools import cache
from importlib.resources import files

import msgspec

from hub.errors import Invalid

__all__ = ["Country", "IssuerCap", "KycTier", "Operator", "QuietHours", "countries", "country"]


class QuietHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Local times between which no promotional message may be sent."""

    start: time
    end: time
    source: str


class KycTier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person of this KYC level may move: one transaction, a local day, twelve months.

    None means that no figure is set for it.
    """

    level: int
    transaction: int | None
    daily: int | None
    invested_yearly: int | None
    source: str
    as_of: str


class IssuerCap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one business may raise from the public in twelve months."""

    amount: int
    source: str


class Operator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mobile operator: MCC+MNC as Africa's Talking reports it, and its name."""

    code: str
    name: str


class Country(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``code`` is ISO 3166; ``gateways`` are the payment gateways used there, best first."""

    code: str
    name: str
    currency: str
    calling_code: str
    timezone: str
    languages: tuple[str, ...]
    gateways: tuple[str, ...]
    operators: tuple[Operator, ...]
    tiers: tuple[KycTier, ...]
    quiet_hours: QuietHours | None = None
    issuer_cap: IssuerCap | None = None

    def tier(self, level: int) -> KycTier | None:
        """The tier of a KYC level; None where the level may move nothing."""
        return next((tier for tier in self.tiers if tier.level == level), None)


@cache
def countries() -> dict[str, Country]:
    """All countries by code."""
    found = {}
    for entry in files(__package__).iterdir():
        if entry.name.endswith(".toml"):
            loaded = msgspec.toml.decode(entry.read_bytes(), type=Country)
            found[loaded.code] = loaded
    return found


def country(code: str) -> Country:
    """One country. Raises ``Invalid`` where Bvester does not work yet."""
    try:
        return countries()[code]
    except KeyError:
        raise Invalid("Bvester does not work in this country yet.", country=code[:2]) from None
