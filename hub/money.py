"""Money: whole minor units of an ISO 4217 currency. No float ever holds an amount."""

from collections.abc import Sequence
from decimal import Decimal

import iso4217
import msgspec
from babel.numbers import format_decimal

from hub.errors import Invalid

__all__ = ["MAX_AMOUNT", "Money", "allot", "currency_exponent", "parse_amount"]

MAX_AMOUNT = 2**53 - 1
"""Largest amount in minor units: what a JSON number holds exactly in a browser."""


def currency_exponent(currency: str) -> int:
    """Decimal places of ``currency`` by ISO 4217. Raises ``Invalid`` for an unknown code."""
    try:
        exponent = iso4217.Currency(currency).exponent
    except ValueError:
        exponent = None
    if exponent is None:
        raise Invalid("This currency is not known.", currency=currency[:8])
    return int(exponent)


class Money(msgspec.Struct, frozen=True, order=False):
    """``amount`` in minor units (may be negative in differences) of ``currency`` (ISO 4217)."""

    amount: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise Invalid(
                "Amounts of two currencies cannot be added.",
                currencies=[self.currency, other.currency],
            )
        return other.amount

    def check_positive(self) -> "Money":
        """Itself, if it can be paid: above zero, storable, in a known currency."""
        currency_exponent(self.currency)
        if self.amount <= 0:
            raise Invalid("The amount must be above zero.", amount=self.amount)
        if self.amount > MAX_AMOUNT:
            raise Invalid("The amount is too large.", largest=MAX_AMOUNT)
        return self

    def major(self) -> Decimal:
        """The amount in major units, exactly."""
        return Decimal(self.amount).scaleb(-currency_exponent(self.currency))

    def format(self, locale: str = "en") -> str:
        """Code and grouped figure in GSM-7 letters, as ``KES 1,250.00``; decimals only if any."""
        exponent = currency_exponent(self.currency)
        whole = self.amount % 10**exponent == 0
        pattern = "#,##0" if whole else "#,##0." + "0" * exponent
        figure = format_decimal(self.major(), format=pattern, locale=locale)
        return f"{self.currency} {figure.replace(chr(0x202F), ' ').replace(chr(0xA0), ' ')}"


def parse_amount(text: str, currency: str) -> Money:
    """What a person typed in major units (``1,250`` or ``1250.50``) as ``Money``.

    Raises ``Invalid`` for anything that is not a plain positive figure of that currency.
    """
    cleaned = text.strip().replace(",", "").replace(" ", "")
    exponent = currency_exponent(currency)
    whole, _, fraction = cleaned.partition(".")
    if not (whole.isascii() and whole.isdigit()) or len(whole) > 16 or len(fraction) > exponent:
        raise Invalid("This is not an amount.", currency=currency)
    if fraction and not (fraction.isascii() and fraction.isdigit()):
        raise Invalid("This is not an amount.", currency=currency)
    return Money(int(whole + fraction.ljust(exponent, "0")), currency).check_positive()


def allot(amount: int, weights: Sequence[int]) -> list[int]:
    """``amount`` shared by ``weights``, summing to it exactly (largest remainder, Hamilton).

    Ties go to the earlier weight. With all weights zero, nothing is allotted and 0s are returned.
    """
    total = sum(weights)
    if total == 0:
        return [0] * len(weights)
    shares = [amount * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(amount * weights[i] % total), i))
    for i in by_remainder[: amount - sum(shares)]:
        shares[i] += 1
    return shares
