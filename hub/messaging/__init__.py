"""Messaging: conversations between investors and businesses, on whatever channel each has.

Texts are sealed with a key per conversation and leave only to its members. A message commits
together with its event, which carries ids and public names; whoever is not looking is told by push
or SMS, and an SMS reply lands in the conversation that last wrote to its sender.
"""

from hub.messaging.actions import mark_read, send_message, start_conversation
from hub.messaging.events import MessageRead, MessageSent
from hub.messaging.model import (
    BusinessContact,
    BusinessContacts,
    Conversation,
    Member,
    Message,
    Via,
)
from hub.messaging.reading import (
    conversations_of,
    is_member,
    messages_of,
    read_text,
    reply_target,
)

__all__ = [
    "BusinessContact",
    "BusinessContacts",
    "Conversation",
    "Member",
    "Message",
    "MessageRead",
    "MessageSent",
    "Via",
    "conversations_of",
    "is_member",
    "mark_read",
    "messages_of",
    "read_text",
    "reply_target",
    "send_message",
    "start_conversation",
]
