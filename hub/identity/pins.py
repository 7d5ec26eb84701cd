"""PINs, for people who sign in from a feature phone.

A PIN has so few digits that only counting protects it. A try is counted and committed before the
slow hash (argon2id, off the event loop) is looked at, so parallel guesses gain nothing and a crash
forgives none. After 5 wrong ones the PIN locks for a minute, and each further one doubles that, up
to a day; a right one clears the count. A person without a PIN behaves like one with another PIN.

What is hashed is not the PIN but an HMAC of it and its person, under a key that the database does
not hold: a stolen table alone cannot be guessed through.
"""

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hub.clock import Clock
from hub.database import Connection, Database
from hub.events import append
from hub.identity.errors import PinLocked, PinMalformed, PinTooEasy, PinWrong
from hub.identity.events import PinChanged
from hub.ids import PersonId
from hub.sealing import Keyring

__all__ = ["FREE_TRIES", "check_pin", "has_pin", "lock_after", "set_pin", "verify_pin"]

FREE_TRIES = 5
_FIRST_LOCK = timedelta(minutes=1)
_LONGEST_LOCK = timedelta(days=1)

# OWASP Password Storage Cheat Sheet, argon2id: 19 MiB, two passes, one lane.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_NOBODYS = _hasher.hash("no PIN has letters")

_COUNT_TRY = """
INSERT INTO pins AS p (person_id, failures) SELECT id, 1 FROM people
WHERE id = $1 AND state = 'active'
ON CONFLICT (person_id) DO UPDATE SET failures = p.failures + 1
WHERE p.locked_until IS NULL OR p.locked_until <= $2
RETURNING failures, hash
"""
_STORE = """
INSERT INTO pins (person_id, hash, failures, set_at) VALUES ($1, $2, 0, $3)
ON CONFLICT (person_id) DO UPDATE
SET hash = excluded.hash, failures = 0, locked_until = NULL, set_at = excluded.set_at
"""


def check_pin(pin: str) -> str:
    """Itself: 4 to 6 ASCII digits, neither one digit repeated nor a run up or down.

    Raises ``PinMalformed`` or ``PinTooEasy``.
    """
    if not (4 <= len(pin) <= 6 and pin.isascii() and pin.isdigit()):
        raise PinMalformed("A PIN has 4 to 6 digits.")
    steps = {int(after) - int(before) for before, after in pairwise(pin)}
    if steps in ({0}, {1}, {-1}):
        raise PinTooEasy("This PIN is too easy to guess: no repeated digit, no run like 1234.")
    return pin


def lock_after(failures: int) -> timedelta | None:
    """How long the PIN locks after this many wrong ones in a row; None while tries are left."""
    if failures < FREE_TRIES:
        return None
    doublings: int = min(failures - FREE_TRIES, 20)
    return min(_FIRST_LOCK * (1 << doublings), _LONGEST_LOCK)


async def has_pin(connection: Connection, person_id: PersonId) -> bool:
    """Whether the person ever set a PIN."""
    found = await connection.fetchval(
        "SELECT true FROM pins WHERE person_id = $1 AND hash IS NOT NULL", person_id
    )
    return bool(found)


async def set_pin(
    tx: Connection, keyring: Keyring, clock: Clock, person_id: PersonId, pin: str
) -> None:
    """Sets or replaces the PIN and unlocks it. Raises ``PinMalformed`` or ``PinTooEasy``.

    The caller has made sure that it is really this person (a fresh sign-in).
    """
    peppered = _pepper(keyring, person_id, check_pin(pin))
    hashed = await asyncio.to_thread(_hasher.hash, peppered)
    now = clock.now()
    await tx.execute(_STORE, person_id, hashed, now)
    await append(
        tx, PinChanged(person_id=person_id), at=now, actor=f"person:{person_id}", to=[person_id]
    )


async def verify_pin(
    database: Database, keyring: Keyring, clock: Clock, person_id: PersonId, pin: str
) -> None:
    """Returns if the PIN fits. Raises ``PinWrong(attempts_left)`` or ``PinLocked(retry_after)``."""
    now = clock.now()

    async def count(tx: Connection) -> tuple[int, str | None]:
        row = await tx.fetchrow(_COUNT_TRY, person_id, now)
        if row is None:
            until = await tx.fetchval(
                "SELECT locked_until FROM pins WHERE person_id = $1", person_id
            )
            if until is None:  # nobody (active) has this id: as wrong as a first wrong PIN
                return 1, None
            raise _locked(until, now)
        wait = lock_after(row["failures"])
        if wait is not None:
            await tx.execute(
                "UPDATE pins SET locked_until = $2 WHERE person_id = $1", person_id, now + wait
            )
        return row["failures"], row["hash"]

    failures, hashed = await database.transaction(count)
    if await asyncio.to_thread(_fits, hashed, _pepper(keyring, person_id, pin)):
        async with database.connection() as connection:
            await connection.execute(
                "UPDATE pins SET failures = 0, locked_until = NULL"
                " WHERE person_id = $1 AND hash = $2",
                person_id,
                hashed,
            )
        return
    wait = lock_after(failures)
    if wait is not None:
        raise _locked(now + wait, now)
    raise PinWrong(attempts_left=FREE_TRIES - failures)


def _pepper(keyring: Keyring, person_id: PersonId, pin: str) -> str:
    return keyring.index(f"{person_id}:{pin}", "pin").hex()


def _fits(hashed: str | None, peppered: str) -> bool:
    """Compares in the same time whether or not there is a PIN to compare with."""
    try:
        _hasher.verify(hashed or _NOBODYS, peppered)
    except (VerificationError, InvalidHashError):
        return False
    return hashed is not None


def _locked(until: datetime, now: datetime) -> PinLocked:
    return PinLocked(retry_after=max(1, ceil((until - now).total_seconds())))
