"""Signing in and out, and one's own settings, over HTTP.

The refresh token goes to apps in the body and to browsers in an HttpOnly cookie that only
``/v1/sign-in`` sees, so that a script on the page cannot read it.
"""

from datetime import timedelta
from typing import Any

from litestar import Request, Response, get, patch, post, put
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import JSONBody, SkipValidation
from litestar.types import ControllerRouterHandler

from hub.clock import Clock
from hub.database import Connection, Database
from hub.errors import NotFound
from hub.identity.bodies import (
    AskCode,
    ChangeMe,
    ChangePin,
    CodeAsked,
    GiveCode,
    GiveRefresh,
    Me,
    PushToken,
    RealtimeToken,
    SessionView,
    me_view,
    person_view,
)
from hub.identity.devices import set_push_token
from hub.identity.errors import RefreshRefused
from hub.identity.model import Principal
from hub.identity.people import get_person, phone_of, set_language
from hub.identity.pins import has_pin, set_pin
from hub.identity.sessions import (
    REFRESH_DAYS,
    Session,
    end_session,
    refresh_session,
    require_session,
)
from hub.identity.sign_in import CodeSender, open_challenge, redeem
from hub.identity.tokens import ACCESS_SECONDS, CONNECTION_SECONDS, Tokens
from hub.limits import Limits, address_of, limit_by_person
from hub.phone import Phone, mask, parse_phone
from hub.sealing import Keyring
from hub.settings import Settings
from hub.telemetry import logger

__all__ = ["COOKIE", "routes"]

COOKIE = "hub_refresh"
_COOKIE_PATH = "/v1/sign-in"
_PIN_SIGN_IN = timedelta(minutes=10)
_NO_STORE = {"Cache-Control": "no-store"}
_SETTINGS = limit_by_person("settings", rate_per_minute=30, burst=30)
_log = logger("identity")


@post("/v1/sign-in/codes", status_code=202, opt={"public": True}, tags=["sign-in"])
async def ask_code(
    data: JSONBody[AskCode],
    request: Request[None, None, Any],
    database: NamedDependency[Database],
    keyring: NamedDependency[Keyring],
    clock: NamedDependency[SkipValidation[Clock]],
    limits: NamedDependency[Limits],
    code_sender: NamedDependency[SkipValidation[CodeSender]],
) -> Response[CodeAsked]:
    """Sends a one-time code to the number, if it is a member's; the answer does not tell."""
    phone = parse_phone(data.phone)
    number = keyring.index(phone, "limit").hex()
    block = keyring.index(phone[:-4], "limit").hex()  # SMS pumping walks through number blocks
    await limits.take(f"code:a:{address_of(request)}", rate_per_minute=30, burst=60)
    await limits.take(f"code:n:{number}", rate_per_minute=0.2, burst=5)
    await limits.take(f"code:b:{block}", rate_per_minute=6, burst=30)
    challenge = await open_challenge(database, keyring, clock, phone)
    send = BackgroundTask(_send, code_sender, phone, challenge.code, challenge.language)
    return Response(
        CodeAsked(challenge.id, challenge.expires_in), headers=_NO_STORE, background=send
    )


async def _send(sender: CodeSender, phone: Phone, code: str | None, language: str) -> None:
    """Sends after the answer has left, so that its time tells nothing either."""
    if code is None:
        return
    try:
        await sender.send_code(phone, code, language)
    except Exception:
        # Whatever a provider's client raises: the person asks for another code. No traceback,
        # because its frames hold the code.
        _log.error("a sign-in code could not be sent to %s", mask(phone))


@post("/v1/sign-in/sessions", opt={"public": True}, tags=["sign-in"])
async def sign_in(
    data: JSONBody[GiveCode],
    request: Request[None, None, Any],
    database: NamedDependency[Database],
    keyring: NamedDependency[Keyring],
    clock: NamedDependency[SkipValidation[Clock]],
    limits: NamedDependency[Limits],
    tokens: NamedDependency[Tokens],
    settings: NamedDependency[Settings],
) -> Response[SessionView]:
    """Exchanges a code for a session."""
    await limits.take(f"sign-in:{address_of(request)}", rate_per_minute=60, burst=120)
    session = await redeem(
        database,
        keyring,
        clock,
        challenge_id=data.challenge_id,
        code=data.code,
        platform=data.device.platform,
        device_name=data.device.name,
    )
    return _answer(session, tokens, settings, 201)


@post("/v1/sign-in/refresh", status_code=200, opt={"public": True}, tags=["sign-in"])
async def refresh(
    request: Request[None, None, Any],
    database: NamedDependency[Database],
    clock: NamedDependency[SkipValidation[Clock]],
    limits: NamedDependency[Limits],
    tokens: NamedDependency[Tokens],
    settings: NamedDependency[Settings],
    data: JSONBody[GiveRefresh | None] = None,
) -> Response[SessionView]:
    """A new access token and the next refresh token; the old one is used up."""
    await limits.take(f"refresh:{address_of(request)}", rate_per_minute=120, burst=240)
    token = (data.refresh_token if data else None) or request.cookies.get(COOKIE)
    if not token:
        raise RefreshRefused("There is no session. Sign in again.")
    session = await refresh_session(database, clock, token)
    return _answer(session, tokens, settings, 200)


@post("/v1/sign-out", status_code=204, guards=[_SETTINGS], tags=["sign-in"])
async def sign_out(
    request: Request[Principal, None, Any],
    database: NamedDependency[Database],
    clock: NamedDependency[SkipValidation[Clock]],
    settings: NamedDependency[Settings],
) -> Response[None]:
    """Ends this session. Its access token fades within 15 minutes and opens nothing lasting."""

    async def work(tx: Connection) -> None:
        await end_session(tx, clock, request.user.session_id)

    await database.transaction(work)
    return Response(None, status_code=204, cookies=[_cookie("", settings, max_age=0)])


@get("/v1/me", tags=["me"])
async def me(
    request: Request[Principal, None, Any],
    database: NamedDependency[Database],
    keyring: NamedDependency[Keyring],
) -> Response[Me]:
    """Who is signed in."""
    async with database.connection() as connection:
        person = await get_person(connection, request.user.person_id)
        phone = await phone_of(connection, keyring, person.id)
        pin = await has_pin(connection, person.id)
    view = me_view(person, phone=phone, has_pin=pin)
    return Response(view, headers=_NO_STORE)


@patch("/v1/me", status_code=204, guards=[_SETTINGS], tags=["me"])
async def change_me(
    data: JSONBody[ChangeMe],
    request: Request[Principal, None, Any],
    database: NamedDependency[Database],
) -> None:
    """Changes the language the hub speaks on every channel."""

    async def work(tx: Connection) -> None:
        await set_language(tx, request.user.person_id, data.language)

    await database.transaction(work)


@put(
    "/v1/me/pin",
    status_code=204,
    guards=[limit_by_person("pin", rate_per_minute=3, burst=10)],
    tags=["me"],
)
async def change_pin(
    data: JSONBody[ChangePin],
    request: Request[Principal, None, Any],
    database: NamedDependency[Database],
    keyring: NamedDependency[Keyring],
    clock: NamedDependency[SkipValidation[Clock]],
) -> None:
    """Sets the PIN for USSD; needs a sign-in younger than 10 minutes."""

    async def work(tx: Connection) -> None:
        await require_session(tx, clock, request.user, within=_PIN_SIGN_IN)
        await set_pin(tx, keyring, clock, request.user.person_id, data.pin)

    await database.transaction(work)


@get(
    "/v1/realtime/token",
    guards=[limit_by_person("realtime", rate_per_minute=60, burst=60)],
    tags=["me"],
)
async def realtime_token(
    request: Request[Principal, None, Any],
    database: NamedDependency[Database],
    clock: NamedDependency[SkipValidation[Clock]],
    tokens: NamedDependency[Tokens],
) -> Response[RealtimeToken]:
    """A token for the real-time connection, while the session lives."""
    async with database.connection() as connection:
        await require_session(connection, clock, request.user)
        person = await get_person(connection, request.user.person_id)
    token = tokens.issue_connection(request.user, name=person.display_name)
    return Response(RealtimeToken(token, CONNECTION_SECONDS), headers=_NO_STORE)


@put("/v1/devices/current/push-token", status_code=204, guards=[_SETTINGS], tags=["me"])
async def change_push_token(
    data: JSONBody[PushToken],
    request: Request[Principal, None, Any],
    database: NamedDependency[Database],
) -> None:
    """Where push reaches this device."""
    device_id = request.user.device_id
    if device_id is None:
        raise NotFound("This session has no device.")

    async def work(tx: Connection) -> None:
        if not await set_push_token(tx, device_id, data.token):
            raise NotFound("This device has signed out.")

    await database.transaction(work)


@get("/.well-known/jwks.json", opt={"public": True}, tags=["sign-in"])
async def jwks(tokens: NamedDependency[Tokens]) -> Response[dict[str, Any]]:
    """The public key of our tokens."""
    return Response(tokens.jwks(), headers={"Cache-Control": "public, max-age=300"})


def _answer(
    session: Session, tokens: Tokens, settings: Settings, status: int
) -> Response[SessionView]:
    web = session.platform == "web"
    view = SessionView(
        access_token=tokens.issue_access(session.principal),
        expires_in=ACCESS_SECONDS,
        refresh_token=None if web else session.refresh_token,
        person=person_view(session.person),
    )
    max_age = REFRESH_DAYS * 86_400
    cookies = [_cookie(session.refresh_token, settings, max_age=max_age)] if web else []
    return Response(view, status_code=status, headers=_NO_STORE, cookies=cookies)


def _cookie(value: str, settings: Settings, *, max_age: int) -> Cookie:
    return Cookie(
        key=COOKIE,
        value=value,
        path=_COOKIE_PATH,
        max_age=max_age,
        httponly=True,
        samesite="strict",
        secure=settings.http.public_url.startswith("https://"),
    )


routes: list[ControllerRouterHandler] = [
    ask_code,
    sign_in,
    refresh,
    sign_out,
    me,
    change_me,
    change_pin,
    realtime_token,
    change_push_token,
    jwks,
]
