"""Signing in: a one-time code sent to the phone, exchanged for a session.

A code has six digits, lives 10 minutes, works once and bears five tries; only an HMAC of it is
stored. Asking for a code tells nobody who is a member: an unknown number gets a challenge too,
which takes the same work and fails like any other, and codes are sent after the answer has left.
Besides the rate limits (``routes``) a person gets at most five codes in ten minutes and twenty in a
day, counted in the database, so that the bound holds while Redis is down. A day's hundred tries at
six digits is what guessing has against one person (NIST SP 800-63B, section 5.2.2, asks for that).
"""

import os
import secrets
from datetime import timedelta
from hmac import compare_digest
from typing import Protocol
from uuid import UUID

import msgspec

from hub.clock import Clock
from hub.database import Connection, Database
from hub.events import append
from hub.identity.devices import check_device_name, register_device
from hub.identity.errors import SignInRefused
from hub.identity.events import SignedIn
from hub.identity.model import Language, Platform
from hub.identity.people import get_person, phone_index
from hub.identity.sessions import Session, start_session
from hub.ids import PersonId, new_id
from hub.phone import Phone
from hub.sealing import Keyring

__all__ = ["CODE_MINUTES", "CODE_TRIES", "Challenge", "CodeSender", "open_challenge", "redeem"]

CODE_MINUTES = 10
CODE_TRIES = 5
_CODES_PER_PERSON = 5  # in CODE_MINUTES
_CODES_A_DAY = 20

_MEMBER = "SELECT id, language FROM people WHERE phone_index = $1 AND state = 'active'"
_RECENT = """
SELECT count(*) FILTER (WHERE created_at > $2) AS lately, count(*) AS today
FROM sign_in_challenges WHERE person_id = $1 AND created_at > $3
"""
_INSERT = """
INSERT INTO sign_in_challenges (id, person_id, code_hash, attempts_left, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_TRY = """
UPDATE sign_in_challenges SET attempts_left = attempts_left - 1
WHERE id = $1 AND used_at IS NULL AND expires_at > $2 AND attempts_left > 0
RETURNING person_id, code_hash, attempts_left
"""
_USE = "UPDATE sign_in_challenges SET used_at = $2 WHERE id = $1"
_ACTIVE = "SELECT state = 'active' FROM people WHERE id = $1"


class CodeSender(Protocol):
    """Carries a code to a phone, worded in the person's language."""

    async def send_code(self, phone: Phone, code: str, language: str) -> None: ...


class Challenge(msgspec.Struct, frozen=True):
    """A challenge and the code to be sent for it; ``code`` is None where nothing is sent."""

    id: UUID
    expires_in: int
    code: str | None
    language: Language

    def __repr__(self) -> str:
        return f"Challenge({self.id})"


async def open_challenge(
    database: Database, keyring: Keyring, clock: Clock, phone: Phone
) -> Challenge:
    """A challenge for whoever has this number; the caller sends the code, if there is one."""
    now = clock.now()
    challenge_id = new_id(now)
    code = f"{secrets.randbelow(10**6):06d}"
    hashed = _hash(keyring, challenge_id, code)

    async def work(tx: Connection) -> tuple[PersonId | None, Language]:
        row = await tx.fetchrow(_MEMBER, phone_index(keyring, phone))
        person_id = row["id"] if row else None
        lately, today = await tx.fetchrow(
            _RECENT, person_id, now - timedelta(minutes=CODE_MINUTES), now - timedelta(days=1)
        ) or (0, 0)
        if lately >= _CODES_PER_PERSON or today >= _CODES_A_DAY:
            person_id = None
        await tx.execute(
            _INSERT,
            challenge_id,
            person_id,
            hashed if person_id else os.urandom(32),
            CODE_TRIES,
            now,
            now + timedelta(minutes=CODE_MINUTES),
        )
        return person_id, row["language"] if row else "en"

    person_id, language = await database.transaction(work)
    return Challenge(challenge_id, CODE_MINUTES * 60, code if person_id else None, language)


async def redeem(
    database: Database,
    keyring: Keyring,
    clock: Clock,
    *,
    challenge_id: UUID,
    code: str,
    platform: Platform,
    device_name: str,
) -> Session:
    """A session for the code. Raises ``SignInRefused(attempts_left)``, the same for every cause."""
    name = check_device_name(device_name)
    now = clock.now()

    async def work(tx: Connection) -> Session | int:
        row = await tx.fetchrow(_TRY, challenge_id, now)
        if row is None:
            return 0
        fits = compare_digest(row["code_hash"], _hash(keyring, challenge_id, code))
        person_id = row["person_id"]
        if not fits or person_id is None or not await tx.fetchval(_ACTIVE, person_id):
            return int(row["attempts_left"])
        await tx.execute(_USE, challenge_id, now)
        person = await get_person(tx, person_id)
        device = await register_device(tx, clock, person.id, platform=platform, name=name)
        session = await start_session(tx, clock, person, device)
        await append(
            tx,
            SignedIn(person_id=person.id, device_id=device.id, platform=platform),
            at=now,
            actor=session.principal.actor,
            to=[person.id],
        )
        return session

    outcome = await database.transaction(work)  # a wrong try is committed, then refused
    if isinstance(outcome, int):
        raise SignInRefused("The code is wrong, used or expired.", attempts_left=outcome)
    return outcome


def _hash(keyring: Keyring, challenge_id: UUID, code: str) -> bytes:
    return keyring.index(f"{challenge_id}:{code}", "sign-in-code")
