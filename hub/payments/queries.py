"""SQL of payments, beside how rows become Structs. Business time is always a parameter; the
database's ``now()`` stands only in leases."""

from datetime import datetime

import msgspec
from asyncpg import Record

from hub.database import Connection
from hub.ids import PaymentId, PersonId
from hub.ledger import Guard
from hub.money import Money
from hub.payments.model import Payment

__all__ = [
    "CLAIM_INBOX",
    "CLAIM_STEP",
    "DEFER_NOTICE",
    "DUE_PAYMENTS",
    "FINISH_NOTICE",
    "OPEN_CHECKOUT",
    "RECEIVE",
    "RELEASE_STEP",
    "count_open_guards",
    "find_by_key",
    "insert_payment",
    "list_payments",
    "load_payment",
    "lock_limits",
    "lock_payment",
    "move_payment",
    "next_attempt",
    "payment_from",
]

# A gateway step: the key's row without an answer, held for 60 s by whoever is at it.
CLAIM_STEP = """
INSERT INTO idempotency_keys AS k
    (principal, route, key, request_hash, lease_until, recorded_at)
VALUES ($1, $2, $3, $4, now() + interval '60 seconds', $5)
ON CONFLICT (principal, route, key) DO UPDATE SET lease_until = excluded.lease_until
WHERE k.status IS NULL AND (k.lease_until IS NULL OR k.lease_until <= now())
RETURNING lease_until
"""
RELEASE_STEP = """
UPDATE idempotency_keys SET lease_until = NULL
WHERE principal = $1 AND route = $2 AND key = $3 AND status IS NULL AND lease_until = $4
"""

_INSERT = """
INSERT INTO payments (id, person_id, idempotency_key, purpose, gateway, amount, currency, guards,
                      attempt, state, checkout_url, return_url, created_at, expires_at, ask_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
"""
_NEXT_ATTEMPT = """
UPDATE payments SET attempt = attempt + 1
WHERE id = $1 AND attempt = $2 AND state = 'created' RETURNING *
"""
# Only the attempt that is still in use may hand out its page; a process that was asleep may not.
OPEN_CHECKOUT = """
UPDATE payments
SET checkout_url = $3, state = CASE WHEN state = 'created' THEN 'pending' ELSE state END
WHERE id = $1 AND attempt = $2 AND checkout_url IS NULL AND state <> 'settled'
"""
_MOVE = """
UPDATE payments
SET state = $2, reason = $3, settled_reference = $4, settled_at = $5, ask_at = $6 WHERE id = $1
"""
# Claiming moves ask_at on, so a second process asks about other payments, and a killed one's
# payments come up again by themselves.
DUE_PAYMENTS = """
WITH due AS (
    SELECT id FROM payments WHERE ask_at <= $1 ORDER BY ask_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE payments p
SET ask_at = $1 + least(greatest(($1 - p.created_at) / 2, interval '1 minute'),
                        interval '30 minutes')
FROM due WHERE p.id = due.id RETURNING p.*
"""

# A further delivery of an event that is still open brings it up again at once.
RECEIVE = """
INSERT INTO webhook_inbox AS w
    (id, gateway, event_key, digest, event, reference, record, state, outcome, due_at, received_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (gateway, event_key) DO UPDATE
SET deliveries = w.deliveries + 1,
    due_at = CASE WHEN w.state IN ('waiting', 'unmatched') THEN excluded.due_at END
RETURNING w.deliveries = 1
"""
CLAIM_INBOX = """
WITH due AS (
    SELECT id FROM webhook_inbox
    WHERE due_at <= $1 AND (lease_until IS NULL OR lease_until <= now())
    ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE webhook_inbox w SET lease_until = now() + interval '60 seconds', tries = tries + 1
FROM due WHERE w.id = due.id RETURNING w.id, w.gateway, w.reference, w.tries
"""
FINISH_NOTICE = """
UPDATE webhook_inbox
SET state = 'done', outcome = $2, finished_at = $3, due_at = NULL, lease_until = NULL
WHERE id = $1
"""
DEFER_NOTICE = """
UPDATE webhook_inbox SET state = $2, outcome = $3, due_at = $4, lease_until = NULL
WHERE id = $1 AND state IN ('waiting', 'unmatched')
"""


def payment_from(row: Record) -> Payment:
    """A row of ``payments``."""
    return Payment(
        id=row["id"],
        person_id=row["person_id"],
        purpose=row["purpose"],
        gateway=row["gateway"],
        amount=Money(row["amount"], row["currency"]),
        guards=msgspec.convert(row["guards"], tuple[Guard, ...]),
        attempt=row["attempt"],
        state=row["state"],
        checkout_url=row["checkout_url"],
        return_url=row["return_url"],
        reason=row["reason"],
        settled_reference=row["settled_reference"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        settled_at=row["settled_at"],
        ask_at=row["ask_at"],
    )


async def insert_payment(tx: Connection, payment: Payment, key: str) -> None:
    await tx.execute(
        _INSERT,
        payment.id,
        payment.person_id,
        key,
        payment.purpose,
        payment.gateway,
        payment.amount.amount,
        payment.amount.currency,
        msgspec.to_builtins(payment.guards),
        payment.attempt,
        payment.state,
        payment.checkout_url,
        payment.return_url,
        payment.created_at,
        payment.expires_at,
        payment.ask_at,
    )


async def _one(c: Connection, query: str, *values: object) -> Payment | None:
    row = await c.fetchrow(query, *values)
    return payment_from(row) if row is not None else None


async def load_payment(c: Connection, payment_id: PaymentId) -> Payment | None:
    return await _one(c, "SELECT * FROM payments WHERE id = $1", payment_id)


async def lock_payment(tx: Connection, payment_id: PaymentId) -> Payment | None:
    return await _one(tx, "SELECT * FROM payments WHERE id = $1 FOR UPDATE", payment_id)


async def find_by_key(tx: Connection, person_id: PersonId, key: str) -> Payment | None:
    return await _one(
        tx, "SELECT * FROM payments WHERE person_id = $1 AND idempotency_key = $2", person_id, key
    )


async def next_attempt(tx: Connection, payment: Payment) -> Payment | None:
    """The payment under its next reference; None if another process was there first."""
    return await _one(tx, _NEXT_ATTEMPT, payment.id, payment.attempt)


async def move_payment(tx: Connection, payment: Payment) -> None:
    """Stores state, reason and times of a payment that this transaction has locked."""
    await tx.execute(
        _MOVE,
        payment.id,
        payment.state,
        payment.reason,
        payment.settled_reference,
        payment.settled_at,
        payment.ask_at,
    )


async def list_payments(
    c: Connection, person_id: PersonId, before: PaymentId | None, limit: int
) -> list[Payment]:
    """Newest first, older than ``before``."""
    rows = await c.fetch(
        "SELECT * FROM payments WHERE person_id = $1 AND ($2::uuid IS NULL OR id < $2)"
        " ORDER BY id DESC LIMIT $3",
        person_id,
        before,
        limit,
    )
    return [payment_from(row) for row in rows]


async def lock_limits(tx: Connection, person_id: PersonId) -> None:
    """Lets one person's limits be checked by one transaction at a time, until it ends."""
    await tx.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('payments.limits:' || $1, 0))",
        str(person_id),
    )


async def count_open_guards(
    tx: Connection, person_id: PersonId, since: datetime
) -> dict[tuple[str, str], int]:
    """What the person's open payments begun after ``since`` would add to each counter."""
    rows = await tx.fetch(
        "SELECT g ->> 'key', g ->> 'window', sum((g ->> 'delta')::bigint)::bigint"
        " FROM payments, jsonb_array_elements(guards) AS g"
        " WHERE person_id = $1 AND state IN ('created', 'pending') AND created_at > $2"
        " GROUP BY 1, 2",
        person_id,
        since,
    )
    return {(row[0], row[1]): row[2] for row in rows}
