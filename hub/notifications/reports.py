"""Delivery reports: forward only; repeated, out of order, and sometimes before their send.

A report and the record of its send may come in either order. Both write the same row, keyed by
the provider's message id, so whoever comes second finds what the first one left.
"""

from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from hub.database import Connection
from hub.notifications.steps import StepName, record, step_row

__all__ = ["Report", "ReportOutcome", "adopt_report", "expect_report", "record_report"]

ReportOutcome: TypeAlias = Literal["sent", "delivered", "failed"]

# A first final report wins; an intermediate one never follows a final one.
_REPORT = """
INSERT INTO delivery_reports AS r (provider, provider_id, address_hash, rank, outcome, status,
                                   first_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
ON CONFLICT (provider, provider_id) DO UPDATE
SET rank = excluded.rank, outcome = excluded.outcome, status = excluded.status,
    updated_at = excluded.updated_at
WHERE r.rank < excluded.rank AND r.address_hash = excluded.address_hash
RETURNING attempt_id
"""

_EXPECT = """
INSERT INTO delivery_reports AS r (provider, provider_id, address_hash, attempt_id, purpose, rank,
                                   outcome, status, first_at, updated_at)
VALUES ($1, $2, $3, $4, $5, 0, 'sent', '', $6, $6)
ON CONFLICT (provider, provider_id) DO UPDATE
SET attempt_id = coalesce(r.attempt_id, excluded.attempt_id), purpose = excluded.purpose
RETURNING rank, outcome, status
"""

# Only where nothing else could be meant: one open attempt, one unmatched report since its start.
_ADOPT = """
UPDATE delivery_reports r SET attempt_id = $1
WHERE r.provider = $2 AND r.address_hash = $3 AND r.attempt_id IS NULL AND r.purpose = ''
  AND r.first_at >= $4
  AND 1 = (SELECT count(*) FROM delivery_reports o
           WHERE o.provider = $2 AND o.address_hash = $3 AND o.attempt_id IS NULL
             AND o.purpose = '' AND o.first_at >= $4)
  AND 1 = (SELECT count(*) FROM delivery_attempts a
           WHERE a.provider = $2 AND a.address_hash = $3 AND a.started_at > $4 - interval '1 hour'
             AND (a.state IN ('sending', 'retry')))
RETURNING r.provider_id, r.outcome, r.status
"""

_APPLY = """
UPDATE delivery_attempts SET state = $2, reason = $3, ended_at = coalesce(ended_at, $4),
    provider_id = coalesce(provider_id, $5), retry_at = NULL
WHERE id = $1 AND state NOT IN ('delivered', 'failed')
RETURNING event_id, person_id, channel
"""

_DUE_NOW = """
UPDATE escalations SET due_at = least(due_at, $3)
WHERE event_id = $1 AND person_id = $2 AND state = 'pending'
"""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider says became of a message; ``status`` in its own words."""

    provider: str
    provider_id: str
    address_hash: bytes
    outcome: ReportOutcome
    final: bool
    status: str


async def record_report(tx: Connection, report: Report, at: datetime) -> bool:
    """Stores a report and applies it to its attempt, if that is known. False: nothing new."""
    row = await tx.fetchrow(
        _REPORT,
        report.provider,
        report.provider_id,
        report.address_hash,
        2 if report.final else 1,
        report.outcome,
        report.status,
        at,
    )
    if row is None:
        return False
    if row["attempt_id"] is not None and report.final:
        await apply_outcome(
            tx, row["attempt_id"], report.outcome, report.status, at, report.provider_id
        )
    return True


async def expect_report(
    tx: Connection,
    provider: str,
    provider_id: str,
    address_hash: bytes,
    at: datetime,
    *,
    attempt_id: UUID | None = None,
    purpose: str = "",
) -> None:
    """Says to whom reports of ``provider_id`` belong, and applies one that is already there."""
    row = await tx.fetchrow(_EXPECT, provider, provider_id, address_hash, attempt_id, purpose, at)
    if row is not None and attempt_id is not None and row["rank"] == 2:
        await apply_outcome(tx, attempt_id, row["outcome"], row["status"], at, provider_id)


async def adopt_report(
    tx: Connection,
    attempt_id: UUID,
    provider: str,
    address_hash: bytes,
    started_at: datetime,
    at: datetime,
) -> bool:
    """Gives an attempt in doubt the one report for its address that belongs to nobody.

    This is how a send that the provider took, but whose answer never came back, is found out.
    """
    row = await tx.fetchrow(_ADOPT, attempt_id, provider, address_hash, started_at)
    if row is None:
        return False
    await apply_outcome(tx, attempt_id, row["outcome"], row["status"], at, row["provider_id"])
    return True


async def apply_outcome(
    tx: Connection,
    attempt_id: UUID,
    outcome: ReportOutcome,
    status: str,
    at: datetime,
    provider_id: str,
) -> None:
    """Moves an attempt forward and has its escalation looked at again at once."""
    row = await tx.fetchrow(_APPLY, attempt_id, outcome, status, at, provider_id)
    if row is None:
        return
    step: StepName = outcome
    reason = f"the provider reports {status}"
    await record(
        tx,
        [
            step_row(
                row["event_id"],
                row["person_id"],
                at,
                step,
                reason,
                channel=row["channel"],
                attempt_id=attempt_id,
            )
        ],
    )
    await tx.execute(_DUE_NOW, row["event_id"], row["person_id"], at)
