"""Reading conversations: only members see anything, and everybody else sees nothing at all."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from asyncpg import Record

from hub.database import Connection
from hub.identity import names_of
from hub.ids import ConversationId, MessageId, PersonId
from hub.messaging import queries
from hub.messaging.errors import ConversationUnknown, MessageUnknown
from hub.messaging.model import Conversation, Member, Message
from hub.sealing import Keyring

__all__ = [
    "conversations_of",
    "is_member",
    "key_subject",
    "load_conversation",
    "load_message",
    "messages_of",
    "read_text",
    "reply_target",
    "text_place",
]


def key_subject(conversation_id: ConversationId) -> str:
    """Whose key the conversation's texts are sealed with."""
    return f"conversation:{conversation_id}"


def text_place(message_id: MessageId) -> str:
    """Where a sealed text belongs; it opens nowhere else."""
    return f"messages/{message_id}/text"


async def is_member(
    connection: Connection, conversation_id: ConversationId, person_id: PersonId
) -> bool:
    """Whether the person may read and write here."""
    return bool(await connection.fetchval(queries.IS_MEMBER, conversation_id, person_id))


async def load_conversation(
    connection: Connection,
    keyring: Keyring,
    conversation_id: ConversationId,
    person_id: PersonId,
) -> Conversation:
    """One conversation as the person sees it. Raises ``ConversationUnknown``."""
    rows = await connection.fetch(queries.CONVERSATION, person_id, conversation_id)
    if not rows:
        raise ConversationUnknown("You have no such conversation.")
    return (await _opened(connection, keyring, rows))[0]


async def conversations_of(
    connection: Connection, keyring: Keyring, person_id: PersonId, limit: int = 100
) -> list[Conversation]:
    """The person's conversations, the one with the newest message first."""
    rows = await connection.fetch(queries.CONVERSATIONS_OF, person_id, limit)
    return await _opened(connection, keyring, rows)


async def messages_of(
    connection: Connection,
    keyring: Keyring,
    conversation_id: ConversationId,
    person_id: PersonId,
    before: MessageId | None = None,
    limit: int = 50,
) -> list[Message]:
    """Messages older than ``before`` (None: the newest), newest first.

    Raises ``ConversationUnknown``, also where the person is no member.
    """
    if not await is_member(connection, conversation_id, person_id):
        raise ConversationUnknown("You have no such conversation.")
    rows = await connection.fetch(queries.MESSAGES, conversation_id, before, limit)
    names = await names_of(connection, {row["sender_id"] for row in rows})
    return [_message(keyring, row, names[row["sender_id"]]) for row in rows]


async def load_message(connection: Connection, keyring: Keyring, message_id: MessageId) -> Message:
    """One message; whoever calls has made sure that its reader is a member.

    Raises ``MessageUnknown``.
    """
    row = await connection.fetchrow(queries.ONE, message_id)
    if row is None:
        raise MessageUnknown("There is no such message.")
    names = await names_of(connection, {row["sender_id"]})
    return _message(keyring, row, names[row["sender_id"]])


async def read_text(connection: Connection, keyring: Keyring, message_id: MessageId) -> str:
    """A message's text, for a notice to somebody who is a member. Raises ``MessageUnknown``."""
    return (await load_message(connection, keyring, message_id)).text


async def reply_target(connection: Connection, person_id: PersonId) -> ConversationId | None:
    """The conversation in which somebody wrote to this person last: where an SMS reply goes."""
    found: Any = await connection.fetchval(queries.REPLY_TARGET, person_id)
    return ConversationId(found) if found else None


def _message(keyring: Keyring, row: Record, sender_name: str) -> Message:
    key = keyring.unwrap(row["wrapped_key"], key_subject(row["conversation_id"]))
    return Message(
        id=row["id"],
        conversation_id=row["conversation_id"],
        sender_id=row["sender_id"],
        sender_name=sender_name,
        sent_via=row["sent_via"],
        sent_at=row["sent_at"],
        text=key.open(row["text_sealed"], text_place(row["id"])),
    )


async def _opened(
    connection: Connection, keyring: Keyring, rows: Iterable[Record]
) -> list[Conversation]:
    rows = list(rows)
    joined = await connection.fetch(queries.MEMBERS, [row["id"] for row in rows])
    names = await names_of(connection, {row["person_id"] for row in joined})
    members = defaultdict(list)
    for row in joined:
        member = Member(row["person_id"], names[row["person_id"]])
        members[row["conversation_id"]].append(member)
    return [
        Conversation(
            id=row["id"],
            subject=keyring.unwrap(row["wrapped_key"], key_subject(row["id"])).open(
                row["subject_sealed"], f"conversations/{row['id']}/subject"
            ),
            business_id=row["business_id"],
            members=members[row["id"]],
            last_message_at=row["last_message_at"],
            unread=row["unread"],
        )
        for row in rows
    ]
