"""What becomes of an offering: funded and released, or failed and refunded.

Tables are the truth: ``settle_offerings`` finds what is due, so a crash at any point is made good
by the next run, and running anything twice changes nothing. An offering closes under the lock of
its escrow account, which every investment in it takes too; what is released or refunded is what
is in escrow, to the last minor unit.

Cooling-off is zero and the one milestone is the target itself; both get tables of their own when
an offering can ask for more.
"""

import asyncpg
import msgspec

from hub.clock import Clock
from hub.compliance import issuer_guards, refund_guards
from hub.countries import country
from hub.database import Connection, Database
from hub.events import append, offering_stream, poke
from hub.ids import AccountId, InvestmentId, OfferingId, PersonId, PostingId, new_id
from hub.investments import queries
from hub.investments.errors import OfferingNotFound
from hub.investments.events import (
    EscrowReleased,
    InvestmentRefunded,
    OfferingFailed,
    OfferingFunded,
)
from hub.investments.model import Terms, business_wallet, escrow_of, investor_wallet
from hub.ledger import (
    Guard,
    Leg,
    Posted,
    Posting,
    balance,
    lock_accounts,
    open_account,
    post,
    post_many,
)
from hub.money import Money
from hub.redis_client import RedisClient

__all__ = ["Settled", "fail_expired", "release_funded", "settle_offerings"]

_REFUNDS = 200


class Settled(msgspec.Struct, frozen=True):
    """Offerings that a run brought to their end."""

    funded: list[OfferingId]
    failed: list[OfferingId]


async def settle_offerings(
    database: Database, clock: Clock, *, redis: RedisClient | None = None
) -> Settled:
    """Releases every offering at its target, fails every one past its time below it."""
    async with database.connection() as connection:
        due = [OfferingId(row["id"]) for row in await connection.fetch(queries.DUE, clock.now())]
    settled = Settled([], [])
    for offering_id in due:
        if await release_funded(database, clock, offering_id, redis=redis):
            settled.funded.append(offering_id)
        elif await fail_expired(database, clock, offering_id, redis=redis):
            settled.failed.append(offering_id)
    return settled


async def release_funded(
    database: Database,
    clock: Clock,
    offering_id: OfferingId,
    *,
    redis: RedisClient | None = None,
) -> bool:
    """Closes an open offering that reached its target; its escrow goes to the business's wallet.

    True if this call did it. Raises ``OfferingNotFound``.
    """

    async def release(tx: Connection) -> bool:
        terms = await _terms(tx, offering_id)
        wallet = await open_account(tx, clock, business_wallet(terms.business_id, terms.currency))
        raised = await _lock_open(tx, terms, wallet.id)
        if raised is None or raised < terms.target:
            return False
        await tx.execute(queries.CLOSE_OFFERING, terms.id, "funded", raised, clock.now())
        posted = await post(
            tx,
            clock,
            Posting(
                id=PostingId(new_id(clock.now())),
                reference=f"offering:{terms.id}:release",
                legs=(
                    Leg(terms.escrow_id, -raised, terms.currency),
                    Leg(wallet.id, raised, terms.currency),
                ),
                effective_at=clock.now(),
            ),
        )
        await _tell_funded(tx, clock, terms, raised)
        await append(
            tx,
            EscrowReleased(
                offering_id=terms.id,
                offering_title=terms.title,
                business_name=terms.business_name,
                amount=Money(raised, terms.currency),
                wallet_balance=Money(posted.balances[wallet.id], terms.currency),
            ),
            at=clock.now(),
            actor="system",
            to=[terms.owner_id],
            evidence=posted.digest,
        )
        return True

    released = await database.transaction(release)
    if released and redis is not None:
        await poke(redis)
    return released


async def _tell_funded(tx: Connection, clock: Clock, terms: Terms, raised: int) -> None:
    investors = [PersonId(row[0]) for row in await tx.fetch(queries.INVESTORS, terms.id)]
    await append(
        tx,
        OfferingFunded(
            offering_id=terms.id,
            offering_title=terms.title,
            business_name=terms.business_name,
            raised=Money(raised, terms.currency),
        ),
        at=clock.now(),
        actor="system",
        to=[terms.owner_id, *investors],
        topics=[offering_stream(terms.id)],
    )


async def fail_expired(
    database: Database,
    clock: Clock,
    offering_id: OfferingId,
    *,
    redis: RedisClient | None = None,
) -> bool:
    """Closes an offering past its time below its target and gives everybody their money back.

    True if nothing is left to refund after this call. Takes up where a crash left it. Raises
    ``OfferingNotFound``.
    """

    async def fail(tx: Connection) -> bool:
        terms = await _terms(tx, offering_id)
        raised = await _lock_open(tx, terms, terms.escrow_id)
        row = await tx.fetchrow(queries.LOCK_OFFERING, terms.id)
        assert row is not None
        if raised is None:
            return bool(row["state"] == "failed")
        if raised >= terms.target or row["closes_at"] > clock.now():
            return False
        await tx.execute(queries.CLOSE_OFFERING, terms.id, "failed", raised, clock.now())
        await append(
            tx,
            OfferingFailed(
                offering_id=terms.id,
                offering_title=terms.title,
                business_name=terms.business_name,
                raised=Money(raised, terms.currency),
                target=Money(terms.target, terms.currency),
            ),
            at=clock.now(),
            actor="system",
            to=[terms.owner_id],
            topics=[offering_stream(terms.id)],
        )
        return True

    if not await database.transaction(fail):
        return False
    while await database.transaction(lambda tx: _refund_some(tx, clock, offering_id)):
        pass
    if redis is not None:
        await poke(redis)
    return True


async def _refund_some(tx: Connection, clock: Clock, offering_id: OfferingId) -> bool:
    """Refunds up to 200 investments of a failed offering; False when none was left."""
    terms = await _terms(tx, offering_id)
    wallets: dict[PersonId, AccountId] = {}
    for row in await tx.fetch(queries.UNREFUNDED, terms.id, _REFUNDS):
        ref = investor_wallet(row["investor_id"], terms.currency)
        wallets[row["investor_id"]] = (await open_account(tx, clock, ref)).id
    await lock_accounts(tx, [terms.escrow_id, *wallets.values()])
    rows = [  # read again: another process may have refunded some before the lock was ours
        row
        for row in await tx.fetch(queries.UNREFUNDED, terms.id, _REFUNDS)
        if row["investor_id"] in wallets
    ]
    if not rows:
        return False
    postings = [
        Posting(
            id=PostingId(new_id(clock.now())),
            reference=f"investment:{row['id']}:refund",
            legs=(
                Leg(terms.escrow_id, -row["amount"], terms.currency),
                Leg(wallets[row["investor_id"]], row["amount"], terms.currency),
            ),
            guards=_given_back(terms, row),
            effective_at=clock.now(),
        )
        for row in rows
    ]
    outcomes = await post_many(tx, clock, postings)
    await tx.execute(queries.MARK_REFUNDED, [row["id"] for row in rows])
    for row, outcome in zip(rows, outcomes, strict=True):
        if not isinstance(outcome, Posted):
            raise outcome
        await append(
            tx,
            InvestmentRefunded(
                investment_id=InvestmentId(row["id"]),
                offering_id=terms.id,
                offering_title=terms.title,
                business_name=terms.business_name,
                amount=Money(row["amount"], terms.currency),
                wallet_balance=Money(outcome.balances[wallets[row["investor_id"]]], terms.currency),
            ),
            at=clock.now(),
            actor="system",
            to=[row["investor_id"]],
            evidence=outcome.digest,
        )
    return True


def _given_back(terms: Terms, row: asyncpg.Record) -> tuple[Guard, ...]:
    """What the investment took from its investor's and the issuer's limits."""
    amount, made_at = Money(row["amount"], terms.currency), row["made_at"]
    return (
        *refund_guards(row["investor_id"], row["kyc_level"], amount, made_at),
        *issuer_guards(terms.business_id, country(terms.country), -amount, made_at),
    )


async def _terms(tx: Connection, offering_id: OfferingId) -> Terms:
    row = await tx.fetchrow(queries.TERMS, offering_id)
    if row is None:
        raise OfferingNotFound("There is no such offering.")
    return queries.to_terms(row)


async def _lock_open(tx: Connection, terms: Terms, other: AccountId) -> int | None:
    """Locks the accounts, then the offering; what is in escrow, or None if it is not open."""
    await lock_accounts(tx, [terms.escrow_id, other])
    row = await tx.fetchrow(queries.LOCK_OFFERING, terms.id)
    assert row is not None
    if row["state"] != "open":
        return None
    return (await balance(tx, escrow_of(terms.id, terms.currency))).posted
