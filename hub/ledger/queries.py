"""The ledger's SQL. Arrays are one per column; numbers into them start at 1."""

__all__ = [
    "ACCOUNTS_OF",
    "CLOSE_HOLD",
    "DUE_HOLDS",
    "FIND_ACCOUNT",
    "HELD_MISMATCHES",
    "LOCK",
    "LOCK_ACCOUNT",
    "LOCK_HOLD",
    "OPEN_ACCOUNT",
    "PLACE_HOLD",
    "POST",
    "POSTED_MISMATCHES",
    "POSTINGS_BY_REFERENCE",
    "POSTINGS_PAGE",
    "SET_HELD",
    "STATEMENT",
    "UNWITNESSED",
    "USED",
]

FIND_ACCOUNT = """
SELECT id, floor, posted, held FROM accounts
WHERE owner = $1 AND purpose = $2 AND currency = $3 ORDER BY stripe
"""

OPEN_ACCOUNT = """
INSERT INTO accounts (id, owner, purpose, currency, stripe, floor, opened_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
"""

ACCOUNTS_OF = """
SELECT min(id::text)::uuid, currency, sum(posted)::bigint, sum(held)::bigint,
       sum(posted - held)::bigint
FROM accounts WHERE owner = $1 AND purpose = $2 GROUP BY currency ORDER BY currency
"""

USED = """
SELECT used FROM guard_counters WHERE key = $1 AND "window" = $2
"""

STATEMENT = """
SELECT e.id, e.posting_id, p.reference, e.amount, e.balance, p.effective_at, p.recorded_at,
       p.metadata
FROM entries e JOIN postings p ON p.id = e.posting_id
WHERE e.account_id = $1 AND ($2 = 0 OR e.id < $2) ORDER BY e.id DESC LIMIT $3
"""

LOCK = "SELECT ledger_lock($1)"

POST = """
SELECT * FROM ledger_post(
    $1::timestamptz, $2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::bytea[],
    $7::uuid[], $8::text[], $9::integer[], $10::integer[], $11::bigint[],
    $12::text[], $13::text[], $14::bigint[], $15::integer[], $16::integer[], $17::bigint[],
    $18::integer[], $19::bigint[], $20::integer[])
"""

POSTINGS_BY_REFERENCE = "SELECT reference, id FROM postings WHERE reference = ANY ($1::text[])"

LOCK_ACCOUNT = "SELECT currency, floor, posted, held FROM accounts WHERE id = $1 FOR UPDATE"
SET_HELD = "UPDATE accounts SET held = held + $2 WHERE id = $1"

PLACE_HOLD = """
INSERT INTO holds (id, account_id, reference, amount, state, placed_at, expires_at)
VALUES ($1, $2, $3, $4, 'open', $5, $6)
ON CONFLICT (reference) DO NOTHING RETURNING id
"""

LOCK_HOLD = """
SELECT id, account_id, reference, amount, state, expires_at FROM holds WHERE id = $1 FOR UPDATE
"""

CLOSE_HOLD = "UPDATE holds SET state = $2, closed_at = $3 WHERE id = $1"

DUE_HOLDS = """
SELECT id, account_id FROM holds WHERE state = 'open' AND expires_at <= $1
ORDER BY expires_at LIMIT $2
"""

POSTINGS_PAGE = """
SELECT p.id, p.reference, p.effective_at, p.recorded_at, p.metadata, p.digest,
       e.accounts, e.amounts, e.currencies
FROM (SELECT * FROM postings WHERE id > $1 ORDER BY id LIMIT $2) AS p
CROSS JOIN LATERAL (
    SELECT array_agg(account_id ORDER BY e.id) AS accounts, array_agg(amount ORDER BY e.id)
           AS amounts, array_agg(currency ORDER BY e.id) AS currencies
    FROM entries e WHERE e.posting_id = p.id
) AS e
ORDER BY p.id
"""

POSTED_MISMATCHES = """
SELECT a.id, a.owner, a.purpose, a.currency, a.posted, coalesce(e.total, 0)::bigint AS total
FROM accounts a
LEFT JOIN (SELECT account_id, sum(amount) AS total FROM entries GROUP BY account_id) AS e
    ON e.account_id = a.id
WHERE a.posted <> coalesce(e.total, 0) ORDER BY a.id
"""

HELD_MISMATCHES = """
SELECT a.id, a.owner, a.purpose, a.currency, a.held, coalesce(h.total, 0)::bigint AS total
FROM accounts a
LEFT JOIN (SELECT account_id, sum(amount) AS total FROM holds WHERE state = 'open'
           GROUP BY account_id) AS h ON h.account_id = a.id
WHERE a.held <> coalesce(h.total, 0) ORDER BY a.id
"""

UNWITNESSED = """
SELECT p.id, p.reference FROM postings p
WHERE NOT EXISTS (SELECT FROM audit_log l WHERE l.evidence = p.digest)
  AND NOT EXISTS (SELECT FROM outbox o WHERE o.evidence = p.digest)
ORDER BY p.id
"""
