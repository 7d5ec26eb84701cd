"""SQL of businesses, offerings and investments, beside what its rows become."""

from typing import Any

import asyncpg

from hub.investments.model import Backing, Business, Investment, Offering, Terms
from hub.money import Money

__all__ = [
    "BACKINGS",
    "BUSINESS",
    "BUSINESSES_OF",
    "CLOSE_OFFERING",
    "DUE",
    "INSERT_BUSINESS",
    "INSERT_OFFERING",
    "INVESTMENTS_OF",
    "INVESTORS",
    "INVEST_BATCH",
    "LOCK_OFFERING",
    "MARK_REFUNDED",
    "OFFERINGS",
    "TERMS",
    "UNREFUNDED",
    "WALLETS",
    "to_backing",
    "to_business",
    "to_investment",
    "to_offering",
    "to_terms",
]

INSERT_BUSINESS = """
INSERT INTO businesses (id, owner_id, name, sector, country, registered_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""

BUSINESS = "SELECT id, owner_id, name, sector, country FROM businesses WHERE id = $1"

BUSINESSES_OF = """
SELECT id, owner_id, name, sector, country FROM businesses WHERE owner_id = $1 ORDER BY id
"""

INSERT_OFFERING = """
INSERT INTO offerings (id, business_id, title, summary, currency, target, minimum, maximum,
                       rate_percent, term_months, escrow_id, state, opened_at, closes_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'open', $12, $13)
"""

TERMS = """
SELECT o.id, o.title, o.business_id, b.name AS business_name, b.country, b.owner_id, o.currency,
       o.target, o.minimum, o.maximum, o.escrow_id, 'offering:' || o.id AS counter
FROM offerings o JOIN businesses b ON b.id = o.business_id WHERE o.id = $1
"""

OFFERINGS = """
SELECT o.id, o.business_id, b.name AS business_name, o.title, o.summary, o.currency, o.target,
       o.minimum, o.maximum, coalesce(o.raised, a.posted) AS raised,
       (SELECT count(DISTINCT i.investor_id) FROM investments i WHERE i.offering_id = o.id)
           AS investors,
       o.rate_percent, o.term_months, o.state, o.closes_at, b.sector, b.country
FROM offerings o JOIN businesses b ON b.id = o.business_id JOIN accounts a ON a.id = o.escrow_id
WHERE {where}
"""

_INVESTMENT = """
SELECT i.id, i.offering_id, o.title AS offering_title, b.name AS business_name, i.investor_id,
       i.amount, i.currency, i.state, i.made_at, o.state AS offering_state,
       coalesce(o.raised, a.posted) AS raised, o.target{also}
FROM investments i JOIN offerings o ON o.id = i.offering_id
JOIN businesses b ON b.id = o.business_id JOIN accounts a ON a.id = o.escrow_id{join}
WHERE {where} AND ($2::uuid IS NULL OR i.id < $2) ORDER BY i.id DESC LIMIT $3
"""

INVESTMENTS_OF = _INVESTMENT.format(also="", join="", where="i.investor_id = $1")

BACKINGS = _INVESTMENT.format(
    also=", p.display_name AS investor_name",
    join=" JOIN people p ON p.id = i.investor_id",
    where="o.business_id = $1",
)

WALLETS = """
SELECT owner, id FROM accounts
WHERE owner = ANY ($1::text[]) AND purpose = 'wallet' AND currency = $2 AND stripe = 0
"""

INVEST_BATCH = f"SELECT * FROM invest_batch({', '.join(f'${n}' for n in range(1, 39))})"

LOCK_OFFERING = "SELECT state, closes_at FROM offerings WHERE id = $1 FOR UPDATE"

CLOSE_OFFERING = "UPDATE offerings SET state = $2, raised = $3, closed_at = $4 WHERE id = $1"

INVESTORS = "SELECT DISTINCT investor_id FROM investments WHERE offering_id = $1 ORDER BY 1"

DUE = """
SELECT o.id FROM offerings o JOIN accounts a ON a.id = o.escrow_id
WHERE (o.state = 'open' AND (a.posted >= o.target OR o.closes_at <= $1))
   OR (o.state = 'failed' AND a.posted > 0)
ORDER BY o.id
"""

UNREFUNDED = """
SELECT i.id, i.investor_id, i.amount, i.made_at, coalesce(p.kyc_level, 0) AS kyc_level
FROM investments i LEFT JOIN people p ON p.id = i.investor_id
WHERE i.offering_id = $1 AND i.state = 'confirmed' ORDER BY i.id LIMIT $2
"""

MARK_REFUNDED = "UPDATE investments SET state = 'refunded' WHERE id = ANY ($1::uuid[])"


def to_business(row: asyncpg.Record) -> Business:
    return Business(*row)


def to_terms(row: asyncpg.Record) -> Terms:
    return Terms(*row)


def to_offering(row: asyncpg.Record) -> Offering:
    return Offering(**_with_money(row, "target", "minimum", "maximum", "raised"))


def to_investment(row: asyncpg.Record) -> Investment:
    fields = _with_money(row, "amount", "raised", "target")
    del fields["investor_id"]
    return Investment(**fields)


def to_backing(row: asyncpg.Record) -> Backing:
    fields = _with_money(row, "amount", "raised", "target")
    del fields["business_name"], fields["offering_state"]
    return Backing(**fields)


def _with_money(row: asyncpg.Record, *amounts: str) -> dict[str, Any]:
    fields = dict(row)
    currency = fields.pop("currency")
    return {**fields, **{name: Money(fields[name], currency) for name in amounts}}
