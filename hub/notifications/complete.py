"""Writes down what became of sends, and has their escalations looked at again in time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import assert_never

import msgspec

from hub.database import Connection
from hub.notifications.deciding import Dispatch
from hub.notifications.escalation import IN_DOUBT, label
from hub.notifications.model import Dead, Outcome, Retry, Sent
from hub.notifications.reports import expect_report
from hub.notifications.steps import StepName, StepRow, record, step_row

__all__ = ["Finished", "complete"]

# A delivery report may have moved the attempt on already: it is never moved back.
_SENT = """
UPDATE delivery_attempts
SET state = CASE WHEN state IN ('sending', 'unknown') THEN 'sent' ELSE state END,
    ended_at = coalesce(ended_at, $2), provider_id = $3, parts = $4, cost = $5, cost_currency = $6
WHERE id = $1
"""

_RETRY = """
UPDATE delivery_attempts SET state = 'retry', reason = $2, ended_at = $3, retry_at = $4
WHERE id = $1 AND state IN ('sending', 'unknown')
"""

_DEAD = """
UPDATE delivery_attempts SET state = 'failed', reason = $2, ended_at = $3
WHERE id = $1 AND state IN ('sending', 'unknown')
"""

_DUE = """
UPDATE escalations SET due_at = least(due_at, $3)
WHERE event_id = $1 AND person_id = $2 AND state = 'pending'
"""

_REASON_LIMIT = 200


class Finished(msgspec.Struct, frozen=True):
    """A send and its outcome; None where nobody can say whether the provider took it."""

    dispatch: Dispatch
    outcome: Outcome | None
    doubt: str = ""


async def complete(tx: Connection, finished: Sequence[Finished], now: datetime) -> None:
    """Completes attempts within ``tx``."""
    await record(tx, [await _complete(tx, one, now) for one in finished])


async def _complete(tx: Connection, one: Finished, now: datetime) -> StepRow:
    d, name = one.dispatch, label(one.dispatch.channel)
    step: StepName

    async def look_again(at: datetime) -> None:
        await tx.execute(_DUE, d.event_id, d.person.id, at)

    match one.outcome:
        case Sent() as sent:
            step, reason = "sent", f"{name} handed over to {d.provider}"
            if sent.provider_id and sent.reports:
                # Before the attempt is touched: reports lock in this order too.
                await expect_report(
                    tx, d.provider, sent.provider_id, d.address_hash, now, attempt_id=d.attempt_id
                )
            cost = sent.cost
            await tx.execute(
                _SENT,
                d.attempt_id,
                now,
                sent.provider_id,
                sent.parts,
                cost.amount if cost else None,
                cost.currency if cost else None,
            )
            await look_again(now + d.wait)
        case Retry(after, why):
            step, reason = "retry", f"{why[:_REASON_LIMIT]}; again in {after:.0f} s"
            retry_at = now + timedelta(seconds=after)
            await tx.execute(_RETRY, d.attempt_id, why[:_REASON_LIMIT], now, retry_at)
            await look_again(now)
        case Dead(why, retire):
            step = "failed"
            reason = why[:_REASON_LIMIT] + ("; the address is retired" if retire else "")
            await tx.execute(_DEAD, d.attempt_id, why[:_REASON_LIMIT], now)
            await look_again(now)
        case None:
            step = "in_doubt"
            reason = f"{one.doubt[:_REASON_LIMIT]}; waiting {IN_DOUBT.seconds} s for a report"
        case _ as never:
            assert_never(never)
    return step_row(
        d.event_id,
        d.person.id,
        now,
        step,
        reason,
        channel=d.channel,
        attempt_id=d.attempt_id,
    )
