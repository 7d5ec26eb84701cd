"""Paystack (NGN, GHS, KES, ZAR, USD): hosted checkout, verify, signed webhooks.

Source of the API: Paystack's OpenAPI (PaystackOSS/openapi) and its webhook documentation. Quirks
handled here: amounts are subunits, and in some webhooks strings; ``metadata`` may be ``""``; an
answer 200 with ``status: true`` says only that the look-up worked; a reference can be opened once,
afterwards it is a duplicate and its checkout page is not told again; there is no event id and no
event for a failed charge.
"""

import asyncio
import hmac
import re
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256, sha512
from secrets import randbelow
from typing import Any, TypeVar

import httpx
import msgspec

from hub.clock import Clock
from hub.money import Money
from hub.payments.errors import (
    BadSignature,
    BadWebhook,
    GatewayDown,
    GatewayRefused,
    ReferenceUsed,
)
from hub.payments.gateways.base import Charge, ChargeStatus, Checkout, Notice, Order
from hub.payments.gateways.circuit import Circuit
from hub.settings import Paystack as PaystackSettings
from hub.telemetry import logger

__all__ = ["Paystack", "card_free"]

T = TypeVar("T")
_log = logger("payments")

_ASKS = 3
_STATUS: Mapping[str, ChargeStatus] = {
    "success": "paid",
    "failed": "declined",
    "reversed": "reversed",
}
"""abandoned, ongoing, pending, processing, queued and whatever comes new are still open."""

_KEPT = frozenset({
    "id", "domain", "status", "reference", "amount", "requested_amount", "currency", "channel",
    "gateway_response", "paid_at", "created_at", "fees", "transaction_reference",
    "refund_reference", "transfer_code", "reason",
})  # fmt: skip
"""What may be stored of a webhook's data. ``authorization``, ``customer``, ``log``, ``ip_address``
and ``metadata`` hold card, account and personal details, or what somebody typed."""
_FREE_TEXT = frozenset({"gateway_response", "reason"})
_CARD_LIKE = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")


class _Envelope(msgspec.Struct):
    status: bool
    message: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")
    code: str | None = None


class _Opened(msgspec.Struct):
    authorization_url: str
    reference: str


class _Transaction(msgspec.Struct):
    reference: str
    status: str
    amount: int | str
    currency: str


class _Webhook(msgspec.Struct):
    event: str
    data: dict[str, Any]


class Paystack:
    """A thin client of the endpoints we use; see ``Gateway`` for what each method promises."""

    name = "paystack"
    currencies = frozenset({"NGN", "GHS", "KES", "ZAR", "USD"})

    def __init__(self, settings: PaystackSettings, client: httpx.AsyncClient, clock: Clock) -> None:
        self._base_url = settings.base_url.rstrip("/")
        self._key = settings.secret_key
        self._client = client
        self._circuit = Circuit(self.name, clock)

    async def start(self, order: Order) -> Checkout:
        body = {
            "email": order.payer_email,
            "amount": order.amount.amount,  # all five currencies have two decimals at both ends
            "currency": order.amount.currency,
            "reference": order.reference,
            "callback_url": order.return_url,
            "metadata": order.metadata,
        }
        response = await self._send("POST", "/transaction/initialize", body)
        envelope = self._envelope(response)
        if response.is_success and envelope.status:
            opened = self._decode(envelope.data, _Opened)
            return Checkout(opened.reference, opened.authorization_url)
        if envelope.code == "duplicate_reference" or "duplicate" in envelope.message.lower():
            raise ReferenceUsed("Paystack has this reference already.", reference=order.reference)
        raise GatewayRefused(
            "The payment provider did not accept this payment. Nothing was charged.",
            gateway=self.name,
            reason=card_free(envelope.message)[:200],
        )

    async def ask(self, reference: str) -> Charge | None:
        response = await self._ask_again_and_again(f"/transaction/verify/{reference}")
        envelope = self._envelope(response)
        if response.status_code == 404 or (
            response.status_code == 400 and "not found" in envelope.message.lower()
        ):
            return None
        if not (response.is_success and envelope.status):
            raise self._down(f"answered {response.status_code} to a question")
        found = self._decode(envelope.data, _Transaction)
        if found.reference != reference:
            raise self._down("answered about another reference")
        try:
            amount = Money(int(found.amount), found.currency.upper())
        except ValueError:
            raise self._down("answered with an amount that is none") from None
        return Charge(reference, _STATUS.get(found.status, "open"), amount)

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> Notice:
        expected = hmac.new(self._key.reveal().encode(), body, sha512).hexdigest()
        given = headers.get("x-paystack-signature", "")
        if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
            raise BadSignature("The webhook's signature does not hold.")
        try:
            webhook = msgspec.json.decode(body, type=_Webhook)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise BadWebhook("The webhook is not an event of Paystack.") from None
        settles = webhook.event == "charge.success"
        reference, status = _text(webhook.data, "reference"), _text(webhook.data, "status")
        if settles and reference is None:
            raise BadWebhook("The webhook names no transaction.")
        digest = sha256(body).hexdigest()
        return Notice(
            key=f"{webhook.event}/{reference}/{status}" if settles else digest,
            event=webhook.event[:100],
            reference=reference,
            status=status,
            settles=settles,
            record={"event": webhook.event[:100], "data": _record(webhook.data)},
        )

    async def _ask_again_and_again(self, path: str) -> httpx.Response:
        """A GET changes nothing, so it is tried up to three times with a random pause."""
        for attempt in range(_ASKS - 1):
            try:
                response = await self._send("GET", path)
                if response.status_code != 429:
                    return response
            except GatewayDown:
                pass
            pause = timedelta(milliseconds=randbelow(200 * 2**attempt))
            await asyncio.sleep(pause.total_seconds())
        return await self._send("GET", path)

    async def _send(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> httpx.Response:
        """One request. Raises ``GatewayDown`` on no connection, no answer, 5xx or a bad key."""
        self._circuit.check()
        headers = {"Authorization": f"Bearer {self._key.reveal()}"}
        try:
            response = await self._client.request(
                method, self._base_url + path, json=body, headers=headers
            )
        except (httpx.HTTPError, httpx.InvalidURL) as fault:
            self._circuit.failed()
            raise self._down(type(fault).__name__) from fault
        if response.status_code >= 500:
            self._circuit.failed()
            raise self._down(f"answered {response.status_code}")
        self._circuit.succeeded()
        if response.status_code == 401:
            raise self._down("refuses our secret key (HUB_PAYSTACK_SECRET_KEY)")
        if response.status_code == 429 and method != "GET":
            raise self._down("asks for a slower pace")
        return response

    def _envelope(self, response: httpx.Response) -> _Envelope:
        return self._decode(response.content, _Envelope)

    def _decode(self, content: bytes | msgspec.Raw, form: type[T]) -> T:
        try:
            return msgspec.json.decode(content, type=form)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise self._down("answered in a form we do not know") from None

    def _down(self, what: str) -> GatewayDown:
        """Says what happened to the log, and to the payer only what helps."""
        _log.warning("gateway_down", gateway=self.name, what=what)
        return GatewayDown(
            "The payment provider is not answering at the moment. Nothing was charged; please"
            " try again with the same Idempotency-Key.",
            gateway=self.name,
        )


def card_free(text: str) -> str:
    """``text`` with everything that could be a card number (13 to 19 digits, Luhn) cut out."""
    return _CARD_LIKE.sub(lambda m: "[card]" if _luhn(m[0]) else m[0], text)


def _luhn(text: str) -> bool:
    """The check digit of ISO/IEC 7812-1."""
    digits = [int(letter) for letter in reversed(text) if letter.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _text(data: dict[str, Any], name: str) -> str | None:
    value = data.get(name)
    return value[:100] if isinstance(value, str) and value else None


def _record(data: dict[str, Any]) -> dict[str, str | int | None]:
    return {
        name: card_free(value)[:500] if isinstance(value, str) and name in _FREE_TEXT else value
        for name, value in data.items()
        if name in _KEPT and (value is None or isinstance(value, str | int))
    }
