"""SMS as a channel, one-time codes, and answers to people who wrote to us."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from channels.base import Address, Cost, Notice, Outcome, Retry, SendInDoubt, Sent
from channels.sms.africastalking import PROVIDER, AfricasTalking
from channels.sms.encoding import measure, plain_punctuation, transliterate
from hub.clock import Clock
from hub.database import Connection, Database
from hub.errors import Unavailable
from hub.identity import Person, phone_of
from hub.notifications import Wording, address_hash, expect_report, is_retired, retire_address
from hub.phone import Phone, mask, region_of
from hub.sealing import Keyring
from hub.telemetry import logger

__all__ = ["SmsChannel", "SmsCodeSender", "SmsNotSent"]

_CODE_MINUTES = 10
_log = logger("sms")


class SmsNotSent(Unavailable):
    """The SMS could not be handed over; it surely was not sent."""

    kind = "sms_not_sent"


class SmsChannel:
    """Reaches whoever has a phone number. ``prices`` are per part, by country."""

    name = "sms"
    provider = PROVIDER

    def __init__(
        self,
        messages: AfricasTalking,
        database: Database,
        keyring: Keyring,
        clock: Clock,
        wording: Wording,
        prices: Mapping[str, Cost] | None = None,
    ) -> None:
        self._messages = messages
        self._database = database
        self._keyring = keyring
        self._clock = clock
        self._prices = prices or {}
        self.wording = wording

    async def can_reach(self, c: Connection, person: Person) -> Sequence[Address]:
        phone = await phone_of(c, self._keyring, person.id)
        if phone is None:
            return ()
        address = Address(phone)
        retired = await is_retired(c, self.name, address_hash(self._keyring, address))
        return () if retired else (address,)

    async def send(self, notice: Notice) -> Outcome:
        text = plain_punctuation(notice.text) if notice.verbatim else transliterate(notice.text)
        return await self._messages.send(Phone(notice.address.value), text)

    def price(self, notice: Notice) -> Cost | None:
        each = self._prices.get(region_of(Phone(notice.address.value)))
        if each is None:
            return None
        text = plain_punctuation(notice.text) if notice.verbatim else transliterate(notice.text)
        return Cost(each.amount * Decimal(measure(text).parts), each.currency)

    async def retire(self, tx: Connection, address: Address, reason: str, at: datetime) -> None:
        await retire_address(tx, self.name, address_hash(self._keyring, address), reason, at)

    async def send_text(self, to: Phone, text: str, purpose: str) -> None:
        """Sends an SMS that is no notice; ``purpose`` says what it was (``code``, ``reply``).

        Its delivery reports are known by it, so that no notice is ever taken for delivered by
        them. Raises ``SmsNotSent``; a send in doubt counts as sent, the person will ask again.
        """
        try:
            outcome = await self._messages.send(to, transliterate(text))
        except SendInDoubt:
            _log.warning("an SMS is in doubt", purpose=purpose, number=mask(to))
            return
        if not isinstance(outcome, Sent):
            reason = outcome.reason
            retry = isinstance(outcome, Retry)
            _log.warning("an SMS was not sent", purpose=purpose, number=mask(to), reason=reason)
            raise SmsNotSent("The SMS could not be sent.", retry=retry)
        if outcome.provider_id is not None:
            provider_id = outcome.provider_id
            hashed = address_hash(self._keyring, Address(to))

            async def work(tx: Connection) -> None:
                now = self._clock.now()
                await expect_report(tx, PROVIDER, provider_id, hashed, now, purpose=purpose)

            await self._database.transaction(work)


class SmsCodeSender:
    """Carries one-time codes. The code is in the SMS and nowhere else: not in a log, not in a
    table, not in an error."""

    def __init__(self, sms: SmsChannel) -> None:
        self._sms = sms

    async def send_code(self, phone: Phone, code: str, language: str) -> None:
        """Sends ``code`` to ``phone``. Raises ``SmsNotSent``."""
        text = self._sms.wording.message("code", language, code=code, minutes=str(_CODE_MINUTES))
        await self._sms.send_text(phone, text, "code")
