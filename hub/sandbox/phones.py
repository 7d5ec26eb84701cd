"""The people's phones: their messages, their keypads, their apps' push messages.

Every E.164 number has a phone. Bodies and answers are JSON; a POST in another content type is
refused, so that no foreign page can use the phones through somebody's browser.
"""

from typing import Annotated

import msgspec
from litestar import Request, delete, get, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from hub.errors import Invalid, NotFound
from hub.sandbox.africas_talking import owe_incoming, owe_opt_out
from hub.sandbox.store import Row
from hub.sandbox.ussd import UssdTurn, dial_or_answer, hang_up
from hub.sandbox.world import World, is_e164, parse_msisdn

__all__ = ["PhoneMessage", "routes"]

_PAGE = 200


class PhoneMessage(msgspec.Struct, frozen=True):
    """An SMS on a phone; ``in`` is to the phone. ``at`` is Unix time in milliseconds."""

    id: str
    direction: str
    peer: str
    text: str
    at: int


class MessageList(msgspec.Struct, frozen=True):
    items: list[PhoneMessage]


class OutgoingMessage(msgspec.Struct, forbid_unknown_fields=True):
    """An SMS the person sends."""

    to: Annotated[str, msgspec.Meta(min_length=1, max_length=20)]
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=1_600)]


class UssdInput(msgspec.Struct, forbid_unknown_fields=True):
    """A code dialled (``session_id`` null) or an answer typed."""

    input: str
    session_id: str | None = None


class PushList(msgspec.Struct, frozen=True):
    items: list[dict[str, object]]


@get("/phone/{msisdn:str}/messages")
async def list_messages(
    msisdn: FromPath[str],
    world: NamedDependency[World],
    after: FromQuery[str | None] = None,
) -> MessageList:
    """The newest 200 messages, oldest first; with ``after`` those newer than that message."""
    seq = 0
    if after is not None:
        known = world.store.one("SELECT seq FROM messages WHERE id = ?", after)
        if known is None:
            raise NotFound("There is no message with this id to continue after.")
        seq = known["seq"]
    rows = world.store.all(
        "SELECT * FROM messages WHERE msisdn = ? AND seq > ? ORDER BY seq DESC LIMIT ?",
        parse_msisdn(msisdn),
        seq,
        _PAGE,
    )
    return MessageList([_message(row) for row in reversed(rows)])


@post("/phone/{msisdn:str}/messages")
async def send_from_phone(
    request: Request[None, None, State],
    msisdn: FromPath[str],
    data: JSONBody[OutgoingMessage],
    world: NamedDependency[World],
) -> PhoneMessage:
    """Sends an SMS: to the hub's sender id or number, or to another phone."""
    _only_json(request)
    sender, to = parse_msisdn(msisdn), data.to.strip()
    if to.casefold() == world.settings.africas_talking.sender_id.casefold():
        message_id = owe_incoming(world, sender, to, data.text)
    elif is_e164(to):
        message_id = world.keep_message(sender, "out", to, data.text)
        world.keep_message(to, "in", sender, data.text)
    else:
        raise Invalid("Nobody has this number.", to=to)
    return _message(_kept(world, message_id))


@post("/phone/{msisdn:str}/ussd", status_code=200)
async def key_ussd(
    request: Request[None, None, State],
    msisdn: FromPath[str],
    data: JSONBody[UssdInput],
    world: NamedDependency[World],
) -> UssdTurn:
    """Dials a code or answers the screen."""
    _only_json(request)
    return await dial_or_answer(world, parse_msisdn(msisdn), data.session_id, data.input.strip())


@delete("/phone/{msisdn:str}/ussd/{session_id:str}")
async def end_ussd(
    msisdn: FromPath[str], session_id: FromPath[str], world: NamedDependency[World]
) -> None:
    """Hangs up."""
    hang_up(world, parse_msisdn(msisdn), session_id)


@put("/phone/{msisdn:str}/opt-out", status_code=204)
async def opt_out(msisdn: FromPath[str], world: NamedDependency[World]) -> None:
    """The subscriber wants no more bulk messages: sends to the number give 406."""
    owe_opt_out(world, parse_msisdn(msisdn))


@delete("/phone/{msisdn:str}/opt-out")
async def opt_in(msisdn: FromPath[str], world: NamedDependency[World]) -> None:
    """Takes the opt-out back."""
    world.store.run("DELETE FROM opted_out WHERE msisdn = ?", parse_msisdn(msisdn))


@get("/push/{token:str}")
async def list_pushes(token: FromPath[str], world: NamedDependency[World]) -> PushList:
    """The newest 200 push messages an app with this token got, oldest first."""
    rows = world.store.all(
        "SELECT * FROM pushes WHERE target = ? ORDER BY seq DESC LIMIT ?", token, _PAGE
    )
    return PushList(
        [
            {"id": row["id"], "message": msgspec.json.decode(row["message"]), "at": row["at"]}
            for row in reversed(rows)
        ]
    )


def _only_json(request: Request[None, None, State]) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Invalid("The body must be JSON, with that content type.")


def _kept(world: World, message_id: str) -> Row:
    row = world.store.one("SELECT * FROM messages WHERE id = ?", message_id)
    assert row is not None
    return row


def _message(row: Row) -> PhoneMessage:
    return PhoneMessage(row["id"], row["direction"], row["peer"], row["text"], row["at"])


routes = [
    list_messages,
    send_from_phone,
    key_ussd,
    end_ussd,
    opt_out,
    opt_in,
    list_pushes,
]
