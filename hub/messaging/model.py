"""Conversations and messages as values, and what a text may be."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

import msgspec

from hub.database import Connection
from hub.ids import BusinessId, ConversationId, MessageId, PersonId
from hub.messaging.errors import TextRefused

__all__ = [
    "LONGEST_TEXT",
    "BusinessContact",
    "BusinessContacts",
    "Conversation",
    "Member",
    "Message",
    "Via",
    "check_text",
]

Via: TypeAlias = Literal["app", "sms", "ussd"]

LONGEST_TEXT = 1000


class Member(msgspec.Struct, frozen=True):
    """Somebody in a conversation, by public name."""

    id: PersonId
    display_name: str


class Conversation(msgspec.Struct, frozen=True):
    """A conversation as one member sees it; ``unread`` counts what others wrote since."""

    id: ConversationId
    subject: str
    business_id: BusinessId | None
    members: Sequence[Member]
    last_message_at: datetime | None = None
    unread: int = 0


class Message(msgspec.Struct, frozen=True):
    """One message, opened. Within a conversation ids ascend in the order of writing."""

    id: MessageId
    conversation_id: ConversationId
    sender_id: PersonId
    sender_name: str
    sent_via: Via
    sent_at: datetime
    text: str

    def __repr__(self) -> str:
        return f"Message({self.id})"


class BusinessContact(msgspec.Struct, frozen=True):
    """Who answers for a business, and what the business is called."""

    owner_id: PersonId
    name: str


class BusinessContacts(Protocol):
    """Finds who answers for a business; filled in at the root."""

    async def contact(
        self, connection: Connection, business_id: BusinessId
    ) -> BusinessContact | None: ...


def check_text(text: str) -> str:
    """The text as it is kept: line ends as ``\\n``, no outer white space, 1 to 1,000 characters.

    Raises ``TextRefused`` also for control characters, lone surrogates and marks that reverse the
    order of writing (they make a text read otherwise than it is).
    """
    kept = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not 0 < len(kept) <= LONGEST_TEXT:
        raise TextRefused(f"A message has 1 to {LONGEST_TEXT} characters.", longest=LONGEST_TEXT)
    if any(_hidden(character) for character in kept):
        raise TextRefused("A message has no control characters.")
    return kept


def _hidden(character: str) -> bool:
    if character == "\n":
        return False
    return unicodedata.category(character) in ("Cc", "Cs") or character in _OVERRIDES


_OVERRIDES = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
"""Unicode's embeddings, overrides and isolates (UAX 9)."""
