"""HTTP of payments and wallets, and the door for gateways' webhooks."""

from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from litestar import Request, Response, get, post
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody
from litestar.types import ControllerRouterHandler

from hub.clock import Clock
from hub.database import Database
from hub.identity import Principal, get_person
from hub.ids import AccountId, PaymentId, PostingId, parse_id
from hub.jobs import Jobs
from hub.ledger import statement
from hub.limits import Limits
from hub.money import Money
from hub.payments import queries
from hub.payments.collect import PaymentView, TopUp, collect, view_of
from hub.payments.errors import PaymentNotFound, ReturnUrlNotAllowed
from hub.payments.gateways import Gateways
from hub.payments.wallets import Wallet, own_wallet, wallets_of
from hub.payments.webhooks import receive
from hub.problems import MEDIA_TYPE
from hub.settings import Settings

__all__ = ["routes"]

_PAGE = 50
_LAST = 2**63 - 1  # what PostgreSQL counts to
_LARGEST_WEBHOOK = 128 * 1024


class CreatePayment(msgspec.Struct, forbid_unknown_fields=True):
    """``return_url`` is where the checkout sends the payer back to: a page of ours."""

    amount: Money
    purpose: Literal["top_up"]
    gateway: Annotated[str, msgspec.Meta(max_length=32)] = "paystack"
    return_url: Annotated[str, msgspec.Meta(max_length=500)] | None = None


class PaymentList(msgspec.Struct):
    items: list[PaymentView]
    next_cursor: str | None


class WalletList(msgspec.Struct):
    items: list[Wallet]
    next_cursor: None = None


class WalletEntry(msgspec.Struct):
    """One movement; ``balance`` is what stood after it, ``reference`` what it belongs to."""

    id: PostingId
    reference: str
    amount: Money
    balance: Money
    at: datetime


class EntryList(msgspec.Struct):
    items: list[WalletEntry]
    next_cursor: str | None


class Received(msgspec.Struct):
    """``new`` is false for a delivery of something that is known already."""

    new: bool


@post(
    "/v1/payments",
    tags=["payments"],
    responses={201: ResponseSpec(PaymentView, description="The payment and its checkout page")},
)
async def create_payment(
    request: Request[Principal, object, State],
    data: JSONBody[CreatePayment],
    idempotency_key: Annotated[str, HeaderParameter(name="Idempotency-Key")],
    database: NamedDependency[Database],
    clock: NamedDependency[Clock],
    gateways: NamedDependency[Gateways],
    limits: NamedDependency[Limits],
    settings: NamedDependency[Settings],
) -> Response[bytes]:
    """Begins a top-up and answers with the page where it is paid."""
    person_id = request.user.person_id
    await limits.take(f"payments:{person_id}", rate_per_minute=20, burst=10)
    async with database.connection() as connection:
        person = await get_person(connection, person_id)
    top_up = TopUp(
        person=person,
        amount=data.amount,
        gateway=data.gateway,
        return_url=_own_page(settings, data.return_url),
        key=idempotency_key,
    )
    answer = await collect(database, clock, gateways, top_up)
    media_type = "application/json" if answer.status < 400 else MEDIA_TYPE
    return Response(answer.body, status_code=answer.status, media_type=media_type)


@get("/v1/payments", tags=["payments"])
async def list_payments(
    request: Request[Principal, object, State],
    database: NamedDependency[Database],
    cursor: FromQuery[str | None] = None,
) -> PaymentList:
    """The person's payments, newest first."""
    before = PaymentId(parse_id(cursor)) if cursor else None
    async with database.connection() as connection:
        found = await queries.list_payments(connection, request.user.person_id, before, _PAGE + 1)
    page = found[:_PAGE]
    more = str(page[-1].id) if len(found) > _PAGE else None
    return PaymentList([view_of(payment) for payment in page], more)


@get("/v1/payments/{payment_id:str}", tags=["payments"])
async def show_payment(
    request: Request[Principal, object, State],
    payment_id: FromPath[str],
    database: NamedDependency[Database],
) -> PaymentView:
    """One payment of the person."""
    async with database.connection() as connection:
        payment = await queries.load_payment(connection, PaymentId(parse_id(payment_id)))
    if payment is None or payment.person_id != request.user.person_id:
        raise PaymentNotFound("You have no such payment.")
    return view_of(payment)


@get("/v1/wallets", tags=["wallets"])
async def list_wallets(
    request: Request[Principal, object, State], database: NamedDependency[Database]
) -> WalletList:
    """The person's wallets, one per currency."""
    async with database.connection() as connection:
        return WalletList(await wallets_of(connection, request.user.person_id))


@get("/v1/wallets/{wallet_id:str}/entries", tags=["wallets"])
async def list_entries(
    request: Request[Principal, object, State],
    wallet_id: FromPath[str],
    database: NamedDependency[Database],
    cursor: FromQuery[int | None] = None,
) -> EntryList:
    """What moved in one wallet, newest first."""
    async with database.connection() as connection:
        wallet = await own_wallet(
            connection, request.user.person_id, AccountId(parse_id(wallet_id))
        )
        lines = await statement(connection, wallet.id, min(max(cursor or 0, 0), _LAST), _PAGE + 1)
    page = lines[:_PAGE]
    more = str(page[-1].seq) if len(lines) > _PAGE else None
    entries = [
        WalletEntry(
            line.posting_id,
            line.reference,
            Money(line.amount, wallet.currency),
            Money(line.balance, wallet.currency),
            line.recorded_at,
        )
        for line in page
    ]
    return EntryList(entries, more)


@post(
    "/webhooks/{gateway:str}",
    opt={"public": True},
    status_code=200,
    request_max_body_size=_LARGEST_WEBHOOK,
    tags=["webhooks"],
)
async def receive_webhook(
    request: Request[object, object, State],
    gateway: FromPath[str],
    database: NamedDependency[Database],
    clock: NamedDependency[Clock],
    gateways: NamedDependency[Gateways],
    jobs: NamedDependency[Jobs],
) -> Response[Received]:
    """Takes a gateway's webhook in. 200 means stored; what it says is looked into afterwards."""
    sender = gateways.named(gateway)
    headers = {name.lower(): value for name, value in request.headers.items()}
    new = await receive(database, clock, sender, headers, await request.body())
    wake = BackgroundTask(jobs.wake, "settle")  # after the answer: a slow Redis delays no 200
    return Response(Received(new), background=wake)


def _own_page(settings: Settings, return_url: str | None) -> str:
    """Where to send the payer back to. Raises ``ReturnUrlNotAllowed`` for somebody else's page."""
    if return_url is None:
        return f"{settings.http.public_url}/"
    try:
        parts = urlsplit(return_url)
        origin = f"{parts.scheme}://{parts.netloc}"
    except ValueError:  # no address at all, as http://[
        origin = ""
    if origin not in {settings.http.public_url, *settings.http.allowed_origins}:
        raise ReturnUrlNotAllowed("return_url must be a page of this hub.")
    return return_url


routes: list[ControllerRouterHandler] = [
    create_payment,
    list_payments,
    show_payment,
    list_wallets,
    list_entries,
    receive_webhook,
]
