"""People, events numbered as the relay does it, and a channel that does as it is told."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import pytest
import pytest_asyncio

import hub.investments.events
import hub.messaging.events  # noqa: F401  # both enter the catalogue
from channels.base import Address, Cost, Dead, Notice, Outcome, Sent
from hub.clock import ManualClock
from hub.countries import country
from hub.database import Connection, Database
from hub.events import Event, append, catalogue
from hub.events.numbering import number
from hub.identity import Person, phone_of, register_person
from hub.ids import EventId, PaymentId, PersonId, new_id
from hub.money import Money
from hub.notifications import Timeline, Wording, schedule, timeline
from hub.payments.events import PaymentSettled
from hub.phone import Phone
from hub.sealing import Keyring
from workers.deliver import Deliver, deliver_due

Register = Callable[..., Awaitable[Person]]


class ToldChannel:
    """Sends by writing down; answers with what a test put into ``outcomes``, else ``Sent``."""

    def __init__(self, name: str, keyring: Keyring) -> None:
        self.name = name
        self.provider = f"told-{name}"
        self.sent: list[Notice] = []
        self.outcomes: list[Outcome | BaseException] = []
        self.devices: dict[PersonId, list[str]] = {}
        self.retired: list[str] = []
        self._keyring = keyring
        self._count = 0

    async def can_reach(self, c: Connection, person: Person) -> Sequence[Address]:
        if self.name == "sms":
            phone = await phone_of(c, self._keyring, person.id)
            return [Address(phone)] if phone and phone not in self.retired else []
        return [Address(d) for d in self.devices.get(person.id, []) if d not in self.retired]

    async def send(self, notice: Notice) -> Outcome:
        self.sent.append(notice)
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, BaseException):
            raise outcome
        self._count += 1
        reports = self.name == "sms"
        return outcome or Sent(provider_id=f"{self.name}-{self._count}", reports=reports)

    def price(self, notice: Notice) -> Cost | None:
        return None

    async def retire(self, tx: Connection, address: Address, reason: str, at: datetime) -> None:
        self.retired.append(address.value)


@pytest.fixture
def sms(keyring: Keyring) -> ToldChannel:
    return ToldChannel("sms", keyring)


@pytest.fixture
def push(keyring: Keyring) -> ToldChannel:
    return ToldChannel("push", keyring)


@pytest.fixture
def parts(
    database: Database, clock: ManualClock, keyring: Keyring, sms: ToldChannel, push: ToldChannel
) -> Deliver:
    return Deliver(
        database=database,
        clock=clock,
        keyring=keyring,
        channels={"sms": sms, "push": push},
        wording=Wording.load(catalogue()),
        country=country,
    )


@pytest.fixture
def register(database: Database, keyring: Keyring, clock: ManualClock) -> Register:
    async def register(phone: str = "+254700000001", **changes: object) -> Person:
        fields: dict[str, object] = {
            "display_name": "Wanjiru",
            "legal_name": "Wanjiru Kamau",
            "language": "sw",
            "country": "KE",
            "roles": (),
            "kyc_level": 1,
        }

        async def work(tx: Connection) -> Person:
            return await register_person(
                tx,
                keyring,
                clock,
                phone=Phone(phone),
                **{**fields, **changes},  # type: ignore[arg-type]
            )

        return await database.transaction(work)

    return register


@pytest_asyncio.fixture
async def owner(register: Register) -> Person:
    return await register()


class Line:
    """The relay's part: commits an event and numbers it."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self._database = database
        self._clock = clock

    async def say(self, event: Event, *to: PersonId) -> EventId:
        async def work(tx: Connection) -> EventId:
            return await append(tx, event, at=self._clock.now(), actor="system", to=to)

        event_id = await self._database.transaction(work)
        await self.number()
        return event_id

    async def number(self) -> None:
        async def work(tx: Connection) -> None:
            batch = await number(tx, range(16), 1_000)
            await schedule(tx, batch.recipients, at=self._clock.now())

        await self._database.transaction(work)

    async def paid(self, *to: PersonId) -> EventId:
        event = PaymentSettled(
            payment_id=PaymentId(new_id(self._clock.now())),
            amount=Money(125_000, "KES"),
            gateway="paystack",
            wallet_balance=Money(500_000, "KES"),
        )
        return await self.say(event, *to)

    async def timeline(self, event_id: EventId, person: Person) -> Timeline:
        async with self._database.connection() as c:
            found = await timeline(c, event_id, person.id)
        assert found is not None
        return found


@pytest.fixture
def line(database: Database, clock: ManualClock) -> Line:
    return Line(database, clock)


@pytest.fixture
def after(parts: Deliver, clock: ManualClock) -> Callable[..., Awaitable[int]]:
    """Lets time pass and has the worker do what is due."""

    async def after(**span: float) -> int:
        clock.advance(timedelta(**span))
        rows = 0
        while taken := await deliver_due(parts):
            rows += taken
        return rows

    return after


__all__ = ["Dead", "Line", "ToldChannel"]
