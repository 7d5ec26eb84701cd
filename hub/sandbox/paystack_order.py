"""What Paystack takes as an order to collect, and how it words a refusal (pure)."""

import re
from secrets import token_hex
from typing import Any

import msgspec

__all__ = ["Order", "Refusal", "order_from", "wrong"]

_MINIMUM = {"NGN": 50_00, "GHS": 10, "KES": 3_00, "ZAR": 1_00, "USD": 2_00}
_CHANNELS = frozenset(
    {
        "card",
        "bank",
        "ussd",
        "qr",
        "eft",
        "mobile_money",
        "bank_transfer",
        "apple_pay",
    }
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_REFERENCE = re.compile(r"[A-Za-z0-9.=\-]{1,100}")


class Refusal(Exception):
    """An error answer in Paystack's envelope."""

    def __init__(self, status: int, message: str, code: str, next_step: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {
            "status": False,
            "message": message,
            "meta": {"nextStep": next_step},
            "type": "validation_error",
            "code": code,
        }


class Order(msgspec.Struct):
    """What ``initialize`` understood."""

    email: str
    amount: int
    currency: str
    reference: str
    channels: list[str]
    callback_url: str | None
    metadata: str


def order_from(fields: dict[str, Any]) -> Order:
    """The checked parameters. Raises ``Refusal`` as Paystack words it."""
    email, amount = fields.get("email"), fields.get("amount")
    currency = fields.get("currency", "NGN")
    reference = fields.get("reference") or token_hex(5)
    callback_url = fields.get("callback_url")
    channels = fields.get("channels") or sorted(_CHANNELS)
    if not isinstance(email, str) or _EMAIL.fullmatch(email) is None:
        raise wrong("Invalid Email Address Passed", "invalid_email_address", "email address")
    if not isinstance(currency, str) or currency not in _MINIMUM:
        raise Refusal(
            403,
            "Currency not supported by merchant",
            "unsupported_currency",
            "Provide a currency that your integration supports",
        )
    if isinstance(amount, str) and amount.isdecimal():
        amount = int(amount)
    if not isinstance(amount, int) or isinstance(amount, bool) or amount < _MINIMUM[currency]:
        raise wrong("Invalid Amount Sent", "invalid_amount", "amount in subunits")
    if not isinstance(reference, str) or _REFERENCE.fullmatch(reference) is None:
        raise wrong("Invalid transaction reference", "invalid_reference", "reference")
    if callback_url is not None and not re.match(r"https?://[^\s/]", str(callback_url)):
        raise wrong("Invalid callback URL", "invalid_callback_url", "callback URL")
    if not isinstance(channels, list) or not _CHANNELS.issuperset(map(str, channels)):
        raise wrong("Invalid payment channels", "invalid_channels", "list of channels")
    return Order(
        email.lower(),
        amount,
        currency,
        reference,
        channels,
        callback_url,
        _metadata(fields.get("metadata")),
    )


def _metadata(given: Any) -> str:
    """Metadata as JSON; it may come as an object or as its JSON in a string."""
    if isinstance(given, str) and given:
        try:
            given = msgspec.json.decode(given)
        except msgspec.DecodeError:
            raise wrong("Invalid metadata", "invalid_metadata", "JSON object") from None
    if given in (None, ""):
        return ""
    return msgspec.json.encode(given).decode()


def wrong(message: str, code: str, wanted: str) -> Refusal:
    return Refusal(400, message, code, f"Ensure that you're passing a valid {wanted}")
