"""A person's wallets: one ledger account per currency, opened when money first needs it."""

import msgspec

from hub.clock import Clock
from hub.database import Connection
from hub.ids import AccountId, PersonId
from hub.ledger import Account, AccountRef, open_account
from hub.payments import queries
from hub.payments.errors import WalletNotFound

__all__ = ["Wallet", "open_wallet", "own_wallet", "wallet_of", "wallets_of"]


class Wallet(msgspec.Struct, frozen=True):
    """What a person has in one currency, in minor units: ``available`` = ``posted`` - ``held``."""

    id: AccountId
    currency: str
    posted: int
    held: int
    available: int


def wallet_of(person_id: PersonId, currency: str) -> AccountRef:
    """The ledger's name of a person's wallet."""
    return AccountRef(f"person:{person_id}", "wallet", currency)


async def open_wallet(tx: Connection, clock: Clock, person_id: PersonId, currency: str) -> Account:
    """The person's wallet in ``currency``, opened if there is none yet."""
    return await open_account(tx, clock, wallet_of(person_id, currency))


async def wallets_of(c: Connection, person_id: PersonId) -> list[Wallet]:
    """The person's wallets, by currency code."""
    rows = await c.fetch(queries.WALLETS, f"person:{person_id}")
    return [Wallet(*row) for row in rows]


async def own_wallet(c: Connection, person_id: PersonId, wallet_id: AccountId) -> Wallet:
    """One of the person's wallets. Raises ``WalletNotFound`` for anybody else's."""
    for wallet in await wallets_of(c, person_id):
        if wallet.id == wallet_id:
            return wallet
    raise WalletNotFound("You have no such wallet.")
