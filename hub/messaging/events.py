"""What messaging tells the world. The text itself is never in an event: members fetch it."""

from typing import ClassVar

from hub.events import Event, Reach
from hub.ids import ConversationId, MessageId, PersonId
from hub.messaging.model import Via

__all__ = ["MessageRead", "MessageSent"]


class MessageSent(Event, frozen=True, kw_only=True):
    """Somebody wrote; the other members are told until reached."""

    kind: ClassVar[str] = "message.sent"
    reach: ClassVar[Reach | None] = Reach(urgency="normal", wait_ms=30_000)
    conversation_id: ConversationId
    message_id: MessageId
    sender_id: PersonId
    sender_name: str
    sent_via: Via


class MessageRead(Event, frozen=True, kw_only=True):
    """A member has read up to and including this message."""

    kind: ClassVar[str] = "message.read"
    conversation_id: ConversationId
    message_id: MessageId
    reader_id: PersonId
