"""The product's own events, from the outbox to an SDK, and its word back to the escalation."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from hub.clock import SystemClock
from hub.database import Connection, Database
from hub.events import Event, append
from hub.identity import Person, Principal, Tokens, register_person
from hub.ids import DeviceId, OfferingId, PaymentId, new_id
from hub.investments.events import EscrowReleased
from hub.money import Money
from hub.notifications import schedule
from hub.payments.events import PaymentSettled
from hub.phone import Phone
from hub.realtime import RedisBroker
from hub.redis_client import RedisClient
from hub.sealing import Keyring
from hub.settings import Settings
from tests.sdk.client import Refused, SdkClient
from tests.sdk.gateway import Gateway, Road, gateway_process
from workers.relay import Relay

CLOCK = SystemClock()

Tell = Callable[[Event], Awaitable[None]]


@pytest_asyncio.fixture
async def hub(
    environment: dict[str, str], database: Database, database_url: str, redis: RedisClient
) -> AsyncIterator[Gateway]:
    """The product's web process."""
    given = {**environment, "HUB_DATABASE_URL": database_url}
    async with gateway_process(given) as running:
        yield running


@pytest_asyncio.fixture
async def person(database: Database, keyring: Keyring) -> Person:
    async def work(tx: Connection) -> Person:
        return await register_person(
            tx,
            keyring,
            CLOCK,
            phone=Phone("+254700000001"),
            display_name="Wanjiru",
            legal_name="Wanjiru Kamau",
            language="sw",
            country="KE",
            roles=(),
            kyc_level=1,
        )

    return await database.transaction(work)


@pytest.fixture
def signed(settings: Settings, person: Person) -> str:
    """What `GET /v1/realtime/token` answers the person."""
    device = DeviceId(new_id(CLOCK.now()))
    principal = Principal(person.id, frozenset(), device, new_id(CLOCK.now()))
    return Tokens(settings.keys.signing, CLOCK).issue_connection(principal, name="Wanjiru")


@pytest.fixture
def open_theirs(open_client: Any, road: Road, hub: Gateway, signed: str) -> Any:
    """Connects a client of the person to the product."""
    road.leads_to = hub.port

    async def open_theirs() -> SdkClient:
        client: SdkClient = await open_client(token=signed)
        await client.connected()
        return client

    return open_theirs


@pytest.fixture
def tell(database: Database, redis: RedisClient, person: Person) -> Tell:
    """Commits an event to the person and lets the relay bring it."""
    relay = Relay(database, redis, RedisBroker(redis, CLOCK), schedule, CLOCK)

    async def tell(event: Event) -> None:
        async def work(tx: Connection) -> None:
            await append(tx, event, at=CLOCK.now(), actor="system", to=[person.id])

        await database.transaction(work)
        while await relay.turn():
            pass

    return tell


def settled(minor_units: int) -> PaymentSettled:
    amount = Money(minor_units, "KES")
    payment = PaymentId(new_id(CLOCK.now()))
    return PaymentSettled(
        payment_id=payment, amount=amount, gateway="paystack", wallet_balance=amount
    )


def released() -> EscrowReleased:
    return EscrowReleased(
        offering_id=OfferingId(new_id(CLOCK.now())),
        offering_title="Cold store",
        business_name="Otieno Fresh",
        amount=Money(100, "KES"),
        wallet_balance=Money(100, "KES"),
    )


async def test_an_event_reaches_its_person_and_the_pong_ends_its_escalation(
    open_client: Any,
    road: Road,
    hub: Gateway,
    signed: str,
    person: Person,
    tell: Tell,
    reached: Any,
) -> None:
    road.leads_to = hub.port
    client = await open_client(token=signed)
    await client.connected()
    own = f"personal:#{person.id}"
    assert (await client.until("subscribed", own))["recoverable"]
    await tell(settled(250_000))
    got = (await client.until("publication", own))["data"]
    assert got["event"] == "payment.settled"
    assert got["amount"] == {"amount": 250_000, "currency": "KES"}
    await reached("payment.settled", "reached")


async def test_a_critical_event_waits_until_it_was_seen(
    open_client: Any,
    road: Road,
    hub: Gateway,
    signed: str,
    person: Person,
    tell: Tell,
    reached: Any,
) -> None:
    road.leads_to = hub.port
    client = await open_client(token=signed)
    await client.connected()
    own = f"personal:#{person.id}"
    await client.until("subscribed", own)
    await tell(released())
    offset = (await client.until("publication", own))["offset"]
    assert await client.rpc("ack", {"offset": offset}) is None
    await reached("escrow.released", "pending")
    assert await client.rpc("seen", {"offset": offset}) is None
    await reached("escrow.released", "reached")


async def test_sync_brings_what_recovery_cannot(
    open_theirs: Any, redis: RedisClient, tell: Tell
) -> None:
    for n in range(1, 6):
        await tell(settled(n))
    await redis.flushall()
    client = await open_theirs()
    page = await client.rpc("sync", {"after": 1, "limit": 3})
    found = [each["data"]["amount"]["amount"] for each in page["publications"]]
    assert (found, page["offset"]) == ([2, 3, 4], 5)
    with pytest.raises(Refused) as refused:
        await client.rpc("nothing", {})
    assert refused.value.code == 104


@pytest.fixture
def reached(database: Database, person: Person) -> Callable[[str, str], Awaitable[None]]:
    """Waits until the person's escalation of that kind is in that state."""

    async def reached(kind: str, state: str) -> None:
        deadline = CLOCK.monotonic() + 5
        while True:
            async with database.connection() as connection:
                found = await connection.fetchval(
                    "SELECT state FROM escalations WHERE person_id = $1 AND kind = $2",
                    person.id,
                    kind,
                )
            if found == state:
                return
            assert CLOCK.monotonic() < deadline, f"{kind} is {found}"

    return reached
