"""The channel on real PostgreSQL and Valkey, with a desk that stands for the rest of the hub."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio

from channels.ussd.drafts import Promises, draft_hash, draft_outcome, draft_scope
from channels.ussd.facts import (
    Businesses,
    Conversation,
    Conversations,
    DraftOutcome,
    MyInvestments,
    Offer,
    OfferDetails,
    Offers,
    Outcome,
    Question,
    Thread,
    Wallet,
    Wallets,
)
from channels.ussd.model import (
    Action,
    Caller,
    CheckPin,
    Invest,
    Reply,
    SetLanguage,
)
from channels.ussd.session import Answer, Sessions
from channels.ussd.turn import Turn, Ussd
from hub.clock import ManualClock
from hub.database import Connection, Database
from hub.errors import HubError, Refused
from hub.idempotency import Answer as Stored
from hub.idempotency import begin, finish
from hub.identity import PinLocked, PinWrong, find_by_phone, register_person, verify_pin
from hub.ids import PersonId
from hub.limits import Limits
from hub.money import Money
from hub.phone import Phone
from hub.problems import problem, status_of
from hub.redis_client import RedisClient
from hub.sealing import Keyring

OTIENO = Phone("+254700000001")
STRANGER = Phone("+254700000099")
OFFER = Offer(
    "0193ba5e-0000-7000-8000-000000000001",
    "Cold store",
    "Ziwa Fish",
    Money(50_000, "KES"),
    Money(5_000_000, "KES"),
    Money(11_000_000, "KES"),
    Money(12_000_000, "KES"),
    "14",
    18,
    "2027-01-23",
)


class InTestDesk:
    """People and PINs are real; what they own is made up here."""

    def __init__(self, database: Database, keyring: Keyring, clock: ManualClock) -> None:
        self.database, self.keyring, self.clock = database, keyring, clock
        self.done: list[Action] = []
        self.wait = asyncio.Event()
        self.wait.set()
        self.reading = asyncio.Event()
        self.reading.set()
        self.fault: Exception | None = None

    async def caller(self, phone: Phone) -> Caller | None:
        async with self.database.connection() as connection:
            person = await find_by_phone(connection, self.keyring, phone)
        return person and Caller(str(person.id), person.display_name, person.language)

    async def fetch(self, question: Question[Any], person: PersonId) -> Any:
        await self.reading.wait()
        if self.fault is not None and not isinstance(question, DraftOutcome):
            raise self.fault
        if isinstance(question, DraftOutcome):
            return await draft_outcome(self.database, person, question.draft)
        money = Money(500_000, "KES")
        answers: dict[Question[Any], Any] = {
            Wallets(): (Wallet("", money, Money(0, "KES")),),
            MyInvestments(): (),
            Businesses(): (),
            Offers(): (OFFER,),
            OfferDetails(OFFER.id): OFFER,
            Conversations(): (Conversation("c1", "Ada Obi", "Ziwa Fish", unread=False),),
            Thread("c1"): (),
        }
        return answers[question]

    async def perform(self, action: Action, person: PersonId) -> Outcome:
        match action:
            case CheckPin(pin):
                try:
                    await verify_pin(self.database, self.keyring, self.clock, person, pin.reveal())
                except PinWrong as wrong:
                    return Outcome("pin_wrong", number=wrong.attempts_left)
                except PinLocked as locked:
                    return Outcome("pin_locked", number=locked.retry_after)
                return Outcome()
            case SetLanguage(language):
                return Outcome(detail=language)
            case Invest(draft=draft) | Reply(draft=draft):
                await self.wait.wait()
                return await self._once(action, person, draft)

    async def _once(self, action: Action, person: PersonId, draft: str) -> Outcome:
        scope, hashed = draft_scope(person, draft), draft_hash(draft)

        async def work(tx: Connection) -> None:
            if await begin(tx, scope, hashed) is None:
                self.done.append(action)
                answer = Stored(201, b"{}")
                if isinstance(self.fault, Refused):
                    answer = Stored(status_of(self.fault), problem(self.fault))
                await finish(tx, scope, hashed, answer, self.clock)

        try:
            await self.database.transaction(work)
        except HubError as fault:
            return Outcome(fault.kind)
        outcome = await draft_outcome(self.database, person, draft)
        assert outcome is not None
        return outcome


class Phone2G:
    """A feature phone: it keeps the path and posts all of it, as the aggregator does."""

    def __init__(self, ussd: Ussd, phone: Phone, session_id: str, path: str = "") -> None:
        self.ussd, self.phone, self.session_id, self.path = ussd, phone, session_id, path

    async def post(self) -> Answer:
        return await self.ussd.turn(Turn(self.session_id, self.phone, self.path))

    async def types(self, *words: str) -> Answer:
        for word in words:
            self.path = f"{self.path}*{word}" if self.path else word
            answer = await self.post()
        return answer


@pytest.fixture
def desk(database: Database, keyring: Keyring, clock: ManualClock) -> InTestDesk:
    return InTestDesk(database, keyring, clock)


@pytest.fixture
def ussd(
    desk: InTestDesk, database: Database, keyring: Keyring, clock: ManualClock, redis: RedisClient
) -> Ussd:
    return Ussd(
        desk,
        Sessions(database, keyring, clock),
        Promises(database, redis, clock),
        Limits(redis, clock),
        clock,
        address="hub.example",
        patience=0.6,
    )


@pytest_asyncio.fixture
async def otieno(database: Database, keyring: Keyring, clock: ManualClock) -> PersonId:
    async def register(tx: Connection) -> PersonId:
        person = await register_person(
            tx,
            keyring,
            clock,
            phone=OTIENO,
            display_name="Otieno",
            legal_name="Samuel Otieno Ouma",
            language="sw",
            country="KE",
            roles={"business_owner"},
            kyc_level=2,
            pin="2580",
        )
        return person.id

    return await database.transaction(register)


@pytest.fixture
def phone(ussd: Ussd, otieno: PersonId) -> Callable[..., Phone2G]:
    calls = iter(range(1000))

    def dial(path: str = "", number: Phone = OTIENO) -> Phone2G:
        return Phone2G(ussd, number, f"ATUid_{next(calls)}", path)

    return dial
