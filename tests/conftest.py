"""Real services for every test: an embedded PostgreSQL and Valkey, started once a session.

``database`` is a fresh copy of the fully migrated schema for each test; ``redis`` is empty at the
start of each test. ``clock`` stands still until a test moves it.
"""

import base64
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hub.clock import ManualClock
from hub.database import Database
from hub.embedded import Addresses, embedded_servers
from hub.migrations import migrate
from hub.redis_client import RedisClient, open_redis
from hub.sealing import Keyring
from hub.settings import Settings


def pytest_configure() -> None:
    """Ended by SIGTERM, the tests stop their servers as they do after Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""A database a test is copied from a template: in memory that takes 25 ms instead of 200."""


@pytest.fixture(scope="session")
def servers() -> Iterator[Addresses]:
    """The session's own PostgreSQL and Valkey."""
    with (
        tempfile.TemporaryDirectory(prefix="bvester-test-", dir=_MEMORY) as folder,
        embedded_servers(Path(folder), durable=False) as addresses,
    ):
        yield addresses


@pytest_asyncio.fixture(scope="session")
async def template(servers: Addresses) -> str:
    """A migrated database that each test's own is copied from."""
    admin = await asyncpg.connect(servers.database_url)
    await admin.execute("CREATE DATABASE template_hub")
    await admin.close()
    url = servers.database_url.replace("/hub?", "/template_hub?")
    async with Database.open(url) as database:
        await migrate(database)
    return "template_hub"


@pytest_asyncio.fixture
async def database_url(servers: Addresses, template: str) -> AsyncIterator[str]:
    admin = await asyncpg.connect(servers.database_url)
    try:
        await admin.execute("DROP DATABASE IF EXISTS test_hub WITH (FORCE)")
        await admin.execute(f"CREATE DATABASE test_hub TEMPLATE {template} STRATEGY file_copy")
        yield servers.database_url.replace("/hub?", "/test_hub?")
    finally:
        await admin.close()


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database.open(database_url) as opened:
        yield opened


@pytest_asyncio.fixture
async def redis(servers: Addresses) -> AsyncIterator[RedisClient]:
    async with open_redis(servers.redis_url) as client:
        await client.flushall()
        yield client


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 24, 9, 0, tzinfo=UTC))


@pytest.fixture(scope="session")
def environment(servers: Addresses) -> dict[str, str]:
    """Variables of a complete test hub; tests add or replace what they need."""
    signing = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return {
        "HUB_ENV": "test",
        "HUB_DATABASE_URL": servers.database_url,
        "HUB_REDIS_URL": servers.redis_url,
        "HUB_MASTER_KEY": base64.b64encode(bytes(range(32))).decode(),
        "HUB_SIGNING_KEY": signing.decode().replace("\n", "\\n"),
        "HUB_PAYSTACK_SECRET_KEY": "sk_test_5f2f1c0a9d",
        "HUB_AT_API_KEY": "at-test-key",
        "HUB_AT_CALLBACK_TOKEN": "callback-token-for-tests",
        "HUB_FCM_SERVICE_ACCOUNT": "{}",
    }


@pytest.fixture
def settings(environment: dict[str, str], database_url: str) -> Settings:
    return Settings.load({**environment, "HUB_DATABASE_URL": database_url})


@pytest.fixture
def keyring(settings: Settings) -> Keyring:
    return Keyring(settings.keys.master_bytes())
