"""Africa's Talking's SMS API over one pooled client.

The wire is PROVIDERS 1.2. Known traps held here: 201 with no recipients is a failure; a refused
key answers 401 in plain text; a per-recipient failure hides in a 201; an answer that never came,
or that cannot be read, leaves the message in doubt. A 5xx is retried after a pause long enough for
a delivery report to tell that the message had left all the same.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal, InvalidOperation

import httpx
import msgspec

import hub.settings
from channels.base import Cost, Dead, Outcome, Retry, SendInDoubt, Sent, never_left, provider_client
from channels.base import retry_after as wait_of
from channels.sms.encoding import measure
from hub.phone import Phone
from hub.settings import Secret
from hub.telemetry import logger

__all__ = ["PROVIDER", "AfricasTalking"]

PROVIDER = "africastalking"

_ACCEPTED = frozenset({100, 101, 102})
_TRY_AGAIN = {405: 300.0, 500: 60.0, 501: 60.0, 502: 60.0, 402: 300.0}
_DEAD_NUMBER = frozenset({403, 404, 406, 409})
_OURS_TO_MEND = 300.0  # a wrong key or sender id: wait until somebody has mended it
_MAYBE_DONE = 60.0  # after a 5xx: time for a delivery report to come in
_BUSY = 60.0
_log = logger("sms")


class _Recipient(msgspec.Struct, frozen=True, rename="camel"):
    status_code: int
    status: str = ""
    cost: str = ""
    message_id: str = ""


class _Data(msgspec.Struct, frozen=True, rename="pascal"):
    message: str = ""
    recipients: list[_Recipient] = []


class _Answer(msgspec.Struct, frozen=True):
    data: _Data = msgspec.field(name="SMSMessageData")


class _Account(msgspec.Struct, frozen=True):
    username: str
    api_key: Secret
    sender_id: str


class AfricasTalking:
    """Sends single SMS. Open one per process."""

    def __init__(
        self, client: httpx.AsyncClient, *, username: str, api_key: Secret, sender_id: str
    ) -> None:
        self._client = client
        self._account = _Account(username, api_key, sender_id)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: hub.settings.AfricasTalking) -> AsyncIterator["AfricasTalking"]:
        """On ``settings.africas_talking``; the pool is closed with the block."""
        async with provider_client(settings.base_url) as client:
            yield cls(
                client,
                username=settings.username,
                api_key=settings.api_key,
                sender_id=settings.sender_id,
            )

    async def send(self, to: Phone, text: str) -> Outcome:
        """Hands one text over. Raises ``SendInDoubt`` where it may have left or not."""
        form = {
            "username": self._account.username,
            "to": to,
            "message": text,
            "bulkSMSMode": "1",
            "enqueue": "1",
        }
        if self._account.sender_id:
            form["from"] = self._account.sender_id
        headers = {"apiKey": self._account.api_key.reveal(), "Accept": "application/json"}
        try:
            response = await self._client.post("/version1/messaging", data=form, headers=headers)
        except httpx.HTTPError as fault:
            if never_left(fault):
                return Retry(_BUSY, f"{PROVIDER} does not answer")
            raise SendInDoubt(f"{PROVIDER} took no answer back: {type(fault).__name__}") from fault
        return self._read(response, text)

    def _read(self, response: httpx.Response, text: str) -> Outcome:
        status = response.status_code
        if status in (401, 403):
            _log.error("the SMS provider refuses our key", status=status)
            return Retry(_OURS_TO_MEND, f"{PROVIDER} refuses our key")
        if status == 429:
            return Retry(wait_of(response, _BUSY), f"{PROVIDER} is busy")
        if status >= 500:
            return Retry(wait_of(response, _MAYBE_DONE), f"{PROVIDER} answered {status}")
        if not response.is_success:
            _log.error("the SMS provider refuses a request", status=status)
            return Dead(f"{PROVIDER} answered {status}")
        try:
            data = msgspec.json.decode(response.content, type=_Answer).data
        except msgspec.DecodeError as fault:
            raise SendInDoubt(f"{PROVIDER} gave an answer nobody can read") from fault
        if not data.recipients:
            reason = data.message[:60] or "no recipients"
            _log.error("the SMS provider took a request and sent nothing", reason=reason)
            return Retry(_OURS_TO_MEND, f"{PROVIDER}: {reason}")
        return _outcome(data.recipients[0], text)


def _outcome(recipient: _Recipient, text: str) -> Outcome:
    """What one recipient's entry means (statusCode list: PROVIDERS 1.2)."""
    code = recipient.status_code
    reason = f"{PROVIDER}: {recipient.status or code}"
    if code in _ACCEPTED:
        known = recipient.message_id not in ("", "None")
        return Sent(
            provider_id=recipient.message_id if known else None,
            reports=known,
            parts=measure(text).parts,
            cost=_cost(recipient.cost),
        )
    if code in _TRY_AGAIN:
        return Retry(_TRY_AGAIN[code], reason)
    return Dead(reason, retire=code in _DEAD_NUMBER)


def _cost(text: str) -> Cost | None:
    """``KES 0.8000`` as a cost; None for what is not of that form."""
    currency, _, figure = text.partition(" ")
    try:
        amount = Decimal(figure)
    except InvalidOperation:
        return None
    if not (amount.is_finite() and len(currency) == 3 and currency.isupper()):
        return None
    return Cost(amount, currency)
