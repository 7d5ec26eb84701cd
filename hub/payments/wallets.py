"""A person's wallets: one ledger account per currency, opened when money first needs it."""

from typing import TypeAlias

from hub.clock import Clock
from hub.database import Connection
from hub.ids import AccountId, PersonId
from hub.ledger import Account, AccountRef, Holding, accounts_of, open_account
from hub.payments.errors import WalletNotFound

__all__ = ["Wallet", "open_wallet", "own_wallet", "wallet_of", "wallets_of"]


Wallet: TypeAlias = Holding
"""What a person has in one currency, in minor units: ``available`` = ``posted`` - ``held``."""


def wallet_of(person_id: PersonId, currency: str) -> AccountRef:
    """The ledger's name of a person's wallet."""
    return AccountRef(f"person:{person_id}", "wallet", currency)


async def open_wallet(tx: Connection, clock: Clock, person_id: PersonId, currency: str) -> Account:
    """The person's wallet in ``currency``, opened if there is none yet."""
    return await open_account(tx, clock, wallet_of(person_id, currency))


async def wallets_of(c: Connection, person_id: PersonId) -> list[Wallet]:
    """The person's wallets, by currency code."""
    return await accounts_of(c, f"person:{person_id}", "wallet")


async def own_wallet(c: Connection, person_id: PersonId, wallet_id: AccountId) -> Wallet:
    """One of the person's wallets. Raises ``WalletNotFound`` for anybody else's."""
    for wallet in await wallets_of(c, person_id):
        if wallet.id == wallet_id:
            return wallet
    raise WalletNotFound("You have no such wallet.")
