"""Starting a conversation, writing, reading up to.

Every function runs in the caller's transaction and appends its event there, so that a message and
the news of it commit together.
"""

from collections.abc import Sequence
from uuid import UUID

from hub.clock import Clock
from hub.database import Connection
from hub.errors import Invalid
from hub.events import append, conversation_stream
from hub.identity import get_person
from hub.ids import BusinessId, ConversationId, MessageId, PersonId, new_id
from hub.messaging import queries
from hub.messaging.errors import ConversationUnknown, MessageUnknown
from hub.messaging.events import MessageRead, MessageSent
from hub.messaging.model import Conversation, Message, Via, check_text
from hub.messaging.reading import is_member, key_subject, load_conversation, text_place
from hub.sealing import Keyring

__all__ = ["mark_read", "send_message", "start_conversation"]

_MOST_MEMBERS = 20
_LONGEST_SUBJECT = 120


async def start_conversation(
    tx: Connection,
    keyring: Keyring,
    clock: Clock,
    *,
    members: Sequence[PersonId],
    subject: str,
    business_id: BusinessId | None = None,
) -> Conversation:
    """A conversation among ``members``, the first of whom starts it.

    With a ``business_id`` there is one for ever per starter and business: asking again returns
    it. Raises ``Invalid`` for fewer than two or over 20 members, ``PersonUnknown``.
    """
    people = list(dict.fromkeys(members))
    if not 2 <= len(people) <= _MOST_MEMBERS:
        raise Invalid(f"A conversation has 2 to {_MOST_MEMBERS} members.")
    for person_id in people:
        await get_person(tx, person_id)
    conversation_id = ConversationId(new_id(clock.now()))
    key, wrapped = keyring.new_key(key_subject(conversation_id))
    added = await tx.fetchval(
        queries.INSERT_CONVERSATION,
        conversation_id,
        business_id,
        people[0],
        key.seal(subject.strip()[:_LONGEST_SUBJECT], f"conversations/{conversation_id}/subject"),
        wrapped,
        clock.now(),
    )
    if added is None:
        conversation_id = await tx.fetchval(queries.ONE_PER_BUSINESS, business_id, people[0])
    else:
        await tx.executemany(queries.ADD_MEMBER, [(added, person_id) for person_id in people])
    return await load_conversation(tx, keyring, conversation_id, people[0])


async def send_message(
    tx: Connection,
    keyring: Keyring,
    clock: Clock,
    *,
    conversation_id: ConversationId,
    sender_id: PersonId,
    text: str,
    via: Via,
) -> Message:
    """Writes a message and tells the other members. Answering is having read what came before.

    Raises ``ConversationUnknown`` (also for who is no member) and ``TextRefused``.
    """
    kept = check_text(text)
    row = await tx.fetchrow(queries.LOCK, conversation_id, sender_id)
    if row is None:
        raise ConversationUnknown("You have no such conversation.")
    await mark_read(tx, clock, conversation_id=conversation_id, person_id=sender_id)
    sender = await get_person(tx, sender_id)
    now = clock.now()
    message_id = _next_id(new_id(now), row["last_message_id"])
    key = keyring.unwrap(row["wrapped_key"], key_subject(conversation_id))
    sealed = key.seal(kept, text_place(message_id))
    await tx.execute(
        queries.INSERT_MESSAGE, message_id, conversation_id, sender_id, sealed, via, now
    )
    await tx.execute(queries.NOTE_LAST, conversation_id, message_id, now)
    members = await tx.fetch(queries.MEMBERS, [conversation_id])
    await append(
        tx,
        MessageSent(
            conversation_id=conversation_id,
            message_id=message_id,
            sender_id=sender_id,
            sender_name=sender.display_name,
            sent_via=via,
        ),
        at=now,
        actor=f"person:{sender_id}",
        to=[member["person_id"] for member in members if member["person_id"] != sender_id],
        topics=[conversation_stream(conversation_id)],
    )
    return Message(message_id, conversation_id, sender_id, sender.display_name, via, now, kept)


async def mark_read(
    tx: Connection,
    clock: Clock,
    *,
    conversation_id: ConversationId,
    person_id: PersonId,
    up_to: MessageId | None = None,
) -> MessageId | None:
    """The member has read up to and including ``up_to`` (None: everything).

    Returns the last message of others that is now read, or None where nothing new was. Raises
    ``ConversationUnknown`` and ``MessageUnknown``.
    """
    if not await is_member(tx, conversation_id, person_id):
        raise ConversationUnknown("You have no such conversation.")
    if up_to is not None:
        row = await tx.fetchrow(queries.ONE, up_to)
        if row is None or row["conversation_id"] != conversation_id:
            raise MessageUnknown("There is no such message in this conversation.")
    moved = await tx.fetchval(queries.MOVE_READ, conversation_id, person_id, up_to)
    if moved is None:
        return None
    await append(
        tx,
        MessageRead(
            conversation_id=conversation_id, message_id=MessageId(moved), reader_id=person_id
        ),
        at=clock.now(),
        actor=f"person:{person_id}",
        topics=[conversation_stream(conversation_id)],
    )
    return MessageId(moved)


def _next_id(fresh: UUID, last: UUID | None) -> MessageId:
    """``fresh``, unless another server's clock runs ahead: then the id after ``last``, so that ids
    keep ascending in the order of writing."""
    return MessageId(fresh if last is None or fresh > last else UUID(int=last.int + 1))
