"""Demo people, businesses and offerings for a development hub. Never runs in production.

Everything goes through the same functions as real life: accounts are opened, money is posted from
the sandbox's clearing account, investments are made through the batcher. Running it again adds
nothing.
"""

from datetime import timedelta

import msgspec

from hub.database import Connection
from hub.errors import Forbidden
from hub.events import Event, append
from hub.idempotency import Scope, request_hash
from hub.identity import Language, Person, find_by_phone, register_person
from hub.ids import PersonId, PostingId, new_id
from hub.investments import Investing, InvestRequest, Offering, create_business, create_offering
from hub.ledger import AccountRef, Leg, Posting, open_account, post
from hub.money import Money
from hub.phone import Phone
from hub.root import Hub, open_hub
from hub.settings import Settings

__all__ = ["PEOPLE", "DemoPerson", "seed"]


class DemoPerson(msgspec.Struct, frozen=True):
    """Somebody to sign in as. ``pin`` is for USSD."""

    name: str
    legal_name: str
    phone: Phone
    country: str
    language: Language
    roles: frozenset[str]
    kyc_level: int
    about: str
    pin: str | None = None


PEOPLE = (
    DemoPerson(
        "Ada Obi", "Adaeze Ngozi Obi", Phone("+2348030000001"), "NG", "en",
        frozenset({"investor"}), 3, "investor in Lagos, smartphone",
    ),
    DemoPerson(
        "Otieno", "Samuel Otieno Ouma", Phone("+254700000001"), "KE", "sw",
        frozenset({"business_owner"}), 2, "shop owner in Kisumu, feature phone, PIN 2580", "2580",
    ),
    DemoPerson(
        "Zawadi Njeri", "Zawadi Wanjiru Njeri", Phone("+254711000002"), "KE", "en",
        frozenset({"investor", "business_owner"}), 3, "baker and investor in Nairobi, PIN 1470",
        "1470",
    ),
    DemoPerson(
        "Kwame Mensah", "Kwame Kofi Mensah", Phone("+233244000003"), "GH", "en",
        frozenset({"investor"}), 3, "investor in Accra",
    ),
    DemoPerson(
        "Lindiwe (Ops)", "Lindiwe Dlamini", Phone("+27821000004"), "ZA", "en",
        frozenset({"operations", "support"}), 3, "operations officer in Johannesburg",
    ),
)  # fmt: skip


class DemoFunded(Event, frozen=True, kw_only=True):
    """A demo person was given a balance to begin with; for the audit chain only."""

    kind = "demo.funded"

    person_id: PersonId
    amount: Money


async def seed(settings: Settings) -> int:
    """Loads the demo data once; returns an exit code. Raises ``Forbidden`` in production."""
    if settings.environment == "production":
        raise Forbidden("Demo data is never loaded in production.")
    async with open_hub(settings) as hub:
        async with hub.database.connection() as connection:
            known = await find_by_phone(connection, hub.keyring, PEOPLE[0].phone)
        if known is None:
            await _load(hub)
            print(f"Loaded {len(PEOPLE)} demo people, their businesses and offerings.")
    return 0


async def _load(hub: Hub) -> None:
    async def people_and_offerings(tx: Connection) -> tuple[dict[str, Person], Offering]:
        people = {person.name: await _register(hub, tx, person) for person in PEOPLE}
        fish = await create_business(
            tx, hub.clock, owner=people["Otieno"].id, name="Ziwa Fresh Fish",
            sector="Food", country="KE",
        )  # fmt: skip
        bakery = await create_business(
            tx, hub.clock, owner=people["Zawadi Njeri"].id, name="Zawadi Bakery",
            sector="Food", country="KE",
        )  # fmt: skip
        closes_at = hub.clock.now() + timedelta(days=60)
        cold_store = await create_offering(
            tx, hub.clock, business=fish.id, title="A cold store for the morning catch",
            summary="Half the catch spoils by noon. A solar cold store in Dunga keeps it fresh"
            " for three days, so it sells in town at twice the beach price.",
            target=Money(12_000_000, "KES"), minimum=Money(50_000, "KES"),
            maximum=Money(12_000_000, "KES"), closes_at=closes_at, rate_percent=14, term_months=18,
        )  # fmt: skip
        await create_offering(
            tx, hub.clock, business=bakery.id, title="A second oven for Zawadi Bakery",
            summary="Orders from three schools wait for oven time. A deck oven doubles the"
            " mornings' bread and pays for itself in two years.",
            target=Money(40_000_000, "KES"), minimum=Money(100_000, "KES"),
            maximum=Money(48_000_000, "KES"), closes_at=closes_at, rate_percent=12, term_months=24,
        )  # fmt: skip
        for name, amount in (
            ("Ada Obi", 2_500_000), ("Zawadi Njeri", 9_000_000), ("Kwame Mensah", 9_000_000),
        ):  # fmt: skip
            await _fund(hub, tx, people[name], Money(amount, "KES"))
        return people, cold_store

    people, cold_store = await hub.database.transaction(people_and_offerings)
    for name, amount in (("Zawadi Njeri", 6_000_000), ("Kwame Mensah", 5_000_000)):
        await _invest(hub.investing, people[name], cold_store, Money(amount, "KES"))


async def _register(hub: Hub, tx: Connection, person: DemoPerson) -> Person:
    return await register_person(
        tx,
        hub.keyring,
        hub.clock,
        phone=person.phone,
        display_name=person.name,
        legal_name=person.legal_name,
        language=person.language,
        country=person.country,
        roles=person.roles,
        kyc_level=person.kyc_level,
        pin=person.pin,
    )


async def _fund(hub: Hub, tx: Connection, person: Person, amount: Money) -> None:
    """A balance to begin with, as if it had been paid in through the sandbox."""
    wallet = await open_account(
        tx, hub.clock, AccountRef(f"person:{person.id}", "wallet", amount.currency)
    )
    clearing = await open_account(
        tx, hub.clock, AccountRef("gateway:sandbox", "clearing", amount.currency)
    )
    reference = f"demo:{person.id}:{amount.currency}"
    posting = Posting(
        id=PostingId(new_id(hub.clock.now())),
        reference=reference,
        legs=(
            Leg(clearing.stripe(reference), -amount.amount, amount.currency),
            Leg(wallet.id, amount.amount, amount.currency),
        ),
        effective_at=hub.clock.now(),
        metadata={"purpose": "demo"},
    )
    posted = await post(tx, hub.clock, posting)
    event = DemoFunded(person_id=person.id, amount=amount)
    await append(tx, event, at=hub.clock.now(), actor="system", evidence=posted.digest)


async def _invest(investing: Investing, person: Person, offering: Offering, amount: Money) -> None:
    key = f"demo-{offering.id}"
    await investing.invest(
        InvestRequest(
            investor=person,
            offering_id=offering.id,
            amount=amount,
            scope=Scope(f"person:{person.id}", "demo", key),
            hashed=request_hash({"amount": amount, "key": key}),
        )
    )
