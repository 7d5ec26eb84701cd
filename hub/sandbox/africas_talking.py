"""Africa's Talking's SMS API: sending, delivery reports, the inbox, the account's balance.

Shapes as recorded from the provider (PROVIDERS: requests from its SDK, answers from sandbox
fixtures). It is as strict as they are: the key in ``apiKey``, the username in the form, JSON only
for those who ask for it and under the bare content type ``application/json``, 201 also where every
recipient failed. Reports go to the hub later: ``Sent``, then ``Success`` or ``Failed``.
"""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from secrets import token_hex
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import RawBody

from hub.clock import from_milliseconds
from hub.sandbox.gsm import message_parts
from hub.sandbox.world import World, is_e164

__all__ = ["NETWORK_CODE", "PROVIDER", "owe_incoming", "owe_opt_out", "routes"]

PROVIDER = "africas_talking"
NETWORK_CODE = "99999"  # "Athena", the network of the provider's own sandbox

_UNNAMED_SENDER = "AFRICASTKNG"
_PRICE = 8_000  # of one part: KES 0.8000 in ten-thousandths of a shilling
_STATUSES = {
    401: "RiskHold",
    402: "InvalidSenderId",
    403: "InvalidPhoneNumber",
    404: "UnsupportedNumberType",
    405: "InsufficientBalance",
    406: "UserInBlacklist",
    407: "CouldNotRoute",
    409: "DoNotDisturbRejection",
    500: "InternalServerError",
    501: "GatewayError",
    502: "RejectedByGateway",
}

AnyRequest = Request[None, None, State]


class _Recipient(msgspec.Struct, rename="camel"):
    status_code: int
    number: str
    status: str
    cost: str
    message_id: str


@post("/version1/messaging", status_code=201)
async def send_message(
    request: AnyRequest, body: RawBody, world: NamedDependency[World]
) -> Response[bytes]:
    """Takes a message for one or many numbers."""
    form = _form(request, body)
    if form is None:
        return _text(415, "The request must be a form (application/x-www-form-urlencoded)")
    if not _authentic(request, form, world):
        return _text(401, "The supplied authentication is invalid")
    for field in ("to", "message"):
        if not form.get(field):
            return _text(400, f"Missing required field: {field}")
    numbers = [number.strip() for number in form["to"].split(",")]
    if (limited := world.behaviours.take(PROVIDER, "429", form["to"])) is not None:
        answer = _text(429, "Too many requests")
        answer.headers["retry-after"] = str(limited.value or 1)
        return answer
    if world.behaviours.take(PROVIDER, "500", form["to"]) is not None:
        return _text(500, "Internal Server Error")
    senders = (None, "", _UNNAMED_SENDER, world.settings.africas_talking.sender_id)
    if form.get("from") not in senders or world.behaviours.take(
        PROVIDER, "empty_recipients", form["to"]
    ):
        return _sent(request, "InvalidSenderId", [])
    recipients = [await _send(world, form, number) for number in numbers]
    accepted = [one for one in recipients if one.status_code in (101, 102)]
    parts = message_parts(form["message"])
    total = _cost(len(accepted) * parts)
    if world.behaviours.take(PROVIDER, "500_but_sent", form["to"]) is not None:
        return _text(500, "Internal Server Error")
    return _sent(
        request,
        f"Sent to {len(accepted)}/{len(numbers)} Total Cost: {total} Message parts: {parts}",
        recipients,
    )


async def _send(world: World, form: Mapping[str, str], number: str) -> _Recipient:
    """One recipient: the phone gets it, the hub will get the reports."""
    manners, text = world.behaviours, form["message"]
    failure = 0
    if not is_e164(number):
        failure = 403
    elif world.store.one("SELECT 1 FROM opted_out WHERE msisdn = ?", number) or manners.take(
        PROVIDER, "blacklist", number
    ):
        failure = 406
    elif (told := manners.take(PROVIDER, "status_code", number)) is not None:
        failure = told.value or 502
    if failure:
        return _Recipient(failure, number, _STATUSES.get(failure, "Unknown"), "0", "None")
    message_id = f"ATXid_{token_hex(16)}"
    failed = manners.take(PROVIDER, "dlr_failed", number) is not None
    with world.store.together():
        if not failed:
            sender = form.get("from") or _UNNAMED_SENDER
            world.keep_message(number, "in", sender, text, message_id)
        early = _owe_reports(world, message_id, number, failed)
    for call in early:
        await world.courier.carry_now(call)
    queued = form.get("enqueue", "1") != "0"
    cost = _cost(message_parts(text))
    return _Recipient(102 if queued else 101, number, "Success", cost, message_id)


def _owe_reports(world: World, message_id: str, number: str, failed: bool) -> list[int]:
    """Owes the hub its delivery reports; returns those to be carried before the answer."""
    manners, pace = world.behaviours, world.pace
    if manners.take(PROVIDER, "no_dlr", number) is not None:
        return []
    final = {"status": "Failed", "failureReason": "DeliveryFailure"} if failed else {}
    reports = [
        (pace.sent_report, {"status": "Sent"}),
        (pace.final_report, final or {"status": "Success"}),
    ]
    if manners.take(PROVIDER, "dlr_out_of_order", number) is not None:
        reports = [(pace.sent_report, reports[1][1]), (pace.final_report, reports[0][1])]
    early = manners.take(PROVIDER, "dlr_before_answer", number) is not None
    if early:
        reports = [(0, reports[1][1])]
    if manners.take(PROVIDER, "dlr_duplicate", number) is not None:
        reports = [report for report in reports for _ in range(2)]
    calls = []
    for after, report in reports:
        form = {
            "id": message_id,
            "phoneNumber": number,
            "networkCode": NETWORK_CODE,
            "retryCount": "0",
            **report,
        }
        path = world.callback_path("sms/delivery")
        calls.append(world.courier.owe_form("delivery report", path, form, after=after))
    return calls if early else []


def owe_incoming(world: World, msisdn: str, to: str, text: str) -> str:
    """A subscriber texted the account's number: owes the hub the incoming message's callback."""
    message_id = world.keep_message(msisdn, "out", to, text)
    form = {
        "date": _date(world.now()),
        "from": msisdn,
        "id": message_id,
        "linkId": "",
        "text": text,
        "to": to,
        "networkCode": NETWORK_CODE,
        "cost": "0",
    }
    world.courier.owe_form("incoming message", world.callback_path("sms/inbound"), form)
    return message_id


def owe_opt_out(world: World, msisdn: str) -> None:
    """A subscriber opted out: sends are refused from now on, and the hub is told."""
    world.store.run("INSERT INTO opted_out VALUES (?) ON CONFLICT DO NOTHING", msisdn)
    form = {"senderId": world.settings.africas_talking.sender_id, "phoneNumber": msisdn}
    world.courier.owe_form("opt-out", world.callback_path("sms/opt-out"), form)


@get("/version1/messaging")
async def fetch_messages(request: AnyRequest, world: NamedDependency[World]) -> Response[bytes]:
    """The inbox: incoming messages after ``lastReceivedId``, for callbacks that never came."""
    query = {name: str(value) for name, value in request.query_params.items()}
    if not _authentic(request, query, world):
        return _text(401, "The supplied authentication is invalid")
    last = query.get("lastReceivedId", "0")
    rows = world.store.all(
        "SELECT * FROM messages WHERE direction = 'out' AND seq > ? AND peer = ? COLLATE NOCASE"
        " ORDER BY seq LIMIT 100",
        int(last) if last.isdigit() else 0,
        world.settings.africas_talking.sender_id,
    )
    messages = [
        {
            "linkId": "",
            "text": row["text"],
            "to": row["peer"],
            "id": row["seq"],
            "date": _date(row["at"]),
            "from": row["msisdn"],
        }
        for row in rows
    ]
    return _json(200, {"SMSMessageData": {"Messages": messages}})


@get("/version1/user")
async def account(request: AnyRequest, world: NamedDependency[World]) -> Response[bytes]:
    """The account's balance."""
    query = {name: str(value) for name, value in request.query_params.items()}
    if not _authentic(request, query, world):
        return _text(401, "The supplied authentication is invalid")
    return _json(200, {"UserData": {"balance": "KES 99961.5000"}})


def _form(request: AnyRequest, body: bytes) -> dict[str, str] | None:
    """The fields of the body; None where it is no form."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != (
        "application/x-www-form-urlencoded"
    ):
        return None
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


def _authentic(request: AnyRequest, fields: Mapping[str, str], world: World) -> bool:
    account = world.settings.africas_talking
    given = request.headers.get("apikey", "")
    return fields.get("username") == account.username and hmac.compare_digest(
        given.encode(), account.api_key.reveal().encode()
    )


def _sent(request: AnyRequest, message: str, recipients: list[_Recipient]) -> Response[bytes]:
    """The answer to a send; XML for those who did not ask for JSON, the provider's default."""
    if "application/json" not in request.headers.get("accept", ""):
        return Response(_xml(message, recipients), status_code=201, media_type="application/xml")
    return _json(201, {"SMSMessageData": {"Message": message, "Recipients": recipients}})


def _xml(message: str, recipients: list[_Recipient]) -> bytes:
    entries = "".join(
        "<Recipient>"
        + "".join(f"<{k}>{escape(str(v))}</{k}>" for k, v in msgspec.to_builtins(one).items())
        + "</Recipient>"
        for one in recipients
    )
    return (
        f"<AfricasTalkingResponse><SMSMessageData><Message>{escape(message)}</Message>"
        f"<Recipients>{entries}</Recipients></SMSMessageData></AfricasTalkingResponse>"
    ).encode()


def _cost(parts: int) -> str:
    whole, fraction = divmod(parts * _PRICE, 10_000)
    return f"KES {whole}.{fraction:04d}"


def _json(status: int, body: object) -> Response[bytes]:
    answer = msgspec.json.encode(body)
    return Response(answer, status_code=status, media_type="application/json")


def _text(status: int, body: str) -> Response[bytes]:
    return Response(body.encode(), status_code=status, media_type="text/plain")


def _date(at: int) -> str:
    moment: datetime = from_milliseconds(at).astimezone(UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S")


routes = [send_message, fetch_messages, account]
