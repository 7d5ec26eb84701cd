"""An SMS from a person becomes a message in the conversation it answers, once.

The provider repeats callbacks; its message id is the key. What cannot become a message (a number
nobody has, nothing to answer, a text the conversation refuses) is kept sealed, and the sender is
told so, at most once a day. Nothing a person writes is lost.
"""

from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import msgspec

from channels.base import Address
from channels.sms.africastalking import PROVIDER
from hub.clock import Clock
from hub.database import Connection
from hub.errors import HubError, Invalid
from hub.identity import Person, find_by_phone
from hub.messaging import reply_target, send_message
from hub.notifications import address_hash, revive_address
from hub.phone import Phone, parse_phone, region_of
from hub.sealing import Keyring

__all__ = ["Inbound", "Received", "receive"]

Fate: TypeAlias = Literal["message", "no_conversation", "unknown_sender", "refused"]

_INSERT = """
INSERT INTO sms_inbound (provider, provider_id, sender_hash, person_id, outcome, sealed,
                         wrapped_key, received_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (provider, provider_id) DO NOTHING RETURNING 1
"""

_SETTLE = """
UPDATE sms_inbound SET person_id = $3, outcome = $4, sealed = $5, wrapped_key = $6
WHERE provider = $1 AND provider_id = $2
"""

_TOLD = """
SELECT count(*) FROM sms_inbound
WHERE sender_hash = $1 AND outcome = $2 AND received_at > $3 AND provider_id <> $4
"""

_FRENCH = frozenset({"CI", "SN", "BJ", "TG", "CM", "ML", "BF"})


class Inbound(msgspec.Struct, frozen=True):
    """One incoming SMS as the provider told of it. ``sender`` need not be a phone number."""

    provider_id: str
    sender: str
    text: str


class Received(msgspec.Struct, frozen=True):
    """What became of it; ``answer_to`` is set where the sender should be told."""

    fate: Fate | Literal["repeated"]
    answer_to: Phone | None = None
    language: str = "en"


async def receive(tx: Connection, keyring: Keyring, clock: Clock, sms: Inbound) -> Received:
    """Takes one incoming SMS within ``tx``. A repeat changes nothing."""
    now = clock.now()
    phone = _phone(sms.sender)
    hashed = address_hash(keyring, Address(phone or sms.sender))
    added = await tx.fetchval(
        _INSERT, PROVIDER, sms.provider_id, hashed, None, "message", None, None, now
    )
    if added is None:
        return Received("repeated")
    person = await find_by_phone(tx, keyring, phone) if phone else None
    fate = await _deliver(tx, keyring, clock, person, sms.text) if person else "unknown_sender"
    await revive_address(tx, "sms", hashed)
    sealed = wrapped = None
    if fate != "message":
        key, wrapped = keyring.new_key(f"sms:{sms.provider_id}")
        sealed = key.seal(
            msgspec.json.encode([sms.sender, sms.text]).decode(), f"sms_inbound/{sms.provider_id}"
        )
    await tx.execute(
        _SETTLE, PROVIDER, sms.provider_id, person.id if person else None, fate, sealed, wrapped
    )
    if fate == "message" or phone is None:
        return Received(fate)
    told = await _was_told(tx, hashed, fate, now, sms.provider_id)
    language = person.language if person else _language_of(phone)
    return Received(fate, None if told else phone, language)


async def _deliver(
    tx: Connection, keyring: Keyring, clock: Clock, person: Person, text: str
) -> Fate:
    conversation = await reply_target(tx, person.id)
    if conversation is None:
        return "no_conversation"
    try:
        async with tx.transaction():  # a savepoint: a refusal must not undo that it was received
            await send_message(
                tx,
                keyring,
                clock,
                conversation_id=conversation,
                sender_id=person.id,
                text=text,
                via="sms",
            )
    except HubError:
        return "refused"
    return "message"


async def _was_told(
    tx: Connection, hashed: bytes, fate: Fate, now: datetime, provider_id: str
) -> bool:
    """Whether the sender got this answer today; two machines must not answer each other."""
    count = await tx.fetchval(_TOLD, hashed, fate, now - timedelta(days=1), provider_id)
    return bool(count)


def _phone(sender: str) -> Phone | None:
    """The number; None for names (operators write from them) and short codes."""
    try:
        return parse_phone(sender)
    except Invalid:
        return None


def _language_of(phone: Phone) -> str:
    return "fr" if region_of(phone) in _FRENCH else "en"
