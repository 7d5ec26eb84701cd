"""Takes due escalations, decides, and writes the attempts before anything is sent.

All in one short transaction over rows taken with SKIP LOCKED, so any number of workers may run.
A row that is being sent is due again only when its send is in doubt; whoever finds it then first
looks for a delivery report that belongs to nobody, and else calls the attempt ``unknown``.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg
import msgspec

from hub.database import Connection
from hub.identity import Person
from hub.ids import EventId, PersonId
from hub.notifications.deciding import MINUTE, AddressBook, Deciding, Dispatch, Open
from hub.notifications.escalation import IN_DOUBT
from hub.notifications.model import Address
from hub.notifications.preferences import switched_off
from hub.notifications.reports import adopt_report
from hub.notifications.steps import StepRow, record, step_row

__all__ = ["Claim", "claim_due"]

_DUE = """
SELECT event_id, person_id, kind, stream, "offset", urgency, channels, stop_at, wait_ms, starts_at,
       expires_at, position, acknowledged, last_step
FROM escalations WHERE state = 'pending' AND due_at <= $1
ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""

_ATTEMPTS = """
SELECT a.* FROM delivery_attempts a
JOIN unnest($1::uuid[], $2::uuid[]) AS k (event_id, person_id) USING (event_id, person_id)
ORDER BY a.event_id, a.person_id, a.try
"""

_UNKNOWN = "UPDATE delivery_attempts SET state = 'unknown', ended_at = $2 WHERE id = $1"

_RATE = """
SELECT country, count(*) AS sent FROM delivery_attempts
WHERE channel = 'sms' AND started_at > $1 GROUP BY country
"""

_DATA = """
SELECT e.event_id, e.stream, e.data FROM stream_entries e
JOIN unnest($1::text[], $2::bigint[]) AS k (stream, "offset")
  ON e.stream = k.stream AND e."offset" = k."offset"
"""


class Claim(msgspec.Struct, frozen=True):
    """``rows`` is how many escalations were looked at; ``dispatches`` what has to be sent."""

    rows: int
    dispatches: list[Dispatch]


async def claim_due(
    tx: Connection, book: AddressBook, *, now: datetime, limit: int, sms_per_minute: int
) -> Claim:
    """Decides on up to ``limit`` due escalations within ``tx``.

    ``sms_per_minute`` caps SMS for each country; critical ones may go to twice of it. With several
    workers it may be passed by what they claim in the same moment.
    """
    rows = await tx.fetch(_DUE, now, limit)
    if not rows:
        return Claim(0, [])
    opened = await _open(tx, book, rows, now)
    off = await switched_off(tx, {row["person_id"] for row in rows})
    sent: Counter[str] = Counter()
    if any("sms" in row["channels"] for row in rows):
        for rate in await tx.fetch(_RATE, now - MINUTE):
            sent[rate["country"]] = rate["sent"]
    deciding = Deciding(book, now, sms_per_minute, sent)
    for one in opened:
        deciding.decide(one, off.get(one.row["person_id"], frozenset()))
    await deciding.write(tx)
    return Claim(len(rows), await _with_data(tx, deciding.dispatches, rows))


async def _open(
    tx: Connection, book: AddressBook, rows: Sequence[asyncpg.Record], now: datetime
) -> list[Open]:
    """Everything a decision needs to know about each row."""
    await _settle_doubts(tx, rows, now)
    attempts = await _attempts(tx, rows)
    people: dict[PersonId, Person | None] = {}
    known: dict[tuple[PersonId, str], dict[bytes, Address]] = {}
    opened = []
    for row in rows:
        person_id = row["person_id"]
        if person_id not in people:
            people[person_id] = await book.person(tx, person_id)
        person = people[person_id]
        for channel in row["channels"][row["position"] :] if person else ():
            if (person_id, channel) not in known and book.provider(channel) and person:
                found = await book.addresses(tx, person, channel)
                known[person_id, channel] = {book.hash(address): address for address in found}
        addresses = {
            channel: known[person_id, channel]
            for channel in row["channels"]
            if (person_id, channel) in known
        }
        opened.append(Open(row, person, attempts[row["event_id"], person_id], addresses))
    return opened


async def _attempts(
    tx: Connection, rows: Sequence[asyncpg.Record]
) -> Mapping[tuple[EventId, PersonId], list[asyncpg.Record]]:
    found: dict[tuple[EventId, PersonId], list[asyncpg.Record]] = defaultdict(list)
    for attempt in await tx.fetch(
        _ATTEMPTS, [row["event_id"] for row in rows], [row["person_id"] for row in rows]
    ):
        found[attempt["event_id"], attempt["person_id"]].append(attempt)
    return found


async def _settle_doubts(tx: Connection, rows: Sequence[asyncpg.Record], now: datetime) -> None:
    """Sends whose outcome nobody recorded: a report tells, or they are unknown from here on."""
    steps: list[StepRow] = []
    for attempts in (await _attempts(tx, rows)).values():
        for attempt in attempts:
            in_doubt = attempt["state"] == "sending" and attempt["started_at"] <= now - IN_DOUBT
            if not in_doubt and attempt["state"] != "retry":
                continue
            if await adopt_report(
                tx,
                attempt["id"],
                attempt["provider"],
                attempt["address_hash"],
                attempt["started_at"],
                now,
            ):
                continue
            if in_doubt:
                await tx.execute(_UNKNOWN, attempt["id"], now)
                reason = "no outcome and no report within 120 s: it may have arrived or not"
                steps.append(
                    step_row(
                        attempt["event_id"],
                        attempt["person_id"],
                        now,
                        "unknown",
                        reason,
                        channel=attempt["channel"],
                        attempt_id=attempt["id"],
                    )
                )
    await record(tx, steps)


async def _with_data(
    tx: Connection, dispatches: list[Dispatch], rows: Sequence[asyncpg.Record]
) -> list[Dispatch]:
    """The dispatches with their events' JSON, read from the recipients' own streams."""
    if not dispatches:
        return []
    wanted = {d.event_id for d in dispatches}
    places = [(row["stream"], row["offset"]) for row in rows if row["event_id"] in wanted]
    found = {
        row["event_id"]: row["data"]
        for row in await tx.fetch(_DATA, [p[0] for p in places], [p[1] for p in places])
    }
    return [msgspec.structs.replace(d, data=found.get(d.event_id, b"{}")) for d in dispatches]
