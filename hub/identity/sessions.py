"""Sessions: one sign-in on one device, kept alive by refresh tokens that are used once.

Each refresh hands out a new token and uses up the old one; all tokens of a session are one family.
A used token that comes again means that two hold a copy, so the whole session ends (RFC 9700,
section 4.14.2). One case is told apart: within 10 seconds, while its successor is unused, the
token is taken for the retry of an answer that a bad network lost (or a second tab), and the
successor that never arrived is used up in its place; it stays a trap like any used token. Only
SHA-256 of tokens is stored.
"""

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from hub.clock import Clock
from hub.database import Connection, Database
from hub.events import append
from hub.identity.devices import retire_device
from hub.identity.errors import RefreshRefused, SignInTooOld
from hub.identity.events import SessionRevoked
from hub.identity.model import Device, Person, Platform, Principal
from hub.identity.people import get_person
from hub.ids import DeviceId, PersonId, new_id

__all__ = [
    "REFRESH_DAYS",
    "RETRY_SECONDS",
    "Session",
    "end_session",
    "refresh_session",
    "require_session",
    "start_session",
    "sweep_sign_ins",
]

REFRESH_DAYS = 30
RETRY_SECONDS = 10

_Ended: TypeAlias = Literal["unknown", "reused"]

_INSERT = "INSERT INTO sessions (id, person_id, device_id, started_at) VALUES ($1, $2, $3, $4)"
_INSERT_REFRESH = """
INSERT INTO refresh_tokens (token_hash, session_id, issued_at, expires_at) VALUES ($1, $2, $3, $4)
"""
_LOCK = """
SELECT s.id, s.person_id, s.device_id, d.platform FROM sessions s
JOIN devices d ON d.id = s.device_id JOIN people p ON p.id = s.person_id
WHERE s.id = (SELECT session_id FROM refresh_tokens WHERE token_hash = $1)
AND s.revoked_at IS NULL AND p.state = 'active' FOR UPDATE OF s
"""
_STATE = """
SELECT t.used_at, t.expires_at, t.replaced_by, n.used_at AS successor_used_at
FROM refresh_tokens t LEFT JOIN refresh_tokens n ON n.token_hash = t.replaced_by
WHERE t.token_hash = $1
"""
_USE = "UPDATE refresh_tokens SET used_at = $2, replaced_by = $3 WHERE token_hash = $1"
_REVOKE = """
UPDATE sessions SET revoked_at = $2, revoked_reason = $3
WHERE id = $1 AND revoked_at IS NULL RETURNING device_id
"""


class Session(msgspec.Struct, frozen=True):
    """A live session as it is handed to its device; ``refresh_token`` is shown only once."""

    person: Person
    principal: Principal
    platform: Platform
    refresh_token: str

    def __repr__(self) -> str:
        return f"Session({self.principal.session_id})"


async def start_session(tx: Connection, clock: Clock, person: Person, device: Device) -> Session:
    """A new session of ``person`` on ``device``."""
    session_id = new_id(clock.now())
    await tx.execute(_INSERT, session_id, person.id, device.id, clock.now())
    token, _ = await _issue(tx, session_id, clock.now())
    return _session(person, session_id, device.id, device.platform, token)


async def refresh_session(database: Database, clock: Clock, token: str) -> Session:
    """The session with its next refresh token. Raises ``RefreshRefused``."""
    now, hashed = clock.now(), _hash(token)

    async def work(tx: Connection) -> Session | _Ended:
        # The session's row serialises its family; the token is read only after that lock is had.
        row = await tx.fetchrow(_LOCK, hashed)
        if row is None:
            return "unknown"
        known = await tx.fetchrow(_STATE, hashed)
        if known is None or known["expires_at"] <= now:
            return "unknown"
        if known["used_at"] is not None:
            retried = now - known["used_at"] <= timedelta(seconds=RETRY_SECONDS)
            if not retried or known["successor_used_at"] is not None:
                await _revoke_reused(tx, row["id"], row["person_id"], now)
                return "reused"
        successor, successor_hash = await _issue(tx, row["id"], now)
        if known["used_at"] is not None:
            await tx.execute(_USE, known["replaced_by"], now, successor_hash)
        await tx.execute(_USE, hashed, known["used_at"] or now, successor_hash)
        person = await get_person(tx, row["person_id"])
        return _session(person, row["id"], row["device_id"], row["platform"], successor)

    outcome = await database.transaction(work)  # a revocation is committed, then refused
    if isinstance(outcome, str):
        raise RefreshRefused("The session has ended. Sign in again.")
    return outcome


async def end_session(tx: Connection, clock: Clock, session_id: UUID) -> None:
    """Signs out: the family of refresh tokens is dead and the device gets nothing any more."""
    device_id = await tx.fetchval(_REVOKE, session_id, clock.now(), "signed_out")
    if device_id is not None:
        await retire_device(tx, device_id, clock.now())


async def require_session(
    connection: Connection, clock: Clock, principal: Principal, *, within: timedelta | None = None
) -> None:
    """Asks the database whether the session still lives and, with ``within``, is so young.

    For what an access token alone may not do. Raises ``RefreshRefused`` or ``SignInTooOld``.
    """
    started_at = await connection.fetchval(
        "SELECT started_at FROM sessions WHERE id = $1 AND person_id = $2 AND revoked_at IS NULL",
        principal.session_id,
        principal.person_id,
    )
    if started_at is None:
        raise RefreshRefused("The session has ended. Sign in again.")
    if within is not None and clock.now() - started_at > within:
        raise SignInTooOld("This needs a fresh sign-in.", minutes=within.seconds // 60)


async def sweep_sign_ins(tx: Connection, now: datetime) -> int:
    """Deletes challenges and refresh tokens a day past their end; for housekeeping."""
    gone = now - timedelta(days=1)
    challenges = await tx.execute("DELETE FROM sign_in_challenges WHERE expires_at < $1", gone)
    tokens = await tx.execute("DELETE FROM refresh_tokens WHERE expires_at < $1", gone)
    return sum(int(done.split()[1]) for done in (challenges, tokens))


async def _revoke_reused(
    tx: Connection, session_id: UUID, person_id: PersonId, now: datetime
) -> None:
    device_id = DeviceId(await tx.fetchval(_REVOKE, session_id, now, "token_reused"))
    await retire_device(tx, device_id, now)
    await append(
        tx,
        SessionRevoked(person_id=person_id, device_id=device_id),
        at=now,
        actor="system",
        to=[person_id],
    )


async def _issue(tx: Connection, session_id: UUID, now: datetime) -> tuple[str, bytes]:
    token = secrets.token_urlsafe(32)
    hashed = _hash(token)
    await tx.execute(_INSERT_REFRESH, hashed, session_id, now, now + timedelta(days=REFRESH_DAYS))
    return token, hashed


def _session(
    person: Person, session_id: UUID, device_id: DeviceId, platform: Platform, token: str
) -> Session:
    principal = Principal(person.id, person.roles, device_id, session_id)
    return Session(person, principal, platform, token)


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
