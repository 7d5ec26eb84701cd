"""Callbacks of the SMS provider. They are unsigned: the path holds a secret, ids are matched."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from litestar import Response, post
from litestar.background_tasks import BackgroundTask
from litestar.di import NamedDependency
from litestar.params import RawBody
from litestar.types import ControllerRouterHandler

from channels.base import Address
from channels.callbacks import knows_secret
from channels.sms.africastalking import PROVIDER
from channels.sms.channel import SmsChannel, SmsNotSent
from channels.sms.inbound import Inbound, Received, receive
from channels.sms.reports import to_report
from hub import events
from hub.clock import Clock
from hub.database import Connection, Database
from hub.errors import Invalid
from hub.notifications import address_hash, record_report, retire_address
from hub.phone import parse_phone
from hub.redis_client import RedisClient
from hub.sealing import Keyring
from hub.telemetry import logger

__all__ = ["routes"]

_MAX_BODY = 16_384
_LONGEST_ID = 128
_log = logger("sms")


def _form(body: bytes) -> dict[str, str]:
    """The fields of a form. Unknown ones are kept out of the way, not refused: they come and go.

    Raises ``Invalid`` for bytes that are no form.
    """
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=64)
    except ValueError:
        raise Invalid("This is not a form.") from None
    return {name: value.replace("\0", "") for name, value in pairs}


def _field(form: Mapping[str, str], name: str) -> str:
    value = form.get(name, "").strip()
    if not value:
        raise Invalid("A field is missing.", field=name)
    return value


def _id_of(form: Mapping[str, str]) -> str:
    value = _field(form, "id")
    if len(value) > _LONGEST_ID:
        raise Invalid("This id is too long.", field="id")
    return value


@post(
    "/callbacks/{token:str}/sms/delivery",
    status_code=200,
    opt={"public": True},
    guards=[knows_secret],
    request_max_body_size=_MAX_BODY,
)
async def delivery_report(
    body: RawBody,
    database: NamedDependency[Database],
    keyring: NamedDependency[Keyring],
    clock: NamedDependency[Clock],
) -> None:
    """A delivery report: moves the attempt forward, never back."""
    form = _form(body)
    phone = parse_phone(_field(form, "phoneNumber"))
    report = to_report(
        PROVIDER,
        _id_of(form),
        address_hash(keyring, Address(phone)),
        _field(form, "status"),
        form.get("failureReason", "").strip(),
    )

    async def work(tx: Connection) -> None:
        await record_report(tx, report, clock.now())

    await database.transaction(work)


@post(
    "/callbacks/{token:str}/sms/inbound",
    status_code=200,
    opt={"public": True},
    guards=[knows_secret],
    request_max_body_size=_MAX_BODY,
)
async def inbound_message(
    body: RawBody,
    database: NamedDependency[Database],
    keyring: NamedDependency[Keyring],
    clock: NamedDependency[Clock],
    redis: NamedDependency[RedisClient],
    sms: NamedDependency[SmsChannel],
) -> Response[None]:
    """An SMS somebody sent us: a message in the conversation it answers."""
    form = _form(body)
    inbound = Inbound(_id_of(form), _field(form, "from"), form.get("text", ""))

    async def work(tx: Connection) -> Received:
        return await receive(tx, keyring, clock, inbound)

    received = await database.transaction(work)
    if received.fate == "message":
        await events.poke(redis)
    answer = BackgroundTask(_answer, sms, received) if received.answer_to else None
    return Response(None, background=answer)


@post(
    "/callbacks/{token:str}/sms/opt-out",
    status_code=200,
    opt={"public": True},
    guards=[knows_secret],
    request_max_body_size=_MAX_BODY,
)
async def opt_out(
    body: RawBody,
    database: NamedDependency[Database],
    keyring: NamedDependency[Keyring],
    clock: NamedDependency[Clock],
) -> None:
    """The operator was told that a number wants no more SMS: nothing is sent there."""
    phone = parse_phone(_field(_form(body), "phoneNumber"))
    hashed = address_hash(keyring, Address(phone))

    async def work(tx: Connection) -> None:
        await retire_address(tx, "sms", hashed, "opted out", clock.now())

    await database.transaction(work)


async def _answer(sms: SmsChannel, received: Received) -> None:
    """Tells the sender why their SMS went nowhere. Best effort: the SMS itself is kept."""
    if received.answer_to is None:
        return
    try:
        text = sms.wording.message(received.fate, received.language)
        await sms.send_text(received.answer_to, text, "reply")
    except SmsNotSent:
        _log.warning("the sender of an SMS could not be answered", fate=received.fate)


routes: list[ControllerRouterHandler] = [delivery_report, inbound_message, opt_out]
