"""A town: people with money, a business, an offering, and a way to invest."""

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import count
from typing import Any

import msgspec
import pytest_asyncio

from hub.clock import ManualClock
from hub.database import Connection, Database
from hub.errors import HubError
from hub.idempotency import Answer, Scope, request_hash
from hub.identity import Person, register_person
from hub.ids import BusinessId, OfferingId, PersonId, PostingId, new_id
from hub.investments import (
    Investing,
    InvestRequest,
    Offering,
    create_business,
    create_offering,
    get_offering,
)
from hub.ledger import AccountRef, Leg, Posting, balance, open_account, post
from hub.money import Money
from hub.phone import Phone
from hub.redis_client import RedisClient
from hub.sealing import Keyring

TARGET = 100_000


class Town:
    def __init__(self, database: Database, clock: ManualClock, keyring: Keyring) -> None:
        self.database, self.clock, self.keyring = database, clock, keyring
        self.phones = (Phone(f"+2547000{n:05}") for n in count(1))
        self.keys = count(1)
        self.investing = Investing(database, None, clock)

    async def person(self, name: str, funds: int = 0, *, kyc_level: int = 3) -> Person:
        async def make(tx: Connection) -> Person:
            person = await register_person(
                tx, self.keyring, self.clock, phone=next(self.phones), display_name=name,
                legal_name=name, language="en", country="KE", roles=["investor"],
                kyc_level=kyc_level,
            )  # fmt: skip
            if funds:
                await self._fund(tx, person.id, funds)
            return person

        return await self.database.transaction(make)

    async def people(self, number: int, funds: int) -> list[Person]:
        """Many people at once, with wallets filled; without sealed data, because that is slow."""
        people = [
            Person(PersonId(new_id(self.clock.now())), f"P{n}", "en", "KE", "UTC", frozenset(), 3)
            for n in range(number)
        ]

        async def make(tx: Connection) -> None:
            for person in people:
                await self._fund(tx, person.id, funds)

        await self.database.transaction(make)
        return people

    async def _fund(self, tx: Connection, person_id: PersonId, amount: int) -> None:
        bank = await open_account(tx, self.clock, AccountRef("gateway:bank", "clearing", "KES"))
        wallet = await open_account(tx, self.clock, wallet_of(person_id))
        reference = f"fund:{next(self.keys)}"
        legs = (
            Leg(bank.stripe(reference), -amount, "KES"),
            Leg(wallet.id, amount, "KES"),
        )
        await post(
            tx,
            self.clock,
            Posting(
                id=PostingId(new_id(self.clock.now())),
                reference=reference,
                legs=legs,
                effective_at=self.clock.now(),
            ),
        )

    async def offering(
        self,
        owner: Person,
        *,
        target: int = TARGET,
        minimum: int = 100,
        maximum: int | None = None,
        business: BusinessId | None = None,
    ) -> Offering:
        async def make(tx: Connection) -> Offering:
            seller = (
                business
                or (
                    await create_business(
                        tx,
                        self.clock,
                        owner=owner.id,
                        name="Ziwa Fish",
                        sector="Food",
                        country="KE",
                    )
                ).id
            )
            return await create_offering(
                tx, self.clock, business=seller, title="A cold store", summary="Cold.",
                target=Money(target, "KES"), minimum=Money(minimum, "KES"),
                maximum=Money(maximum or target, "KES"),
                closes_at=self.clock.now() + timedelta(days=30), rate_percent=12, term_months=18,
            )  # fmt: skip

        return await self.database.transaction(make)

    def request(
        self, person: Person, offering_id: OfferingId, amount: int, key: str | None = None
    ) -> InvestRequest:
        money = Money(amount, "KES")
        return InvestRequest(
            investor=person,
            offering_id=offering_id,
            amount=money,
            scope=Scope(f"person:{person.id}", "invest", key or f"key-{next(self.keys)}"),
            hashed=request_hash({"offering_id": offering_id, "amount": money}),
        )

    async def invest(
        self, person: Person, offering: Offering, amount: int, key: str | None = None
    ) -> Answer:
        return await self.investing.invest(self.request(person, offering.id, amount, key))

    async def ask(self, request: InvestRequest) -> Answer | HubError:
        try:
            return await self.investing.invest(request)
        except HubError as error:
            return error

    async def has(self, ref: AccountRef) -> int:
        async with self.database.connection() as connection:
            return (await balance(connection, ref)).available

    async def look(self, offering: Offering) -> Offering:
        async with self.database.connection() as connection:
            return await get_offering(connection, offering.id)

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """Events of a kind in the outbox, each once, as their JSON says."""
        async with self.database.connection() as connection:
            rows = await connection.fetch(
                "SELECT data FROM outbox WHERE kind = $1 AND lead ORDER BY id", kind
            )
        return [msgspec.json.decode(row["data"]) for row in rows]

    async def recipients(self, kind: str) -> set[PersonId]:
        async with self.database.connection() as connection:
            rows = await connection.fetch(
                "SELECT unnest(recipients) AS person FROM outbox WHERE kind = $1", kind
            )
        return {row["person"] for row in rows}


def wallet_of(person_id: PersonId) -> AccountRef:
    return AccountRef(f"person:{person_id}", "wallet", "KES")


@pytest_asyncio.fixture
async def town(
    database: Database, clock: ManualClock, keyring: Keyring, redis: RedisClient
) -> AsyncIterator[Town]:
    built = Town(database, clock, keyring)
    yield built
    await built.investing.close()
