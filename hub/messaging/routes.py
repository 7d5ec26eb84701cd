"""Conversations over HTTP."""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, SkipValidation
from litestar.types import ControllerRouterHandler

from hub.clock import Clock
from hub.database import Connection, Database
from hub.errors import NotFound
from hub.events import poke
from hub.idempotency import Answer, Scope, run_once
from hub.identity import Principal
from hub.ids import BusinessId, ConversationId, MessageId, parse_id
from hub.limits import Limits, limit_by_person
from hub.messaging.actions import mark_read, send_message, start_conversation
from hub.messaging.errors import OwnBusiness
from hub.messaging.model import BusinessContacts, Conversation, Message
from hub.messaging.reading import conversations_of, load_message, messages_of
from hub.problems import MEDIA_TYPE
from hub.redis_client import RedisClient
from hub.sealing import Keyring

__all__ = ["routes"]

_PAGE = 50
_Asker = Request[Principal, Any, Any]
_Id = Annotated[str, msgspec.Meta(max_length=64)]


class TalkTo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The business to talk to."""

    business_id: _Id


class Write(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """1 to 1,000 characters."""

    text: Annotated[str, msgspec.Meta(max_length=10_000)]

    def __repr__(self) -> str:
        return "Write(…)"


class ReadUpTo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last message that was read; without it, everything was."""

    message_id: _Id | None = None


class _Stored(msgspec.Struct, frozen=True):
    """What is kept under an Idempotency-Key: no text, which is sealed in one place only."""

    id: MessageId


class ConversationList(msgspec.Struct, frozen=True):
    items: list[Conversation]
    next_cursor: None = None


class MessageList(msgspec.Struct, frozen=True):
    """Newest first."""

    items: list[Message]
    next_cursor: str | None


@get("/v1/conversations", tags=["conversations"])
async def list_conversations(
    request: _Asker,
    database: NamedDependency[Database],
    keyring: NamedDependency[Keyring],
) -> ConversationList:
    """The person's conversations, the liveliest first."""
    async with database.connection() as connection:
        return ConversationList(await conversations_of(connection, keyring, request.user.person_id))


@post("/v1/conversations", status_code=200, tags=["conversations"])
async def open_conversation(
    data: JSONBody[TalkTo],
    request: _Asker,
    database: NamedDependency[Database],
    keyring: NamedDependency[Keyring],
    clock: NamedDependency[SkipValidation[Clock]],
    limits: NamedDependency[Limits],
    business_contacts: NamedDependency[SkipValidation[BusinessContacts]],
) -> Conversation:
    """The conversation with a business; the first time it is made, later it is the same one."""
    me = request.user.person_id
    business_id = BusinessId(parse_id(data.business_id))
    await limits.take(f"talk:{me}", rate_per_minute=20, burst=20)

    async def work(tx: Connection) -> Conversation:
        contact = await business_contacts.contact(tx, business_id)
        if contact is None:
            raise NotFound("There is no such business.")
        if contact.owner_id == me:
            raise OwnBusiness("This business is yours.")
        return await start_conversation(
            tx,
            keyring,
            clock,
            members=[me, contact.owner_id],
            subject=contact.name,
            business_id=business_id,
        )

    return await database.transaction(work)


@get("/v1/conversations/{conversation_id:str}/messages", tags=["conversations"])
async def list_messages(
    conversation_id: FromPath[str],
    request: _Asker,
    database: NamedDependency[Database],
    keyring: NamedDependency[Keyring],
    cursor: FromQuery[str | None] = None,
) -> MessageList:
    """Messages, newest first; ``cursor`` is the last page's ``next_cursor``."""
    before = MessageId(parse_id(cursor)) if cursor else None
    async with database.connection() as connection:
        found = await messages_of(
            connection, keyring, _conversation(conversation_id), request.user.person_id,
            before, _PAGE + 1,
        )  # fmt: skip
    page = found[:_PAGE]
    return MessageList(page, str(page[-1].id) if len(found) > _PAGE else None)


@post(
    "/v1/conversations/{conversation_id:str}/messages",
    tags=["conversations"],
    responses={201: ResponseSpec(Message, description="The message as it was kept")},
)
async def write(
    conversation_id: FromPath[str],
    data: JSONBody[Write],
    request: _Asker,
    idempotency_key: Annotated[str, HeaderParameter(name="Idempotency-Key")],
    database: NamedDependency[Database],
    redis: NamedDependency[RedisClient],
    keyring: NamedDependency[Keyring],
    clock: NamedDependency[SkipValidation[Clock]],
    limits: NamedDependency[Limits],
) -> Response[Any]:
    """Writes a message. Repeating it under its ``Idempotency-Key`` writes nothing more."""
    to, me = _conversation(conversation_id), request.user
    await limits.take(f"write:{me.person_id}", rate_per_minute=60, burst=30)

    async def work(tx: Connection) -> Answer:
        message = await send_message(
            tx,
            keyring,
            clock,
            conversation_id=to,
            sender_id=me.person_id,
            text=data.text,
            via="app",
        )
        return Answer(201, msgspec.json.encode(_Stored(message.id)))

    scope = Scope(me.actor, "messages.write", idempotency_key)
    hashed = {"to": str(to), "text": keyring.index(data.text, "message-text").hex()}
    answer = await run_once(database, clock, scope, hashed, work)
    if answer.status != 201:
        return Response(answer.body, status_code=answer.status, media_type=MEDIA_TYPE)
    await poke(redis)
    stored = msgspec.json.decode(answer.body, type=_Stored)
    async with database.connection() as connection:
        message = await load_message(connection, keyring, stored.id)
    return Response(message, status_code=201)


@post(
    "/v1/conversations/{conversation_id:str}/read",
    status_code=204,
    guards=[limit_by_person("read", rate_per_minute=240, burst=120)],
    tags=["conversations"],
)
async def read(
    conversation_id: FromPath[str],
    request: _Asker,
    database: NamedDependency[Database],
    redis: NamedDependency[RedisClient],
    clock: NamedDependency[SkipValidation[Clock]],
    data: JSONBody[ReadUpTo | None] = None,
) -> None:
    """Tells the others how far one has read."""
    given = data.message_id if data else None
    up_to = MessageId(parse_id(given)) if given else None

    async def work(tx: Connection) -> MessageId | None:
        return await mark_read(
            tx,
            clock,
            conversation_id=_conversation(conversation_id),
            person_id=request.user.person_id,
            up_to=up_to,
        )

    if await database.transaction(work):
        await poke(redis)


def _conversation(text: str) -> ConversationId:
    return ConversationId(parse_id(text))


routes: list[ControllerRouterHandler] = [
    list_conversations,
    open_conversation,
    list_messages,
    write,
    read,
]
