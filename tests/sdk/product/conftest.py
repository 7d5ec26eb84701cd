"""The product's web process, a person signed in on a phone, and the relay that brings events."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from hub.clock import SystemClock
from hub.database import Connection, Database
from hub.embedded import Addresses
from hub.events import Event, append, poke
from hub.identity import Person, Tokens, register_device, register_person
from hub.identity.sessions import start_session
from hub.ids import new_id
from hub.notifications import schedule
from hub.phone import Phone
from hub.realtime import RedisBroker
from hub.redis_client import RedisClient, open_redis
from hub.sealing import Keyring
from hub.settings import Settings
from tests.sdk.client import SdkClient
from tests.sdk.gateway import Gateway, Road, gateway_process
from workers.relay import Relay

CLOCK = SystemClock()
Tell = Callable[..., Awaitable[None]]


@pytest_asyncio.fixture(scope="session")
async def database_url(servers: Addresses, template: str) -> str:
    """One database for all tests here, as their one web process needs it."""
    admin = await asyncpg.connect(servers.database_url)
    await admin.execute(f"CREATE DATABASE sdk_hub TEMPLATE {template} STRATEGY file_copy")
    await admin.close()
    return servers.database_url.replace("/hub?", "/sdk_hub?")


@pytest_asyncio.fixture(scope="session")
async def hub(environment: dict[str, str], database_url: str) -> AsyncIterator[Gateway]:
    """The product's web process."""
    given = {**environment, "HUB_DATABASE_URL": database_url}
    async with gateway_process(given) as running:
        yield running


@pytest_asyncio.fixture(scope="session")
async def relaying(servers: Addresses, database_url: str) -> AsyncIterator[None]:
    """The relay at work."""
    async with Database.open(database_url, size=2) as database, open_redis(servers.redis_url) as r:
        relay = Relay(database, r, RedisBroker(r, CLOCK), schedule, CLOCK)
        work = asyncio.ensure_future(relay.run())
        yield
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


@pytest_asyncio.fixture
async def person(database: Database, keyring: Keyring) -> Person:
    async def work(tx: Connection) -> Person:
        return await register_person(
            tx,
            keyring,
            CLOCK,
            phone=Phone(f"+2547{new_id(CLOCK.now()).int % 10**8:08}"),
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
def tell(database: Database, redis: RedisClient, relaying: None, person: Person) -> Tell:
    """Commits events to the person; the relay brings them."""

    async def tell(*events: Event, topics: Sequence[str] = ()) -> None:
        async def work(tx: Connection) -> None:
            at, to = CLOCK.now(), [person.id]
            for event in events:
                await append(tx, event, at=at, actor="system", to=to, topics=topics)

        await database.transaction(work)
        await poke(redis)

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
