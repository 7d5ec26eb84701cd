"""Turns decisions into what a claim writes: attempts, steps of the timeline, where a row goes on.

A batch of escalations is decided one by one and written in few statements.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import asyncpg
import msgspec

from hub.database import Connection
from hub.identity import Person
from hub.ids import EventId, PersonId, new_id
from hub.notifications.escalation import (
    IN_DOUBT,
    Attempt,
    MoveOn,
    Send,
    Situation,
    Skip,
    Stop,
    Wait,
    next_step,
)
from hub.notifications.model import Address, Urgency
from hub.notifications.steps import StepName, StepRow, record, step_row

__all__ = ["MINUTE", "AddressBook", "Deciding", "Dispatch", "Open"]

_SUPERSEDE = """
UPDATE delivery_attempts SET state = 'failed', retry_at = NULL
WHERE event_id = $1 AND person_id = $2 AND channel = $3 AND address_hash = $4 AND state = 'retry'
"""

_ATTEMPT = """
INSERT INTO delivery_attempts (id, event_id, person_id, channel, address_hash, provider, try,
                               country, state, started_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'sending', $9)
"""

_ON = """
UPDATE escalations SET position = $3, due_at = $4, last_step = $5
WHERE event_id = $1 AND person_id = $2
"""

_END = """
UPDATE escalations SET position = $3, last_step = $4, state = $5, reached_how = $6, ended_at = $7
WHERE event_id = $1 AND person_id = $2
"""

MINUTE = timedelta(minutes=1)


class AddressBook(Protocol):
    """What claiming asks of the world of channels."""

    async def person(self, c: Connection, person_id: PersonId) -> Person | None:
        """The person; None once erased."""

    async def addresses(self, c: Connection, person: Person, channel: str) -> Sequence[Address]:
        """Where ``channel`` reaches the person."""

    def provider(self, channel: str) -> str | None:
        """Who carries ``channel``; None where the hub does not have it."""

    def hash(self, address: Address) -> bytes:
        """The address's blind index."""

    def quiet_until(self, person: Person, now: datetime) -> datetime | None:
        """When the quiet hours that the person is in end; None outside of them."""


class Dispatch(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that is written and now has to be sent."""

    attempt_id: UUID
    event_id: EventId
    person: Person
    kind: str
    data: bytes
    channel: str
    provider: str
    address: Address
    address_hash: bytes
    number: int
    urgency: Urgency
    wait: timedelta
    expires_at: datetime


class Open(msgspec.Struct):
    """One escalation under decision, with what it adds to the transaction."""

    row: asyncpg.Record
    person: Person | None
    attempts: list[asyncpg.Record]
    addresses: dict[str, dict[bytes, Address]]


class Deciding:
    """Collects what the decisions on a batch write, to write it in few statements."""

    def __init__(
        self, book: AddressBook, now: datetime, sms_per_minute: int, sent: Counter[str]
    ) -> None:
        self._book = book
        self._now = now
        self._cap = sms_per_minute
        self._sent = sent
        self._steps: list[StepRow] = []
        self._superseded: list[tuple[object, ...]] = []
        self._attempts: list[tuple[object, ...]] = []
        self._moved: list[tuple[object, ...]] = []
        self._ended: list[tuple[object, ...]] = []
        self.dispatches: list[Dispatch] = []

    def decide(self, one: Open, off: frozenset[str]) -> None:
        """Asks ``next_step`` until it sends, waits or stops."""
        row, position = one.row, one.row["position"]
        while True:
            step = next_step(self._situation(one, position, off))
            match step:
                case Skip() | MoveOn():
                    self._note(
                        row,
                        "skipped" if isinstance(step, Skip) else "moved_on",
                        step.reason,
                        step.channel,
                    )
                    position += 1
                case Stop():
                    self._note(row, step.outcome, step.reason, step.how)
                    self._ended.append(
                        (
                            row["event_id"], row["person_id"], position, step.reason,
                            step.outcome, step.how, self._now,
                        )
                    )  # fmt: skip
                    return
                case Wait():
                    if step.notable and row["last_step"] != step.reason:
                        self._note(row, "waiting", step.reason, None)
                    self._move(row, position, step.until, step.reason)
                    return
                case Send():
                    self._send(one, step)
                    self._move(row, position, self._now + IN_DOUBT, step.reason)
                    return

    def _situation(self, one: Open, position: int, off: frozenset[str]) -> Situation:
        row, person = one.row, one.person
        capped: dict[str, datetime] = {}
        if person:
            cap = self._cap * 2 if row["urgency"] == "critical" else self._cap
            if self._sent[person.country] >= cap:
                capped["sms"] = self._now + MINUTE
        return Situation(
            now=self._now,
            urgency=row["urgency"],
            stop_at=row["stop_at"],
            order=tuple(row["channels"]),
            wait=timedelta(milliseconds=row["wait_ms"]),
            starts_at=row["starts_at"],
            expires_at=row["expires_at"],
            position=position,
            acknowledged=row["acknowledged"],
            attempts=tuple(_attempt(attempt) for attempt in one.attempts),
            addresses={channel: tuple(found) for channel, found in one.addresses.items()},
            switched_off=off,
            quiet_until=self._book.quiet_until(person, self._now) if person else None,
            capped_until=capped,
        )

    def _send(self, one: Open, step: Send) -> None:
        row, person = one.row, one.person
        provider = self._book.provider(step.channel)
        assert person is not None  # nothing else has addresses
        assert provider is not None
        for target in step.targets:
            attempt_id = new_id(self._now)
            self._attempts.append(
                (
                    attempt_id, row["event_id"], row["person_id"], step.channel, target.address,
                    provider, target.number, person.country, self._now,
                )
            )  # fmt: skip
            if target.number > 1:
                self._superseded.append(
                    (row["event_id"], row["person_id"], step.channel, target.address)
                )
            self._steps.append(
                step_row(
                    row["event_id"],
                    row["person_id"],
                    self._now,
                    "sending",
                    step.reason,
                    channel=step.channel,
                    attempt_id=attempt_id,
                )
            )
            self.dispatches.append(
                Dispatch(
                    attempt_id=attempt_id,
                    event_id=row["event_id"],
                    person=person,
                    kind=row["kind"],
                    data=b"",
                    channel=step.channel,
                    provider=provider,
                    address=one.addresses[step.channel][target.address],
                    address_hash=target.address,
                    number=target.number,
                    urgency=row["urgency"],
                    wait=timedelta(milliseconds=row["wait_ms"]),
                    expires_at=row["expires_at"],
                )
            )
            if step.channel == "sms":
                self._sent[person.country] += 1

    def _note(self, row: asyncpg.Record, name: StepName, reason: str, channel: str | None) -> None:
        self._steps.append(
            step_row(row["event_id"], row["person_id"], self._now, name, reason, channel=channel)
        )

    def _move(self, row: asyncpg.Record, position: int, due: datetime, reason: str) -> None:
        self._moved.append((row["event_id"], row["person_id"], position, due, reason))

    async def write(self, tx: Connection) -> None:
        """Writes the decisions: attempts first, so that nothing is sent that is not written."""
        await tx.executemany(_SUPERSEDE, self._superseded)
        await tx.executemany(_ATTEMPT, self._attempts)
        await tx.executemany(_ON, self._moved)
        await tx.executemany(_END, self._ended)
        await record(tx, self._steps)


def _attempt(row: asyncpg.Record) -> Attempt:
    return Attempt(
        channel=row["channel"],
        address=row["address_hash"],
        number=row["try"],
        state=row["state"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        retry_at=row["retry_at"],
        reason=row["reason"],
    )
