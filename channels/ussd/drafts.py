"""One draft, one outcome: what was confirmed on a screen happens at most once.

A draft is minted when its confirm screen is first shown and is the idempotency key
``ussd:{person}:{draft}`` of what follows. Asking for its outcome never starts anything.

Where the outcome was not there when the screen had to be answered, an SMS is promised
(``promise``); ``keep`` and ``keep_all`` turn the promise into an event once the outcome is known.
What has not even begun two minutes later is closed for ever, so that the SMS cannot turn out wrong.
"""

from datetime import timedelta
from uuid import UUID

import msgspec

from channels.ussd.events import RequestDone, RequestFailed
from channels.ussd.facts import (
    Outcome,
)
from hub.clock import Clock
from hub.database import Connection, Database
from hub.errors import Refused
from hub.events import append, poke
from hub.idempotency import Answer, KeyInFlight, Scope, begin, finish, request_hash
from hub.ids import PersonId
from hub.problems import TYPE_BASE, problem, status_of
from hub.redis_client import RedisClient

__all__ = ["Promises", "draft_hash", "draft_outcome", "draft_scope", "outcome_of"]

_GIVEN_UP_AFTER = timedelta(minutes=2)

_PROMISE = """
INSERT INTO ussd_promises (draft, person_id, subject, promised_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (draft) DO NOTHING
"""
_OPEN = """
SELECT draft, person_id, subject, promised_at FROM ussd_promises
WHERE kept_at IS NULL AND ($1::uuid IS NULL OR draft = $1)
ORDER BY promised_at LIMIT 100
"""
_KEPT = """
UPDATE ussd_promises SET kept_at = $2 WHERE draft = $1 AND kept_at IS NULL RETURNING true
"""


class NeverBegun(Refused):
    """A confirmed request was lost before it began; it will not be done."""

    kind = "ussd_request_lost"


class _Problem(msgspec.Struct):
    type: str = ""
    detail: str = ""


def draft_scope(person: PersonId, draft: str) -> Scope:
    """The idempotency scope of whatever a draft confirms."""
    return Scope(f"person:{person}", "ussd", f"ussd:{person}:{draft}")


def draft_hash(draft: str) -> bytes:
    """The request hash: a draft stands for its content, which never changes once minted."""
    return request_hash({"draft": draft})


def outcome_of(answer: Answer) -> Outcome:
    """A stored answer as the screens know it."""
    if answer.status < 300:
        return Outcome()
    try:
        told = msgspec.json.decode(answer.body, type=_Problem)
    except msgspec.DecodeError:
        told = _Problem()
    return Outcome(told.type.removeprefix(TYPE_BASE) or "refused", told.detail)


async def draft_outcome(database: Database, person: PersonId, draft: str) -> Outcome | None:
    """How it ended; None if it never began, kind ``idempotency_key_in_flight`` while it runs."""

    async def look(tx: Connection) -> Answer | None:
        return await begin(tx, draft_scope(person, draft), draft_hash(draft))

    try:
        answer = await database.transaction(look)
    except KeyInFlight as running:
        return Outcome(running.kind, running.message)
    return None if answer is None else outcome_of(answer)


class Promises:
    """SMS promised on screens."""

    def __init__(self, database: Database, redis: RedisClient, clock: Clock) -> None:
        self._database = database
        self._redis = redis
        self._clock = clock

    async def promise(self, person: PersonId, draft: str, subject: str) -> None:
        """Notes that the outcome of ``draft`` is owed by SMS."""
        async with self._database.connection() as connection:
            await connection.execute(_PROMISE, UUID(draft), person, subject, self._clock.now())

    async def keep(self, draft: str) -> bool:
        """Tells the outcome of one draft if it is known by now; whether anything was told."""
        return await self._keep_open(UUID(draft)) > 0

    async def keep_all(self) -> int:
        """Tells what became known meanwhile, and gives up what never began; for the worker."""
        return await self._keep_open(None)

    async def _keep_open(self, draft: UUID | None) -> int:
        async with self._database.connection() as connection:
            rows = await connection.fetch(_OPEN, draft)
        told = 0
        for row in rows:
            person, subject = PersonId(row["person_id"]), row["subject"]
            give_up = self._clock.now() - row["promised_at"] > _GIVEN_UP_AFTER
            told += await self._tell(str(row["draft"]), person, subject, give_up)
        if told:
            await poke(self._redis)
        return told

    async def _tell(self, draft: str, person: PersonId, subject: str, give_up: bool) -> bool:
        async def tell(tx: Connection) -> bool:
            scope, hashed = draft_scope(person, draft), draft_hash(draft)
            answer = await begin(tx, scope, hashed)
            if answer is None:
                if not give_up:
                    return False
                lost = NeverBegun("This request was lost before it began.")
                answer = Answer(status_of(lost), problem(lost))
                await finish(tx, scope, hashed, answer, self._clock)
            if not await tx.fetchval(_KEPT, UUID(draft), self._clock.now()):
                return False
            done = not outcome_of(answer).kind
            event = RequestDone(subject=subject) if done else RequestFailed(subject=subject)
            await append(tx, event, at=self._clock.now(), actor=f"person:{person}", to=[person])
            return True

        try:
            return await self._database.transaction(tell)
        except KeyInFlight:
            return False
