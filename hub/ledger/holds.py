"""Holds: money that is set aside without being moved, for payouts and bids.

An account's ``held`` is the sum of its open holds at every commit. A hold closes once: captured
(its money is posted), released or expired. Locks: the account first, then the hold.
"""

from datetime import datetime

from hub.clock import Clock
from hub.database import Connection, Database
from hub.ids import AccountId, HoldId, new_id
from hub.ledger import queries
from hub.ledger.errors import (
    DuplicateReference,
    HoldClosed,
    InsufficientFunds,
    Unbalanced,
    UnknownAccount,
    UnknownHold,
)
from hub.ledger.model import Hold, HoldState, Posted, Posting
from hub.ledger.post import lock_accounts, post

__all__ = ["capture_hold", "expire_holds", "place_hold", "release_hold"]

_PAGE = 200


async def place_hold(
    tx: Connection,
    clock: Clock,
    *,
    account_id: AccountId,
    amount: int,
    reference: str,
    expires_at: datetime,
) -> Hold:
    """Sets ``amount`` minor units of the account aside.

    Raises ``UnknownAccount``, ``InsufficientFunds`` or ``DuplicateReference``.
    """
    if amount <= 0:
        raise Unbalanced("A hold must be above zero.", amount=amount)
    account = await tx.fetchrow(queries.LOCK_ACCOUNT, account_id)
    if account is None:
        raise UnknownAccount("There is no such account.")
    available = account["posted"] - account["held"]
    if account["floor"] is not None and available - amount < account["floor"]:
        raise InsufficientFunds(available=available, currency=account["currency"])
    hold = Hold(HoldId(new_id(clock.now())), account_id, reference, amount, "open", expires_at)
    placed = await tx.fetchval(
        queries.PLACE_HOLD, hold.id, account_id, reference, amount, clock.now(), expires_at
    )
    if placed is None:
        known = await tx.fetchval("SELECT id FROM holds WHERE reference = $1", reference)
        raise DuplicateReference(reference=reference, posting_id=known)
    await tx.execute(queries.SET_HELD, account_id, amount)
    return hold


async def capture_hold(tx: Connection, clock: Clock, hold_id: HoldId, posting: Posting) -> Posted:
    """Closes the hold and posts from its account, at most its amount; the rest is free again.

    Raises ``UnknownHold``, ``HoldClosed``, ``Unbalanced`` where the posting takes more than was
    held, and what ``post`` raises; roll back after any of them.
    """
    legs = {leg.account_id for leg in posting.legs}
    hold = await _close(tx, clock, hold_id, "captured", legs)
    taken = -sum(leg.amount for leg in posting.legs if leg.account_id == hold.account_id)
    if not 0 < taken <= hold.amount:
        raise Unbalanced("The posting takes more than was held.", held=hold.amount, taken=taken)
    return await post(tx, clock, posting)


async def release_hold(tx: Connection, clock: Clock, hold_id: HoldId) -> Hold:
    """Frees the held money. Raises ``UnknownHold`` or ``HoldClosed``."""
    return await _close(tx, clock, hold_id, "released", set())


async def expire_holds(database: Database, clock: Clock) -> list[HoldId]:
    """Closes every open hold past its time and returns their ids."""
    expired: list[HoldId] = []
    while True:
        async with database.connection() as connection:
            due = await connection.fetch(queries.DUE_HOLDS, clock.now(), _PAGE)
        for row in due:
            hold_id = HoldId(row["id"])

            async def expire(tx: Connection, hold_id: HoldId = hold_id) -> None:
                await _close(tx, clock, hold_id, "expired", set())

            try:
                await database.transaction(expire)
            except HoldClosed:
                continue  # captured or released in the meantime
            expired.append(hold_id)
        if len(due) < _PAGE:
            return expired


async def _close(
    tx: Connection, clock: Clock, hold_id: HoldId, state: HoldState, also: set[AccountId]
) -> Hold:
    account_id = await tx.fetchval("SELECT account_id FROM holds WHERE id = $1", hold_id)
    if account_id is None:
        raise UnknownHold("There is no such hold.")
    await lock_accounts(tx, also | {account_id})
    row = await tx.fetchrow(queries.LOCK_HOLD, hold_id)
    assert row is not None
    hold = Hold(*row)
    if hold.state != "open":
        raise HoldClosed(hold_id=hold_id, state=hold.state)
    await tx.execute(queries.CLOSE_HOLD, hold_id, state, clock.now())
    await tx.execute(queries.SET_HELD, account_id, -hold.amount)
    return Hold(hold.id, account_id, hold.reference, hold.amount, state, hold.expires_at)
