"""Conversations and messages in the database."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest

from hub.clock import ManualClock
from hub.database import Connection, Database
from hub.errors import Invalid
from hub.identity import Person
from hub.identity.errors import PersonUnknown
from hub.ids import BusinessId, ConversationId, MessageId, PersonId
from hub.messaging import (
    Conversation,
    Message,
    Via,
    conversations_of,
    is_member,
    mark_read,
    messages_of,
    read_text,
    reply_target,
    send_message,
    start_conversation,
)
from hub.messaging.errors import ConversationUnknown, MessageUnknown, TextRefused
from hub.sealing import Keyring, SealBroken


class Talk:
    """What the tests do, said shortly."""

    def __init__(self, database: Database, keyring: Keyring, clock: ManualClock) -> None:
        self.database, self.keyring, self.clock = database, keyring, clock

    async def say(
        self, conversation: Conversation, sender: Person, text: str, via: Via = "app"
    ) -> Message:
        async def work(tx: Connection) -> Message:
            return await send_message(
                tx, self.keyring, self.clock, conversation_id=conversation.id,
                sender_id=sender.id, text=text, via=via,
            )  # fmt: skip

        return await self.database.transaction(work)

    async def read(
        self, conversation: Conversation, person: Person, up_to: MessageId | None = None
    ) -> MessageId | None:
        async def work(tx: Connection) -> MessageId | None:
            return await mark_read(
                tx, self.clock, conversation_id=conversation.id, person_id=person.id, up_to=up_to
            )

        return await self.database.transaction(work)

    async def start(
        self, *members: PersonId, business_id: BusinessId | None = None
    ) -> Conversation:
        async def work(tx: Connection) -> Conversation:
            return await start_conversation(
                tx, self.keyring, self.clock, members=members, subject="S", business_id=business_id
            )

        return await self.database.transaction(work)

    async def unread(self, person: Person) -> list[int]:
        async with self.database.connection() as connection:
            found = await conversations_of(connection, self.keyring, person.id)
        return [conversation.unread for conversation in found]

    async def texts(
        self, conversation: Conversation, person: Person, before: MessageId | None = None
    ) -> list[str]:
        async with self.database.connection() as connection:
            found = await messages_of(
                connection, self.keyring, conversation.id, person.id, before, 2
            )
        return [message.text for message in found]


@pytest.fixture
def do(database: Database, keyring: Keyring, clock: ManualClock) -> Talk:
    return Talk(database, keyring, clock)


async def events(database: Database) -> list[tuple[str, list[str], list[PersonId]]]:
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT kind, streams, recipients FROM outbox ORDER BY id")
    return [(row["kind"], row["streams"], row["recipients"]) for row in rows]


async def test_members_read_what_members_wrote_newest_first(
    do: Talk, talk: Conversation, ada: Person, otieno: Person
) -> None:
    assert [member.display_name for member in talk.members] == ["Ada", "Otieno"]
    sent = [await do.say(talk, ada, f"number {n}") for n in range(3)]
    assert await do.texts(talk, otieno) == ["number 2", "number 1"]
    assert await do.texts(talk, otieno, before=sent[1].id) == ["number 0"]


async def test_nobody_else_reads_writes_or_learns_of_a_conversation(
    do: Talk, talk: Conversation, ada: Person, mallory: Person, database: Database
) -> None:
    await do.say(talk, ada, "between us")
    for attempt in (
        do.texts(talk, mallory), do.say(talk, mallory, "hello"), do.read(talk, mallory),
    ):  # fmt: skip
        with pytest.raises(ConversationUnknown):
            await attempt
    assert await do.unread(mallory) == []
    async with database.connection() as connection:
        assert not await is_member(connection, talk.id, mallory.id)
        assert await is_member(connection, talk.id, ada.id)
    nowhere = msgspec.structs.replace(talk, id=ConversationId(uuid4()))
    with pytest.raises(ConversationUnknown):
        await do.say(nowhere, ada, "hello?")


async def test_a_message_commits_with_its_event_which_has_no_text(
    do: Talk, talk: Conversation, ada: Person, otieno: Person, database: Database
) -> None:
    message = await do.say(talk, ada, "a secret recipe", "ussd")
    told = await events(database)
    assert {kind for kind, _, _ in told} == {"message.sent"}
    assert sorted(stream for _, streams, _ in told for stream in streams) == [
        f"conversation:{talk.id}",
        f"personal:#{otieno.id}",
    ]
    assert [person for _, _, people in told for person in people] == [otieno.id]
    async with database.connection() as connection:
        data = await connection.fetchval("SELECT data FROM outbox LIMIT 1")
    fields = msgspec.json.decode(data)
    assert fields | {"event": "message.sent", "sender_name": "Ada", "sent_via": "ussd"} == fields
    assert fields["message_id"] == str(message.id)
    assert b"recipe" not in data


async def test_texts_and_subjects_are_sealed_in_the_database(
    do: Talk, talk: Conversation, ada: Person, database: Database, keyring: Keyring
) -> None:
    message = await do.say(talk, ada, "a secret recipe")
    async with database.connection() as connection:
        rows = await connection.fetchval(
            "SELECT string_agg(m::text || c::text, '') FROM messages m, conversations c"
        )
        assert await read_text(connection, keyring, message.id) == "a secret recipe"
        with pytest.raises(SealBroken):
            await read_text(connection, Keyring(bytes(32)), message.id)
        with pytest.raises(MessageUnknown):
            await read_text(connection, keyring, MessageId(uuid4()))
    for text in (b"secret", b"Ziwa"):
        assert text.hex() not in rows
        assert text.decode() not in rows


async def test_a_sealed_text_moved_to_another_message_does_not_open(
    do: Talk, talk: Conversation, ada: Person, database: Database, keyring: Keyring
) -> None:
    one, two = await do.say(talk, ada, "pay 100"), await do.say(talk, ada, "pay 900")
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE messages SET text_sealed = (SELECT text_sealed FROM messages WHERE id = $1)"
            " WHERE id = $2",
            two.id,
            one.id,
        )
        with pytest.raises(SealBroken):
            await read_text(connection, keyring, one.id)


async def test_unread_counts_what_others_wrote_until_it_is_read(
    do: Talk, talk: Conversation, ada: Person, otieno: Person, database: Database
) -> None:
    first = await do.say(talk, ada, "one")
    second = await do.say(talk, ada, "two")
    assert (await do.unread(otieno), await do.unread(ada)) == ([2], [0])
    assert await do.read(talk, otieno, first.id) == first.id
    assert await do.unread(otieno) == [1]
    assert await do.read(talk, otieno) == second.id
    assert await do.read(talk, otieno, first.id) is None  # never backwards
    assert await do.read(talk, otieno) is None
    assert await do.unread(otieno) == [0]
    told = [event for event in await events(database) if event[0] == "message.read"]
    assert told == [("message.read", [f"conversation:{talk.id}"], [])] * 2
    with pytest.raises(MessageUnknown):
        await do.read(talk, otieno, MessageId(uuid4()))


async def test_answering_is_having_read(
    do: Talk, talk: Conversation, ada: Person, otieno: Person
) -> None:
    await do.say(talk, ada, "one")
    await do.say(talk, otieno, "two", "sms")
    assert (await do.unread(otieno), await do.unread(ada)) == ([0], [1])


async def test_one_conversation_for_ever_per_investor_and_business(
    do: Talk, ada: Person, otieno: Person, mallory: Person, business: BusinessId
) -> None:
    first = await do.start(ada.id, otieno.id, business_id=business)
    at_once = await asyncio.gather(
        *(do.start(ada.id, otieno.id, business_id=business) for _ in range(4))
    )
    assert {conversation.id for conversation in at_once} == {first.id}
    other = await do.start(mallory.id, otieno.id, business_id=business)
    assert other.id != first.id
    assert other.subject == "S"


async def test_a_conversation_needs_two_people_who_exist(do: Talk, ada: Person) -> None:
    with pytest.raises(Invalid):
        await do.start(ada.id, ada.id)
    with pytest.raises(PersonUnknown):
        await do.start(ada.id, PersonId(uuid4()))


async def test_a_reply_goes_to_the_conversation_that_wrote_last(
    do: Talk, talk: Conversation, ada: Person, otieno: Person, mallory: Person,
    database: Database, clock: ManualClock,
) -> None:  # fmt: skip
    async def target() -> ConversationId | None:
        async with database.connection() as connection:
            return await reply_target(connection, otieno.id)

    other = await do.start(mallory.id, otieno.id)
    assert await target() is None
    await do.say(other, mallory, "hi")
    clock.advance(timedelta(seconds=1))
    await do.say(talk, ada, "hello")
    assert await target() == talk.id
    clock.advance(timedelta(seconds=1))
    await do.say(talk, otieno, "hello yourself")  # one's own message changes nothing
    assert await target() == talk.id
    await do.say(other, mallory, "hi again")
    assert await target() == other.id


async def test_ids_ascend_even_where_another_clock_ran_ahead(
    do: Talk, talk: Conversation, ada: Person, otieno: Person, clock: ManualClock
) -> None:
    clock.advance(timedelta(hours=1))
    ahead = await do.say(talk, ada, "first")
    clock.advance(timedelta(hours=-1))
    behind = await do.say(talk, otieno, "second")
    assert behind.id > ahead.id
    assert await do.texts(talk, ada) == ["second", "first"]


async def test_messages_written_at_once_all_arrive_in_one_order(
    do: Talk, talk: Conversation, ada: Person, otieno: Person, database: Database
) -> None:
    people = (ada, otieno)
    await asyncio.gather(*(do.say(talk, people[n % 2], f"{n}") for n in range(12)))
    async with database.connection() as connection:
        written = await connection.fetch("SELECT id FROM messages ORDER BY id")
        told = await connection.fetch(
            "SELECT data FROM outbox WHERE kind = 'message.sent' AND $1 = ANY(streams) ORDER BY id",
            f"conversation:{talk.id}",
        )
    ids = [msgspec.json.decode(row["data"])["message_id"] for row in told]
    assert ids == [str(row["id"]) for row in written]
    assert len(ids) == 12


async def test_a_text_that_is_refused_leaves_nothing(
    do: Talk, talk: Conversation, ada: Person, database: Database
) -> None:
    with pytest.raises(TextRefused):
        await do.say(talk, ada, "x" * 1001)
    assert await events(database) == []
