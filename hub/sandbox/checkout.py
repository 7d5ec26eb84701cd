"""Paystack's hosted checkout: the page its customers pay on, and what follows.

Paying marks the transaction, works out the fees and owes the hub a ``charge.success`` webhook,
signed over the exact bytes; a failed try or an abandoned page sends none, as with Paystack, and may
still be followed by a payment. Fees are the public price list's for local cards.
"""

import hashlib
import hmac
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from hub.errors import Conflict, NotFound
from hub.sandbox.paystack import PROVIDER
from hub.sandbox.paystack_transaction import find_transaction, transaction_data
from hub.sandbox.store import Row
from hub.sandbox.world import World

__all__ = ["fees_of", "routes"]

_PAGE = Path(__file__).parent / "pages" / "checkout.html"
_LATE_MS = 5_000


class CheckoutTransaction(msgspec.Struct, frozen=True):
    """What the page shows; ``amount`` in subunits."""

    reference: str
    email: str
    amount: int
    currency: str
    status: str
    redirect_url: str | None


class CheckoutResult(msgspec.Struct, frozen=True):
    """Where the browser goes next; null stays on the page."""

    status: str
    redirect_url: str | None


@get("/paystack/checkout/{access_code:str}", sync_to_thread=False)
def checkout_page(access_code: FromPath[str], world: NamedDependency[World]) -> Response[bytes]:
    """The page; its script asks for the transaction."""
    _transaction(world, access_code)
    return Response(_PAGE.read_bytes(), media_type="text/html")


@get("/paystack/checkout/{access_code:str}/transaction")
async def show_transaction(
    access_code: FromPath[str], world: NamedDependency[World]
) -> CheckoutTransaction:
    """The transaction; from now on it counts as ``ongoing``."""
    row = _transaction(world, access_code)
    world.store.run("UPDATE transactions SET opened_at = ? WHERE id = ?", world.now(), row["id"])
    return CheckoutTransaction(
        row["reference"],
        row["email"],
        row["requested_amount"],
        row["currency"],
        row["status"],
        _redirect(row) if row["status"] == "success" else None,
    )


@post("/paystack/checkout/{access_code:str}/pay", status_code=200)
async def pay(access_code: FromPath[str], world: NamedDependency[World]) -> CheckoutResult:
    """Pays. Paying twice changes nothing."""
    row = _transaction(world, access_code)
    if row["status"] != "success":
        subject = f"POST /paystack/checkout {row['reference']}"
        other = world.behaviours.take(PROVIDER, "amount_mismatch", subject)
        amount = row["requested_amount"]
        if other is not None:
            amount = other.value if other.value is not None else amount // 2
        with world.store.together():
            world.store.run(
                "UPDATE transactions SET status = 'success', amount = ?, fees = ?, paid_at = ?,"
                " gateway_response = 'Successful' WHERE id = ?",
                amount,
                fees_of(amount, row["currency"]),
                world.now(),
                row["id"],
            )
            _owe_webhook(world, _transaction(world, access_code), subject)
    return CheckoutResult("success", _redirect(row))


@post("/paystack/checkout/{access_code:str}/fail", status_code=200)
async def fail(access_code: FromPath[str], world: NamedDependency[World]) -> CheckoutResult:
    """The bank declines; the customer may try again on the same page."""
    _leave(world, access_code, "failed", "Declined")
    return CheckoutResult("failed", None)


@post("/paystack/checkout/{access_code:str}/abandon", status_code=200)
async def abandon(access_code: FromPath[str], world: NamedDependency[World]) -> CheckoutResult:
    """The customer leaves: to ``metadata.cancel_action`` if there is one."""
    row = _leave(world, access_code, "abandoned", "The transaction was not completed")
    metadata = msgspec.json.decode(row["metadata"]) if row["metadata"] else None
    cancel = metadata.get("cancel_action") if isinstance(metadata, dict) else None
    wanted = isinstance(cancel, str) and cancel.startswith(("https://", "http://"))
    return CheckoutResult("abandoned", cancel if wanted else None)


def fees_of(amount: int, currency: str) -> int:
    """The fee in subunits: NGN 1.5 % + 100 (above 2,500; at most 2,000), GHS 1.95 %, KES 2.9 %,
    ZAR 2.9 % + 1, USD 3.9 %, rounded up to the subunit."""
    if currency == "NGN":
        return min(_share(amount, 150) + (100_00 if amount >= 2_500_00 else 0), 2_000_00)
    if currency == "ZAR":
        return _share(amount, 290) + 1_00
    return _share(amount, {"GHS": 195, "KES": 290, "USD": 390}[currency])


def _share(amount: int, basis_points: int) -> int:
    return -(-amount * basis_points // 10_000)


def _owe_webhook(world: World, row: Row, subject: str) -> None:
    manners = world.behaviours
    if manners.take(PROVIDER, "no_webhook", subject) is not None:
        return
    data = transaction_data(world, row)
    if manners.take(PROVIDER, "string_amounts", subject) is not None:
        data |= {name: str(data[name]) for name in ("amount", "fees", "requested_amount")}
    body = msgspec.json.encode({"event": "charge.success", "data": data})
    key = world.settings.paystack.secret_key.reveal()
    if manners.take(PROVIDER, "wrong_signature", subject) is not None:
        key = f"not-{key}"
    headers = {
        "content-type": "application/json",
        "x-paystack-signature": hmac.new(key.encode(), body, hashlib.sha512).hexdigest(),
    }
    late = manners.take(PROVIDER, "late_webhook", subject)
    after = 0 if late is None else late.value if late.value is not None else _LATE_MS
    copies = 2 if manners.take(PROVIDER, "duplicate_webhook", subject) is not None else 1
    for _ in range(copies):
        world.courier.owe(
            f"charge.success of {row['reference']}",
            "/webhooks/paystack",
            headers,
            body,
            after=after,
            insists=True,
        )


def _leave(world: World, access_code: str, status: str, response: str) -> Row:
    row = _transaction(world, access_code)
    if not world.store.run(
        "UPDATE transactions SET status = ?, gateway_response = ?"
        " WHERE id = ? AND status <> 'success'",
        status,
        response,
        row["id"],
    ):
        raise Conflict("This transaction has been paid.")
    return row


def _transaction(world: World, access_code: str) -> Row:
    row = find_transaction(world, access_code=access_code)
    if row is None:
        raise NotFound("There is no transaction with this access code.")
    return row


def _redirect(row: Row) -> str | None:
    """The callback URL with Paystack's two parameters, which carry the same reference."""
    if row["callback_url"] is None:
        return None
    parts = urlsplit(str(row["callback_url"]))
    added: list[tuple[str, Any]] = [("trxref", row["reference"]), ("reference", row["reference"])]
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *added])
    return urlunsplit(parts._replace(query=query))


routes = [checkout_page, show_transaction, pay, fail, abandon]
