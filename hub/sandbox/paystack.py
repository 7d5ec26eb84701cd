"""Paystack's API for collecting: initialize, verify, list, balance.

Amounts are integers in subunits (kobo, pesewa, cent). ``reference`` is what makes a transaction
unique: the same one twice is refused, also after a 503. A transaction nobody finished reads
``abandoned`` (``ongoing`` while its checkout page is open), which is no final state: it can still
be paid. The spec behind the shapes is PaystackOSS/openapi at 9678dea.
"""

import hmac
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody

from hub.clock import from_milliseconds, milliseconds
from hub.sandbox.paystack_order import Refusal, order_from, wrong
from hub.sandbox.paystack_transaction import (
    create_transaction,
    find_transaction,
    status_of,
    transaction_data,
)
from hub.sandbox.world import World

__all__ = ["PROVIDER", "routes"]

PROVIDER = "paystack"

AnyRequest = Request[None, None, State]


@post("/transaction/initialize", status_code=200)
async def initialize(
    request: AnyRequest, body: RawBody, world: NamedDependency[World]
) -> Response[bytes]:
    """Creates a transaction and the address of its checkout page."""
    try:
        _authorize(request, world)
        fields = _fields(request, body)
        subject = f"POST /transaction/initialize {fields.get('reference', '')}"
        if (told := _told_to_fail(world, subject)) is not None:
            return told
        order = order_from(fields)
        access_code = create_transaction(world, order)
    except Refusal as refusal:
        return _answer(refusal.status, refusal.body)
    if world.behaviours.take(PROVIDER, "503_but_done", subject) is not None:
        return _unavailable()
    data = {
        "authorization_url": f"{world.settings.sandbox.url}/paystack/checkout/{access_code}",
        "access_code": access_code,
        "reference": order.reference,
    }
    return _answer(200, {"status": True, "message": "Authorization URL created", "data": data})


@get("/transaction/verify/{reference:str}")
async def verify(
    request: AnyRequest, reference: FromPath[str], world: NamedDependency[World]
) -> Response[bytes]:
    """The transaction as it stands; 200 only says that it exists."""
    try:
        _authorize(request, world)
    except Refusal as refusal:
        return _answer(refusal.status, refusal.body)
    subject = f"GET /transaction/verify {reference}"
    if (told := _told_to_fail(world, subject)) is not None:
        return told
    if world.behaviours.take(PROVIDER, "503_but_done", subject) is not None:
        return _unavailable()
    row = find_transaction(world, reference=reference)
    if row is None:
        missing = Refusal(
            404,
            "Transaction reference not found.",
            "transaction_not_found",
            "Ensure that you're passing a valid transaction reference",
        )
        return _answer(missing.status, missing.body)
    data = transaction_data(world, row)
    return _answer(200, {"status": True, "message": "Verification successful", "data": data})


@get("/transaction")
async def list_transactions(request: AnyRequest, world: NamedDependency[World]) -> Response[bytes]:
    """Newest first, by page; filters ``status``, ``from``, ``to``, ``amount``, ``currency``."""
    query = request.query_params
    try:
        _authorize(request, world)
        per_page = _whole(query.get("perPage") or query.get("per_page") or "50", "perPage")
        page = _whole(query.get("page") or "1", "page")
        earliest, latest = _moment(query.get("from")), _moment(query.get("to"))
    except Refusal as refusal:
        return _answer(refusal.status, refusal.body)
    if (told := _told_to_fail(world, "GET /transaction")) is not None:
        return told
    rows = [
        row
        for row in world.store.all(
            "SELECT t.*, c.email, c.code FROM transactions t JOIN customers c"
            " ON c.id = t.customer_id WHERE t.created_at >= ? AND t.created_at <= ?"
            " ORDER BY t.id DESC",
            earliest if earliest is not None else 0,
            latest if latest is not None else 2**62,
        )
        if query.get("status") in (None, status_of(world, row))
        and query.get("amount") in (None, str(row["amount"]))
        and query.get("currency") in (None, row["currency"])
    ]
    skipped = per_page * (page - 1)
    shown = [transaction_data(world, row) for row in rows[skipped : skipped + per_page]]
    meta = {
        "total": len(rows),
        "total_volume": sum(row["amount"] for row in rows),
        "skipped": skipped,
        "perPage": per_page,
        "page": page,
        "pageCount": -(-len(rows) // per_page),
    }
    message = "Transactions retrieved"
    return _answer(200, {"status": True, "message": message, "data": shown, "meta": meta})


@get("/balance")
async def balance(request: AnyRequest, world: NamedDependency[World]) -> Response[bytes]:
    """What was collected less fees, by currency, in subunits."""
    try:
        _authorize(request, world)
    except Refusal as refusal:
        return _answer(refusal.status, refusal.body)
    if (told := _told_to_fail(world, "GET /balance")) is not None:
        return told
    rows = world.store.all(
        "SELECT currency, SUM(amount - fees) AS balance FROM transactions"
        " WHERE status = 'success' GROUP BY currency ORDER BY currency"
    )
    data = [{"currency": row["currency"], "balance": row["balance"]} for row in rows]
    data = data or [{"currency": "NGN", "balance": 0}]
    return _answer(200, {"status": True, "message": "Balances retrieved", "data": data})


def _authorize(request: AnyRequest, world: World) -> None:
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    secret = world.settings.paystack.secret_key.reveal()
    if kind != "Bearer" or not hmac.compare_digest(key.encode(), secret.encode()):
        raise Refusal(
            401,
            "Invalid key",
            "invalid_Key",
            "Ensure that you provide the correct authorization key for the request",
        )


def _fields(request: AnyRequest, body: bytes) -> dict[str, Any]:
    """The body's fields, from JSON or a form."""
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(body.decode(errors="replace")))
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        raise Refusal(
            400, "Invalid JSON body", "invalid_params", "Send the parameters as a JSON object"
        ) from None


def _told_to_fail(world: World, subject: str) -> Response[bytes] | None:
    limited = world.behaviours.take(PROVIDER, "429", subject)
    if limited is not None:
        answer = _answer(429, {"status": False, "message": "Too many requests"})
        answer.headers["retry-after"] = str(limited.value or 1)
        return answer
    if world.behaviours.take(PROVIDER, "503", subject) is not None:
        return _unavailable()
    return None


def _unavailable() -> Response[bytes]:
    page = b"<html><body><h1>503 Service Unavailable</h1></body></html>"
    return Response(page, status_code=503, media_type="text/html")


def _answer(status: int, body: object) -> Response[bytes]:
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type="application/json; charset=utf-8",
    )


def _whole(text: str, name: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise wrong(f"{name} must be a positive number", "invalid_params", name)
    return int(text)


def _moment(text: str | None) -> int | None:
    """Milliseconds of an ISO date or date-time."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise wrong("Invalid date passed", "invalid_date", "date") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=from_milliseconds(0).tzinfo)
    return milliseconds(aware)


routes = [initialize, verify, list_transactions, balance]
