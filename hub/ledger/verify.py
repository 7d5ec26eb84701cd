"""Proves the ledger from its entries, and names what does not fit.

Reads one consistent snapshot. What it cannot see: a chain of audit records that was rewritten as a
whole together with the ledger; for that, compare the chain's signed heads (``hub.audit``).
"""

from collections import defaultdict
from uuid import UUID

import asyncpg
import msgspec

from hub.database import Connection, Database
from hub.ledger import queries
from hub.ledger.model import posting_digest

__all__ = ["LedgerReport", "verify_ledger"]

_PAGE = 2_000
_FAULTS_NAMED = 100


class LedgerReport(msgspec.Struct, frozen=True):
    """What the walk found; ``faults`` has one line for each thing that does not fit."""

    accounts: int
    postings: int
    entries: int
    faults: list[str]


async def verify_ledger(database: Database) -> LedgerReport:
    """Checks that every posting sums to zero per currency, that its digest fits its entries and
    is what the audit chain (or the outbox, before the relay) holds as evidence, and that every
    account's posted and held amounts are the sums of its entries and open holds."""
    async with (
        database.connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await connection.execute("SET LOCAL statement_timeout = 0")
        accounts = await connection.fetchval("SELECT count(*) FROM accounts")
        postings, entries, faults = await _walk(connection)
        stored = await connection.fetchval("SELECT count(*) FROM entries")
        if stored != entries:
            faults.append(f"{stored - entries} entries belong to no posting")
        faults += [
            f"posting {row['id']} ({row['reference']}): the audit log knows nothing of it"
            for row in await connection.fetch(queries.UNWITNESSED)
        ]
        for column, query, of in (
            ("posted", queries.POSTED_MISMATCHES, "entries"),
            ("held", queries.HELD_MISMATCHES, "open holds"),
        ):
            faults += [
                f"account {row['id']} ({row['owner']} {row['purpose']} {row['currency']}):"
                f" {column} is {row[column]}, its {of} sum to {row['total']}"
                for row in await connection.fetch(query)
            ]
    return LedgerReport(accounts, postings, entries, faults[:_FAULTS_NAMED])


async def _walk(connection: Connection) -> tuple[int, int, list[str]]:
    postings, entries, faults = 0, 0, []
    last = UUID(int=0)
    while True:
        rows = await connection.fetch(queries.POSTINGS_PAGE, last, _PAGE)
        for row in rows:
            entries += len(row["amounts"] or ())
            fault = _fault(row)
            if fault is not None:
                faults.append(f"posting {row['id']} ({row['reference']}): {fault}")
        postings += len(rows)
        if len(rows) < _PAGE:
            return postings, entries, faults
        last = rows[-1]["id"]


def _fault(row: asyncpg.Record) -> str | None:
    """What is wrong with one posting and its entries, if anything."""
    if not row["amounts"]:
        return "it has no entries"
    sums: dict[str, int] = defaultdict(int)
    legs = list(zip(row["accounts"], row["amounts"], row["currencies"], strict=True))
    for _, amount, currency in legs:
        sums[currency] += amount
    for currency, total in sums.items():
        if total:
            return f"its entries in {currency} sum to {total}, not to zero"
    found = posting_digest(
        row["id"], row["reference"], row["effective_at"], row["recorded_at"], row["metadata"], legs
    )
    return None if found == row["digest"] else "it was changed after it was posted"
