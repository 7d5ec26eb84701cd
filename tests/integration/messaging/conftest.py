"""Three people, a business, and a web app with messaging's routes only."""

from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from httpx import ASGITransport, AsyncClient
from litestar import Litestar, Response
from litestar.di import Provide

from hub.clock import ManualClock
from hub.database import Connection, Database
from hub.errors import HubError
from hub.identity import Authentication, Person, Principal, Tokens, register_person
from hub.ids import BusinessId, new_id
from hub.limits import Limits
from hub.messaging import BusinessContact, Conversation, start_conversation
from hub.messaging.routes import routes
from hub.phone import Phone
from hub.problems import MEDIA_TYPE, problem, status_of
from hub.redis_client import RedisClient
from hub.sealing import Keyring
from hub.settings import Settings

Register = Callable[[str, str], Awaitable[Person]]


@pytest.fixture
def register(database: Database, keyring: Keyring, clock: ManualClock) -> Register:
    async def one(name: str, phone: str) -> Person:
        async def work(tx: Connection) -> Person:
            return await register_person(
                tx, keyring, clock, phone=Phone(phone), display_name=name, legal_name=name,
                language="en", country="KE", roles=[], kyc_level=1,
            )  # fmt: skip

        return await database.transaction(work)

    return one


@pytest_asyncio.fixture
async def ada(register: Register) -> Person:
    return await register("Ada", "+2348030000001")


@pytest_asyncio.fixture
async def otieno(register: Register) -> Person:
    return await register("Otieno", "+254700000001")


@pytest_asyncio.fixture
async def mallory(register: Register) -> Person:
    return await register("Mallory", "+254700000666")


@pytest_asyncio.fixture
async def business(database: Database, clock: ManualClock, otieno: Person) -> BusinessId:
    business_id = BusinessId(new_id(clock.now()))
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO businesses (id, owner_id, name, sector, country, registered_at)"
            " VALUES ($1, $2, 'Ziwa Fish', 'Food', 'KE', $3)",
            business_id,
            otieno.id,
            clock.now(),
        )
    return business_id


@pytest_asyncio.fixture
async def talk(
    database: Database, keyring: Keyring, clock: ManualClock, ada: Person, otieno: Person
) -> Conversation:
    async def work(tx: Connection) -> Conversation:
        return await start_conversation(
            tx, keyring, clock, members=[ada.id, otieno.id], subject="Ziwa Fish"
        )

    return await database.transaction(work)


class Contacts:
    """BusinessContacts over the one table it needs."""

    async def contact(
        self, connection: Connection, business_id: BusinessId
    ) -> BusinessContact | None:
        row = await connection.fetchrow(
            "SELECT owner_id, name FROM businesses WHERE id = $1", business_id
        )
        return BusinessContact(*row) if row else None


As = Callable[[Person], AsyncClient]


@pytest_asyncio.fixture
async def as_(
    database: Database,
    redis: RedisClient,
    clock: ManualClock,
    keyring: Keyring,
    settings: Settings,
) -> AsyncIterator[As]:
    """A client signed in as somebody."""
    tokens = Tokens(settings.keys.signing, clock)
    parts: dict[str, Any] = {
        "database": database, "redis": redis, "clock": clock, "keyring": keyring,
        "limits": Limits(redis, clock), "business_contacts": Contacts(), "tokens": tokens,
    }  # fmt: skip

    def provide(name: str) -> Provide:
        return Provide(lambda: parts[name], sync_to_thread=False)

    app = Litestar(
        routes,
        dependencies={name: provide(name) for name in parts if name != "tokens"},
        middleware=[Authentication],
        exception_handlers={
            HubError: lambda _, e: Response(
                problem(e), status_code=status_of(e), media_type=MEDIA_TYPE
            )
        },
    )
    app.state.hub = SimpleNamespace(**parts)
    transport = ASGITransport(app, raise_app_exceptions=False)

    def client(person: Person) -> AsyncClient:
        token = tokens.issue_access(Principal(person.id, person.roles, None, new_id(clock.now())))
        return AsyncClient(
            transport=transport,
            base_url="http://hub.test",
            headers={"Authorization": f"Bearer {token}"},
        )

    return client
