"""The product's web process, a person signed in on a phone, and the relay that brings events."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio

from hub.clock import SystemClock
from hub.database import Connection, Database
from hub.events import Event, append
from hub.identity import Person, Tokens, register_device, register_person
from hub.identity.sessions import start_session
from hub.notifications import schedule
from hub.phone import Phone
from hub.realtime import RedisBroker
from hub.redis_client import RedisClient
from hub.sealing import Keyring
from hub.settings import Settings
from tests.sdk.client import SdkClient
from tests.sdk.gateway import Gateway, Road, gateway_process
from workers.relay import Relay

CLOCK = SystemClock()
Tell = Callable[..., Awaitable[None]]


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


@pytest_asyncio.fixture
async def access(database: Database, settings: Settings, person: Person) -> str:
    """An access token of the person, signed in on a phone."""

    async def work(tx: Connection) -> str:
        device = await register_device(tx, CLOCK, person.id, platform="android", name="Phone")
        session = await start_session(tx, CLOCK, person, device)
        return Tokens(settings.keys.signing, CLOCK).issue_access(session.principal)

    return await database.transaction(work)


@pytest_asyncio.fixture
async def signed(hub: Gateway, access: str) -> str:
    """A connection token, as the person's app gets it."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{hub.port}") as http:
        headers = {"Authorization": f"Bearer {access}"}
        answer = await http.get("/v1/realtime/token", headers=headers)
    token: str = answer.raise_for_status().json()["token"]
    return token


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
    """Commits events to the person and lets the relay bring them."""
    relay = Relay(database, redis, RedisBroker(redis, CLOCK), schedule, CLOCK)

    async def tell(*events: Event) -> None:
        async def work(tx: Connection) -> None:
            for event in events:
                await append(tx, event, at=CLOCK.now(), actor="system", to=[person.id])

        await database.transaction(work)
        while await relay.turn():
            pass

    return tell


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
