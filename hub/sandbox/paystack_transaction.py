"""Paystack's transactions: kept, found, and shown as the provider shows them."""

from secrets import token_hex
from typing import Any

import msgspec

from hub.clock import from_milliseconds
from hub.sandbox.paystack_order import Order, Refusal
from hub.sandbox.store import Row
from hub.sandbox.world import World

__all__ = ["create_transaction", "find_transaction", "status_of", "transaction_data"]

_ONGOING_MS = 15 * 60 * 1000


def create_transaction(world: World, order: Order) -> str:
    """Writes the transaction; returns its access code."""
    access_code = token_hex(8)
    with world.store.together():
        if find_transaction(world, reference=order.reference) is not None:
            raise Refusal(
                400,
                "Duplicate Transaction Reference",
                "duplicate_reference",
                "Try and create the Transaction or Charge with a new reference",
            )
        world.store.run(
            "INSERT INTO customers (email, code) VALUES (?, ?) ON CONFLICT DO NOTHING",
            order.email,
            f"CUS_{token_hex(8)}",
        )
        customer = world.store.one("SELECT id FROM customers WHERE email = ?", order.email)
        assert customer is not None
        world.store.run(
            "INSERT INTO transactions (reference, access_code, customer_id, requested_amount,"
            " amount, currency, channels, callback_url, metadata, status, channel,"
            " gateway_response, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'open', ?, ?, ?)",
            order.reference,
            access_code,
            customer["id"],
            order.amount,
            order.amount,
            order.currency,
            msgspec.json.encode(order.channels).decode(),
            order.callback_url,
            order.metadata,
            order.channels[0],
            "The transaction was not completed",
            world.now(),
        )
    return access_code


def find_transaction(
    world: World, *, reference: str | None = None, access_code: str | None = None
) -> Row | None:
    """One transaction with its customer's ``email`` and ``code``."""
    return world.store.one(
        "SELECT t.*, c.email, c.code FROM transactions t JOIN customers c"
        " ON c.id = t.customer_id WHERE t.reference = ? OR t.access_code = ?",
        reference,
        access_code,
    )


def transaction_data(world: World, row: Row) -> dict[str, Any]:
    """The transaction object of verify, list and webhook."""
    paid_at, created_at = _iso(row["paid_at"]), _iso(row["created_at"])
    status = status_of(world, row)
    authorization: dict[str, Any] = {}
    if status == "success":
        authorization = {
            "authorization_code": f"AUTH_{row['access_code'][:10]}",
            "bin": "408408",
            "last4": "4081",
            "exp_month": "12",
            "exp_year": "2030",
            "channel": row["channel"],
            "card_type": "visa ",  # the provider's own trailing space
            "bank": "TEST BANK",
            "country_code": "NG",
            "brand": "visa",
            "reusable": True,
            "signature": f"SIG_{row['access_code']}",
            "account_name": None,
        }
    return {
        "id": row["id"],
        "domain": "test",
        "status": status,
        "reference": row["reference"],
        "receipt_number": None,
        "amount": row["amount"],
        "message": None,
        "gateway_response": row["gateway_response"],
        "paid_at": paid_at,
        "created_at": created_at,
        "channel": row["channel"],
        "currency": row["currency"],
        "ip_address": "127.0.0.1",
        "metadata": msgspec.json.decode(row["metadata"]) if row["metadata"] else "",
        "log": None,
        "fees": row["fees"],
        "fees_split": None,
        "authorization": authorization,
        "customer": {
            "id": row["customer_id"],
            "first_name": None,
            "last_name": None,
            "email": row["email"],
            "customer_code": row["code"],
            "phone": None,
            "metadata": None,
            "risk_action": "default",
            "international_format_phone": None,
        },
        "plan": None,
        "split": {},
        "order_id": None,
        "paidAt": paid_at,
        "createdAt": created_at,
        "requested_amount": row["requested_amount"],
        "pos_transaction_data": None,
        "source": None,
        "fees_breakdown": None,
        "connect": None,
        "transaction_date": created_at,
        "plan_object": {},
        "subaccount": {},
    }


def status_of(world: World, row: Row) -> str:
    if row["status"] != "open":
        return str(row["status"])
    opened = row["opened_at"]
    return "ongoing" if opened and world.now() - opened < _ONGOING_MS else "abandoned"


def _iso(at: int | None) -> str | None:
    if at is None:
        return None
    return from_milliseconds(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")
