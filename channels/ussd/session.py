"""Sessions between turns: one turn at a time, one answer for each hop.

A turn claims its session with a lease; a second POST of the session waits for it, and a POST that
was answered before gets the stored answer, whichever process it reaches. State and answers are
sealed with a key of the session's own. The path itself is never stored: the replay key is an HMAC
of it, and of its segments only the count.
"""

from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

import msgspec

from channels.ussd.facts import (
    Saved,
)
from channels.ussd.model import (
    State,
)
from hub.clock import Clock
from hub.database import Database
from hub.ids import PersonId, new_id
from hub.phone import Phone
from hub.sealing import Keyring, SealBroken, SealingKey

__all__ = ["Answer", "Busy", "Claim", "Sessions"]

RESUME_FOR = timedelta(minutes=10)
"""How long after its last turn a dropped session may be taken up again."""

_LIFE = timedelta(minutes=10)
_LEASE = timedelta(seconds=20)

_CLAIM = """
INSERT INTO ussd_sessions AS s
    (session_id, phone_index, wrapped_key, lease, lease_until, started_at, updated_at)
VALUES ($1, $2, $3, $4, now() + $5, $6, $6)
ON CONFLICT (session_id) DO UPDATE SET lease = excluded.lease, lease_until = excluded.lease_until
WHERE s.lease IS NULL OR s.lease_until < now()
RETURNING phone_index, wrapped_key, state, segments, ended, started_at
"""
_ANSWER = """
SELECT s.wrapped_key, s.phone_index, a.answer
FROM ussd_answers a JOIN ussd_sessions s USING (session_id)
WHERE a.session_id = $1 AND a.replay_key = $2
"""
_FINISH = """
WITH kept AS (
    UPDATE ussd_sessions
    SET person_id = $3, state = $4, segments = $5, signed_in = $6, resumable = $7, ended = $8,
        started_at = $9, updated_at = $10, lease = NULL, lease_until = NULL
    WHERE session_id = $1 AND lease = $2
    RETURNING session_id)
INSERT INTO ussd_answers (session_id, replay_key, answer, answered_at)
SELECT session_id, $11, $12, $10 FROM kept
ON CONFLICT (session_id, replay_key) DO UPDATE SET answer = ussd_answers.answer
RETURNING answer
"""
_RELEASE = """
UPDATE ussd_sessions SET lease = NULL, lease_until = NULL WHERE session_id = $1 AND lease = $2
"""
_LATEST = """
SELECT session_id, wrapped_key, state, resumable, updated_at FROM ussd_sessions
WHERE person_id = $1 AND signed_in AND session_id <> $2
ORDER BY updated_at DESC LIMIT 1
"""


class Answer(msgspec.Struct, frozen=True):
    """What a hop was answered: ``more`` tells CON from END."""

    text: str
    more: bool


class Claim(msgspec.Struct, frozen=True):
    """This turn has the session. ``state`` is None before its first answer.

    ``foreign`` tells that the session belongs to another number, ``ended`` that it is over.
    """

    session_id: str
    lease: UUID
    key: SealingKey
    replay_key: bytes
    state: State | None
    segments: int
    foreign: bool
    ended: bool
    started_at: datetime


class Busy(msgspec.Struct, frozen=True):
    """Another turn of the session is under way."""


Claimed: TypeAlias = Claim | Answer | Busy


class Sessions:
    """The store."""

    def __init__(self, database: Database, keyring: Keyring, clock: Clock) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock

    def phone_index(self, phone: Phone) -> bytes:
        """What stands for a number in tables and rate limits."""
        return self._keyring.index(phone, "ussd-phone")

    async def claim(self, session_id: str, phone: Phone, path: str) -> Claimed:
        """Begins a turn, or gives the answer that this very hop had before."""
        now = self._clock.now()
        lease = new_id(now)
        replay_key = self._keyring.index(f"{session_id}\0{path}", "ussd-replay")
        phone_index = self.phone_index(phone)
        _, wrapped = self._keyring.new_key(_subject(session_id))
        async with self._database.connection() as connection:
            row = await connection.fetchrow(
                _CLAIM, session_id, phone_index, wrapped, lease, _LEASE, now
            )
            # Read after the claim, in a statement of its own: an answer that the turn before
            # committed while this one waited for the row is seen only now.
            answered = await connection.fetchrow(_ANSWER, session_id, replay_key)
            if answered is not None and answered["phone_index"] == phone_index:
                if row is not None:
                    await connection.execute(_RELEASE, session_id, lease)
                return self._open_answer(session_id, answered["wrapped_key"], answered["answer"])
        if row is None:
            return Busy()
        key = self._keyring.unwrap(row["wrapped_key"], _subject(session_id))
        stale = now - row["started_at"] > _LIFE
        state = None if stale else self._open_state(key, session_id, row["state"])
        return Claim(
            session_id=session_id,
            lease=lease,
            key=key,
            replay_key=replay_key,
            state=state,
            segments=row["segments"] if state is not None else 0,
            foreign=row["phone_index"] != phone_index,
            ended=row["ended"] and not stale,
            started_at=now if state is None else row["started_at"],
        )

    async def finish(
        self, claim: Claim, state: State, segments: int, answer: Answer, *, resumable: bool
    ) -> Answer:
        """Ends the turn and keeps its answer; gives the one that stands for this hop.

        Where the lease ran out and another turn took over, nothing is written.
        """
        now = self._clock.now()
        sealed_state = claim.key.seal(_to_text(state), _place(claim.session_id, "state"))
        sealed_answer = claim.key.seal(_to_text(answer), _place(claim.session_id, "answer"))
        async with self._database.connection() as connection:
            kept = await connection.fetchval(
                _FINISH,
                claim.session_id,
                claim.lease,
                UUID(state.person),
                sealed_state,
                segments,
                state.signed_in,
                resumable,
                not answer.more,
                claim.started_at,
                now,
                claim.replay_key,
                sealed_answer,
            )
        if kept is None or kept == sealed_answer:
            return answer
        return msgspec.json.decode(
            claim.key.open(kept, _place(claim.session_id, "answer")), type=Answer
        )

    async def release(self, claim: Claim) -> None:
        """Ends the turn as if it had not been; the same hop may come again."""
        async with self._database.connection() as connection:
            await connection.execute(_RELEASE, claim.session_id, claim.lease)

    async def saved_place(self, person: PersonId, session_id: str) -> Saved | None:
        """Where the person's last other session stopped, if that is worth going on from."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_LATEST, person, session_id)
        if row is None or not row["resumable"]:
            return None
        if self._clock.now() - row["updated_at"] > RESUME_FOR:
            return None
        key = self._keyring.unwrap(row["wrapped_key"], _subject(row["session_id"]))
        state = self._open_state(key, row["session_id"], row["state"])
        if state is None:
            return None
        return state.saved if state.here.screen == "resume" else Saved(state.here, state.trail)

    async def forget(self, older_than: timedelta) -> int:
        """Deletes sessions whose last turn is longer ago; returns how many."""
        async with self._database.connection() as connection:
            gone = await connection.fetch(
                "DELETE FROM ussd_sessions WHERE updated_at < $1 RETURNING 1",
                self._clock.now() - older_than,
            )
        return len(gone)

    def _open_answer(self, session_id: str, wrapped: bytes, sealed: bytes) -> Answer:
        key = self._keyring.unwrap(wrapped, _subject(session_id))
        return msgspec.json.decode(key.open(sealed, _place(session_id, "answer")), type=Answer)

    def _open_state(self, key: SealingKey, session_id: str, sealed: bytes | None) -> State | None:
        """The state; None for one written by a version that this one does not understand."""
        if sealed is None:
            return None
        try:
            return msgspec.json.decode(key.open(sealed, _place(session_id, "state")), type=State)
        except (msgspec.MsgspecError, SealBroken):
            return None


def _to_text(value: State | Answer) -> str:
    return msgspec.json.encode(value).decode()


def _subject(session_id: str) -> str:
    return f"ussd:{session_id}"


def _place(session_id: str, column: str) -> str:
    return f"ussd/{session_id}/{column}"
