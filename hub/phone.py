"""Phone numbers in E.164, by libphonenumber's numbering plans."""

from typing import NewType

import phonenumbers

from hub.errors import Invalid

__all__ = ["Phone", "mask", "parse_phone", "region_of"]

Phone = NewType("Phone", str)
"""An E.164 number with its plus sign, as ``+254700000001``."""


def parse_phone(text: str, region: str | None = None) -> Phone:
    """The number in ``text`` in E.164; ``region`` (ISO 3166) is where a national form belongs.

    Raises ``Invalid`` for a number that no plan knows.
    """
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise Invalid("This is not a phone number.") from None
    if not phonenumbers.is_possible_number(number) or not phonenumbers.is_valid_number(number):
        raise Invalid("This phone number does not exist in any country's plan.")
    return Phone(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def region_of(phone: Phone) -> str:
    """ISO 3166 country of a number, as ``KE``."""
    return phonenumbers.region_code_for_number(phonenumbers.parse(phone)) or "ZZ"


def mask(phone: str) -> str:
    """A form that may be logged or shown to others: country and last two digits."""
    return f"{phone[:4]}…{phone[-2:]}"
