"""A small set of accounts to post between."""

from collections.abc import AsyncIterator

import pytest_asyncio

from hub.clock import ManualClock
from hub.database import Connection, Database
from hub.ids import PostingId, new_id
from hub.ledger import (
    Account,
    AccountRef,
    Guard,
    Leg,
    Posted,
    Posting,
    balance,
    open_account,
    post,
)

AMA = AccountRef("person:ama", "wallet", "KES")
BEN = AccountRef("person:ben", "wallet", "KES")
BANK = AccountRef("gateway:paystack", "clearing", "KES")


class Books:
    def __init__(self, tx: Connection, clock: ManualClock) -> None:
        self.tx, self.clock, self.posted = tx, clock, 0

    async def open(self) -> "Books":
        self.ama = await open_account(self.tx, self.clock, AMA)
        self.ben = await open_account(self.tx, self.clock, BEN)
        self.bank = await open_account(self.tx, self.clock, BANK)
        return self

    def posting(
        self, source: Account, target: Account, amount: int, *guards: Guard, reference: str = ""
    ) -> Posting:
        self.posted += 1
        return Posting(
            id=PostingId(new_id(self.clock.now())),
            reference=reference or f"test:{self.posted}",
            legs=(Leg(source.id, -amount, "KES"), Leg(target.id, amount, "KES")),
            guards=guards,
            effective_at=self.clock.now(),
        )

    async def fund(self, account: Account, amount: int) -> Posted:
        return await post(self.tx, self.clock, self.posting(self.bank, account, amount))

    async def has(self, ref: AccountRef) -> int:
        return (await balance(self.tx, ref)).available


@pytest_asyncio.fixture
async def books(database: Database, clock: ManualClock) -> AsyncIterator[Books]:
    async with database.connection() as connection:
        yield await Books(connection, clock).open()
