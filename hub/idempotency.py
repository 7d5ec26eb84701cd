"""One ``Idempotency-Key`` has one outcome for ever.

The scope of a key is (principal, route, key). A key commits with its effect: business refusals are
stored under it like successes; 400, 401, 409, 429 and 5xx are not, so the caller may try again
with the same key. The same key with another body is an error, and a second request while the
first still runs is told so. (Follows the IETF draft "The Idempotency-Key HTTP Header Field".)
"""

from collections.abc import Awaitable, Callable
from hashlib import blake2b, sha256

import msgspec

from hub.clock import Clock
from hub.database import Connection, Database
from hub.errors import Conflict, Invalid, Refused
from hub.problems import problem, status_of

__all__ = [
    "Answer",
    "KeyInFlight",
    "KeyReused",
    "Scope",
    "begin",
    "finish",
    "request_hash",
    "run_once",
]


class KeyReused(Refused):
    """The key was used before with another body."""

    kind = "idempotency_key_reused"


class KeyInFlight(Conflict):
    """The first request with this key still runs."""

    kind = "idempotency_key_in_flight"


class Scope(msgspec.Struct, frozen=True):
    """``principal`` is ``person:<id>`` or a service; ``route`` the operation's stable name."""

    principal: str
    route: str
    key: str

    def check(self) -> "Scope":
        """Itself. Raises ``Invalid`` for a key that is empty, over 255 characters or not ASCII."""
        if not (0 < len(self.key) <= 255 and self.key.isascii() and self.key.isprintable()):
            raise Invalid("Idempotency-Key must be 1 to 255 printable ASCII characters.")
        return self

    def lock_key(self) -> int:
        """A 64-bit number for the advisory lock that tells a request in flight."""
        text = f"{self.principal}\0{self.route}\0{self.key}".encode()
        return int.from_bytes(blake2b(text, digest_size=8).digest(), "big", signed=True)


class Answer(msgspec.Struct, frozen=True):
    """What the first request answered: HTTP status and the body's bytes."""

    status: int
    body: bytes


def request_hash(body: object) -> bytes:
    """SHA-256 of a request's canonical JSON (keys sorted), for telling the same body again."""
    return sha256(msgspec.json.encode(body, order="sorted")).digest()


async def begin(tx: Connection, scope: Scope, hashed: bytes) -> Answer | None:
    """Claims the key within ``tx``; the stored answer if it has one already.

    Raises ``KeyReused`` or ``KeyInFlight``. The lock lasts as long as the transaction.
    """
    if not await tx.fetchval("SELECT pg_try_advisory_xact_lock($1)", scope.check().lock_key()):
        raise KeyInFlight("The first request with this Idempotency-Key is still running.")
    row = await tx.fetchrow(
        "SELECT request_hash, status, body FROM idempotency_keys"
        " WHERE principal = $1 AND route = $2 AND key = $3",
        scope.principal,
        scope.route,
        scope.key,
    )
    if row is None:
        return None
    if row["request_hash"] != hashed:
        raise KeyReused("This Idempotency-Key was used before with another body.")
    if row["status"] is None:
        return None
    return Answer(row["status"], row["body"])


async def finish(tx: Connection, scope: Scope, hashed: bytes, answer: Answer, clock: Clock) -> None:
    """Stores the answer under the key, in the transaction of its effect."""
    await tx.execute(
        "INSERT INTO idempotency_keys"
        " (principal, route, key, request_hash, status, body, recorded_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)"
        " ON CONFLICT (principal, route, key) DO UPDATE"
        " SET status = excluded.status, body = excluded.body, lease_until = NULL",
        scope.principal,
        scope.route,
        scope.key,
        hashed,
        answer.status,
        answer.body,
        clock.now(),
    )


async def run_once(
    database: Database,
    clock: Clock,
    scope: Scope,
    body: object,
    work: Callable[[Connection], Awaitable[Answer]],
) -> Answer:
    """``work`` at most once for ever under ``scope``; afterwards its stored answer.

    ``work`` runs in the transaction that stores the key, so neither can commit without the other.
    """
    hashed = request_hash(body)

    async def attempt(tx: Connection) -> Answer:
        stored = await begin(tx, scope, hashed)
        if stored is not None:
            return stored
        try:
            async with tx.transaction():  # a savepoint: a refusal leaves the key, not its traces
                answer = await work(tx)
        except Refused as refusal:
            answer = Answer(status_of(refusal), problem(refusal))
        await finish(tx, scope, hashed, answer, clock)
        return answer

    return await database.transaction(attempt)
