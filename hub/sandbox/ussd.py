"""The USSD side of Africa's Talking: a phone dials, the hub's screens come back.

Every hop posts the whole input so far, joined with ``*``; what is dialled after the service code
is input too. The hub must answer within ``pace.ussd_answer`` with 200 and a body that starts with
``CON `` or ``END ``; anything else ends the session, as does a session's age of three minutes. At
the end the hub gets the session's event.
"""

import asyncio
import re
from collections.abc import Mapping
from secrets import token_hex

import httpx
import msgspec

from hub.errors import Conflict, Invalid, NotFound
from hub.sandbox.africas_talking import NETWORK_CODE, PROVIDER
from hub.sandbox.gsm import ussd_screen
from hub.sandbox.store import Row
from hub.sandbox.world import Msisdn, World

__all__ = ["UssdTurn", "dial_or_answer", "end_broken", "end_expired", "hang_up"]

_DIALLED = re.compile(r"\*\d[\d*]*#")
_MMI_PROBLEM = "Connection problem or invalid MMI code."
_NETWORK_PROBLEM = "Network problem. Please try again later."


class UssdTurn(msgspec.Struct, frozen=True):
    """What the phone shows; ``more`` is whether it waits for an answer."""

    session_id: str | None
    text: str
    more: bool


async def dial_or_answer(
    world: World, msisdn: Msisdn, session_id: str | None, keys: str
) -> UssdTurn:
    """Dials (without a session) or answers the open one.

    Raises ``Invalid`` for an empty or overlong input or one that is no code to dial, ``NotFound``
    for a session of another phone, ``Conflict`` for a session whose turn is under way.
    """
    if not keys or len(keys) > 160:
        raise Invalid("Type something, of at most 160 characters.")
    if session_id is None:
        return await _dial(world, msisdn, keys)
    session = _session(world, msisdn, session_id)
    if session["status"] == "waiting":  # a phone has one keypad: the last answer is under way
        raise Conflict("The network still waits for the last answer.")
    if session["status"] != "open" or _age(world, session) > world.pace.ussd_session:
        _finish(world, session, "Incomplete", "")
        return UssdTurn(session_id, _MMI_PROBLEM, more=False)
    path = f"{session['path']}*{keys}" if session["path"] else keys
    world.store.run(
        "UPDATE ussd_sessions SET path = ?, hops = hops + 1, status = 'waiting' WHERE id = ?",
        path,
        session_id,
    )
    return await _hop(world, _session(world, msisdn, session_id))


async def _dial(world: World, msisdn: Msisdn, code: str) -> UssdTurn:
    if _DIALLED.fullmatch(code) is None:
        raise Invalid("A code to dial looks like *384*7#.")
    service = world.settings.africas_talking.service_code.removesuffix("#")
    dialled = code.removesuffix("#")
    if dialled != service and not dialled.startswith(f"{service}*"):
        return UssdTurn(None, _MMI_PROBLEM, more=False)
    for open_one in world.store.all(
        "SELECT * FROM ussd_sessions WHERE msisdn = ? AND status IN ('open', 'waiting')", msisdn
    ):  # a phone has one session: dialling anew ends it
        _finish(world, open_one, "Incomplete", "")
    session_id = f"ATUid_{token_hex(16)}"
    world.store.run(
        "INSERT INTO ussd_sessions"
        " (id, msisdn, service_code, path, hops, started_at, last_response, status)"
        " VALUES (?, ?, ?, ?, 1, ?, '', 'waiting')",
        session_id,
        msisdn,
        f"{service}#",
        dialled.removeprefix(service).removeprefix("*"),
        world.now(),
    )
    return await _hop(world, _session(world, msisdn, session_id))


async def _hop(world: World, session: Row) -> UssdTurn:
    """Posts the input so far and shows the answer."""
    form = {
        "sessionId": session["id"],
        "serviceCode": session["service_code"],
        "phoneNumber": session["msisdn"],
        "networkCode": NETWORK_CODE,
        "text": session["path"],
    }
    answer, problem = await _ask(world, form)
    manners, msisdn = world.behaviours, session["msisdn"]
    if not problem and manners.take(PROVIDER, "ussd_repeat", msisdn) is not None:
        answer, problem = await _ask(world, form)
    if manners.take(PROVIDER, "ussd_bad_answer", msisdn) is not None:
        problem = "The application's response does not start with CON or END"
    dropped = manners.take(PROVIDER, "ussd_drop", msisdn) is not None
    if problem or dropped:
        _finish(world, session, "Failed" if problem else "Incomplete", answer, problem)
        return UssdTurn(session["id"], _NETWORK_PROBLEM, more=False)
    more, text = answer.startswith("CON "), ussd_screen(answer[4:])
    if not more:
        _finish(world, session, "Success", answer)
    elif not world.store.run(
        "UPDATE ussd_sessions SET status = 'open', last_response = ?"
        " WHERE id = ? AND status = 'waiting'",
        answer,
        session["id"],
    ):  # hung up or dialled anew meanwhile
        return UssdTurn(session["id"], _NETWORK_PROBLEM, more=False)
    return UssdTurn(session["id"], text, more)


async def _ask(world: World, form: Mapping[str, str]) -> tuple[str, str]:
    """The hub's answer, and what is wrong with it (empty for nothing)."""
    limit = world.pace.ussd_answer / 1000
    try:
        async with asyncio.timeout(limit):
            answer = await world.courier.client.post(
                world.callback_path("ussd"), data=form, timeout=limit
            )
    except (httpx.HTTPError, TimeoutError) as fault:
        return "", f"No response from the application: {type(fault).__name__}"
    text = answer.text
    if answer.status_code != 200:
        return text, f"The application answered with HTTP {answer.status_code}"
    if not text.startswith(("CON ", "END ")):
        return text, "The application's response does not start with CON or END"
    return text, ""


def hang_up(world: World, msisdn: Msisdn, session_id: str) -> None:
    """The person cancels. Raises ``NotFound`` for a session of another phone."""
    _finish(world, _session(world, msisdn, session_id), "Incomplete", "")


def end_expired(world: World) -> None:
    """Ends sessions older than the network keeps them."""
    oldest = world.now() - world.pace.ussd_session
    for session in world.store.all(
        "SELECT * FROM ussd_sessions WHERE status IN ('open', 'waiting') AND started_at < ?", oldest
    ):
        _finish(world, session, "Incomplete", "")


def end_broken(world: World) -> None:
    """Ends the sessions whose turn a crash of the sandbox cut off."""
    for session in world.store.all("SELECT * FROM ussd_sessions WHERE status = 'waiting'"):
        _finish(world, session, "Incomplete", "")


def _finish(world: World, session: Row, status: str, answer: str, problem: str = "") -> None:
    """Ends a session once and owes the hub its event."""
    if not world.store.run(
        "UPDATE ussd_sessions SET status = ?, last_response = ?"
        " WHERE id = ? AND status IN ('open', 'waiting')",
        status,
        answer or session["last_response"],
        session["id"],
    ):
        return
    form = {
        "date": world.clock.now().strftime("%Y-%m-%d %H:%M:%S"),
        "sessionId": session["id"],
        "serviceCode": session["service_code"],
        "networkCode": NETWORK_CODE,
        "phoneNumber": session["msisdn"],
        "status": status,
        "cost": "KES 0.10",
        "durationInMillis": str(_age(world, session)),
        "hopsCount": str(session["hops"]),
        "input": session["path"],
        "lastAppResponse": answer or session["last_response"],
    }
    if problem:
        form["errorMessage"] = problem
    world.courier.owe_form("end of a USSD session", world.callback_path("ussd/events"), form)


def _session(world: World, msisdn: Msisdn, session_id: str) -> Row:
    row = world.store.one(
        "SELECT * FROM ussd_sessions WHERE id = ? AND msisdn = ?", session_id, msisdn
    )
    if row is None:
        raise NotFound("This phone has no such session.")
    return row


def _age(world: World, session: Row) -> int:
    return int(world.now() - session["started_at"])
