"""Opening accounts and reading them."""

from hub.clock import Clock
from hub.database import Connection
from hub.ids import AccountId, new_id
from hub.ledger import queries
from hub.ledger.model import STRIPES, Account, AccountRef, Balance, Holding, StatementLine

__all__ = ["account", "accounts_of", "balance", "open_account", "statement", "used"]


async def open_account(tx: Connection, clock: Clock, ref: AccountRef) -> Account:
    """The account of that name, opened if it is not yet. Raises ``Invalid`` for the currency."""
    found = await account(tx, ref)
    if found is not None:
        return found
    ref.check()
    now = clock.now()
    for stripe in range(STRIPES if ref.floor is None else 1):
        await tx.execute(
            queries.OPEN_ACCOUNT,
            new_id(now),
            ref.owner,
            ref.purpose,
            ref.currency,
            stripe,
            ref.floor,
            now,
        )
    opened = await account(tx, ref)  # somebody else may have been first
    assert opened is not None
    return opened


async def account(connection: Connection, ref: AccountRef) -> Account | None:
    """The account of that name; None where it was never opened."""
    rows = await connection.fetch(queries.FIND_ACCOUNT, ref.owner, ref.purpose, ref.currency)
    if not rows:
        return None
    return Account(rows[0]["id"], ref, rows[0]["floor"], tuple(row["id"] for row in rows))


async def balance(connection: Connection, ref: AccountRef) -> Balance:
    """What the account holds, over all its stripes; nothing where it was never opened."""
    rows = await connection.fetch(queries.FIND_ACCOUNT, ref.owner, ref.purpose, ref.currency)
    posted = sum(row["posted"] for row in rows)
    held = sum(row["held"] for row in rows)
    return Balance(posted, held, posted - held, ref.currency)


async def accounts_of(connection: Connection, owner: str, purpose: str) -> list[Holding]:
    """The owner's accounts for ``purpose``, one per currency, by currency code."""
    rows = await connection.fetch(queries.ACCOUNTS_OF, owner, purpose)
    return [Holding(*row) for row in rows]


async def used(connection: Connection, key: str, window: str) -> int:
    """What a guard's counter stands at."""
    stands = await connection.fetchval(queries.USED, key, window)
    return stands or 0


async def statement(
    connection: Connection, account_id: AccountId, after: int = 0, limit: int = 50
) -> list[StatementLine]:
    """Entries of the account, newest first; ``after`` is the last ``seq`` of the page before."""
    rows = await connection.fetch(queries.STATEMENT, account_id, after, limit)
    return [StatementLine(*row) for row in rows]
