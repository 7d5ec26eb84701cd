"""A web app with identity's routes only, and a phone that keeps the codes it gets."""

from collections.abc import AsyncIterator
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
from hub.identity import Authentication, Person, Tokens, register_person
from hub.identity.routes import routes
from hub.limits import Limits
from hub.phone import Phone
from hub.problems import MEDIA_TYPE, problem, status_of
from hub.redis_client import RedisClient
from hub.sealing import Keyring
from hub.settings import Settings

AMINA = Phone("+254700000001")


class RecordingSender:
    """A CodeSender that only remembers; ``broken`` makes it fail like a provider that is down."""

    def __init__(self) -> None:
        self.sent: list[tuple[Phone, str, str]] = []
        self.broken = False

    async def send_code(self, phone: Phone, code: str, language: str) -> None:
        if self.broken:
            raise ConnectionError(f"could not send {code} to {phone}")
        self.sent.append((phone, code, language))

    @property
    def last_code(self) -> str:
        return self.sent[-1][1]


@pytest.fixture
def sender() -> RecordingSender:
    return RecordingSender()


@pytest.fixture
def tokens(settings: Settings, clock: ManualClock) -> Tokens:
    return Tokens(settings.keys.signing, clock)


@pytest_asyncio.fixture
async def amina(database: Database, keyring: Keyring, clock: ManualClock) -> Person:
    async def work(tx: Connection) -> Person:
        return await register_person(
            tx, keyring, clock, phone=AMINA, display_name="Amina", legal_name="Amina Otieno",
            language="sw", country="KE", roles=["owner"], kyc_level=1, pin="2580",
        )  # fmt: skip

    return await database.transaction(work)


@pytest_asyncio.fixture
async def client(
    database: Database,
    redis: RedisClient,
    clock: ManualClock,
    keyring: Keyring,
    settings: Settings,
    tokens: Tokens,
    sender: RecordingSender,
) -> AsyncIterator[AsyncClient]:
    parts: dict[str, Any] = {
        "database": database, "redis": redis, "clock": clock, "keyring": keyring,
        "settings": settings, "tokens": tokens, "code_sender": sender,
        "limits": Limits(redis, clock),
    }  # fmt: skip

    def provide(name: str) -> Provide:
        return Provide(lambda: parts[name], sync_to_thread=False)

    app = Litestar(
        routes,
        dependencies={name: provide(name) for name in parts},
        middleware=[Authentication],
        exception_handlers={
            HubError: lambda _, e: Response(
                problem(e), status_code=status_of(e), media_type=MEDIA_TYPE
            )
        },
    )
    app.state.hub = SimpleNamespace(**parts)
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://hub.test") as opened:
        yield opened
