"""Posting: one or many at once, each with its own outcome, through one SQL function.

The function locks accounts in id order, then guard counters in key order. A refused posting
leaves no trace and uses up nothing that the next one could use.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import asyncpg
import msgspec

from hub.clock import Clock
from hub.database import Connection
from hub.ids import AccountId, PostingId
from hub.ledger import queries
from hub.ledger.errors import (
    DuplicateReference,
    GuardRefused,
    InsufficientFunds,
    UnknownAccount,
)
from hub.ledger.model import Guard, Leg, Posted, Posting

__all__ = ["Columns", "Guards", "Refusal", "lock_accounts", "post", "post_many"]

Refusal = InsufficientFunds | GuardRefused | DuplicateReference


async def post(tx: Connection, clock: Clock, posting: Posting) -> Posted:
    """Posts within ``tx``.

    Raises ``Unbalanced``, ``UnknownAccount``, ``InsufficientFunds``, ``GuardRefused`` or
    ``DuplicateReference``; after the last three, ``tx`` is as it was and can go on.
    """
    (outcome,) = await post_many(tx, clock, [posting])
    if isinstance(outcome, Posted):
        return outcome
    raise outcome


async def post_many(
    tx: Connection, clock: Clock, postings: Sequence[Posting]
) -> list[Posted | Refusal]:
    """Posts in the order given, each accepted or refused by itself; one outcome for each.

    References must differ within one call. Raises ``Unbalanced`` or ``UnknownAccount``, after
    which ``tx`` must be rolled back.
    """
    if not postings:
        return []
    now = clock.now()
    columns = Columns(now)
    for posting in postings:
        columns.add(posting.check())
    if len(set(columns.references)) != len(postings):
        raise ValueError("two postings of one batch have the same reference")
    try:
        row = await tx.fetchrow(queries.POST, *columns.arguments(), [0] * len(postings))
    except asyncpg.ForeignKeyViolationError as fault:
        raise UnknownAccount("A leg names an account that does not exist.") from fault
    assert row is not None
    known: dict[str, PostingId] = {}
    if 3 in row["p_outcome"]:
        found = await tx.fetch(queries.POSTINGS_BY_REFERENCE, columns.references)
        known = {each["reference"]: each["id"] for each in found}
    return _outcomes(postings, columns, row, known)


def _outcomes(
    postings: Sequence[Posting],
    columns: "Columns",
    row: asyncpg.Record,
    known: dict[str, PostingId],
) -> list[Posted | Refusal]:
    outcomes: list[Posted | Refusal] = []
    legs = [leg for posting in postings for leg in posting.legs]
    guards = [guard for posting in postings for guard in posting.guards]
    start = 0
    for n, posting in enumerate(postings):
        code, at, figure = row["p_outcome"][n], row["o_at"][n], row["o_figure"][n]
        end = start + len(posting.legs)
        if code == 0:
            balances = row["o_leg_balance"][start:end]
            ids = [leg.account_id for leg in posting.legs]
            outcomes.append(
                Posted(posting.id, columns.digests[n], dict(zip(ids, balances, strict=True)))
            )
        elif code == 1:
            currency = legs[at - 1].currency
            outcomes.append(InsufficientFunds(available=figure, currency=currency))
        elif code == 2:
            guard = guards[at - 1]
            outcomes.append(GuardRefused(rule=guard.rule, ceiling=guard.ceiling, used=figure))
        else:
            outcomes.append(
                DuplicateReference(reference=posting.reference, posting_id=known[posting.reference])
            )
        start = end
    return outcomes


async def lock_accounts(tx: Connection, accounts: Iterable[AccountId]) -> None:
    """Locks accounts in id order, for work that must look before it posts."""
    await tx.fetchval(queries.LOCK, list(accounts))


class Columns:
    """Postings as the arrays that ``ledger_post`` takes."""

    def __init__(self, recorded_at: datetime) -> None:
        self.recorded_at = recorded_at
        self.ids: list[PostingId] = []
        self.references: list[str] = []
        self.digests: list[bytes] = []
        self._effective: list[datetime] = []
        self._metadata: list[str] = []
        self._legs: list[Leg] = []
        self._legs_until: list[int] = []
        self._guards = Guards()

    def add(self, posting: Posting) -> None:
        self.ids.append(posting.id)
        self.references.append(posting.reference)
        self.digests.append(posting.digest(self.recorded_at))
        self._effective.append(posting.effective_at)
        self._metadata.append(
            msgspec.json.encode(posting.metadata).decode() if posting.metadata else "{}"
        )
        self._legs.extend(posting.legs)
        self._legs_until.append(len(self._legs))
        self._guards.add(posting.guards)

    def arguments(self) -> list[object]:
        """The arguments of ``ledger_post`` up to the limits' ceilings, in order."""
        names = sorted({(leg.account_id, leg.currency) for leg in self._legs})
        accounts = {name: n for n, name in enumerate(names, 1)}
        return [
            self.recorded_at,
            self.ids,
            self.references,
            self._effective,
            self._metadata,
            self.digests,
            [account for account, _ in names],
            [currency for _, currency in names],
            self._legs_until,
            [accounts[leg.account_id, leg.currency] for leg in self._legs],
            [leg.amount for leg in self._legs],
            *self._guards.arguments(),
        ]


class Guards:
    """The guards of postings, added in posting order, as the arrays that ``ledger_post`` takes."""

    def __init__(self) -> None:
        self._totals: dict[tuple[str, str], int] = {}
        self._until: list[int] = []
        self._counters: list[tuple[str, str]] = []
        self._deltas: list[int] = []
        self._limits: dict[tuple[str, int], int] = {}
        self._numbers: list[int] = []

    def add(self, guards: Iterable[Guard]) -> None:
        """The guards of the next posting."""
        totals, limits = self._totals, self._limits
        for guard in guards:
            counter, delta = (guard.key, guard.window), guard.delta
            totals[counter] = totals.get(counter, 0) + delta
            self._counters.append(counter)
            self._deltas.append(delta)
            limit = (guard.rule, guard.ceiling)
            self._numbers.append(limits.setdefault(limit, len(limits) + 1))
        self._until.append(len(self._deltas))

    @property
    def limits(self) -> list[tuple[str, int]]:
        """Rule and ceiling of each limit met, by its number from 1."""
        return list(self._limits)

    def arguments(self) -> list[object]:
        """The arguments of ``ledger_post`` from the counters' keys to the limits' ceilings."""
        keys = sorted(self._totals)  # the order in which everybody locks them
        counters = {key: n for n, key in enumerate(keys, 1)}
        return [
            [key for key, _ in keys],
            [window for _, window in keys],
            [self._totals[key] for key in keys],
            self._until,
            [counters[counter] for counter in self._counters],
            self._deltas,
            self._numbers,
            [ceiling for _, ceiling in self._limits],
        ]
