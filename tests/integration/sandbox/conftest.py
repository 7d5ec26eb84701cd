"""A sandbox over real HTTP, and a double of the hub that takes its callbacks."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
import pytest_asyncio
import uvicorn

from hub.sandbox import Pace, create_sandbox, fresh_service_account
from hub.settings import Settings

QUICK = Pace(
    sent_report=20,
    final_report=60,
    first_retry=50,
    longest_retry=100,
    retries=100,
    call_timeout=2_000,
    ussd_answer=400,
    housekeeping=100,
)


@asynccontextmanager
async def serve(app: Any, port: int) -> AsyncIterator[None]:
    """uvicorn in the test's loop, without its signal handlers and its waits at the end."""
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, ws="none")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield
    finally:
        for listener in server.servers:
            listener.close()
        for connection in list(server.server_state.connections):
            connection.shutdown()
        await server.lifespan.shutdown()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Received:
    """One request the hub got."""

    def __init__(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.path = path
        self.headers = headers
        self.body = body

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


Answer = Callable[[Received], Awaitable[tuple[int, str]] | tuple[int, str]]


class HubDouble:
    """Takes callbacks, remembers them, and answers as a test wants."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.all: list[Received] = []
        self.answer: Answer = lambda request: (200, "")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        request = Received(scope["path"], headers, body)
        self.all.append(request)
        answer = self.answer(request)
        status, text = await answer if isinstance(answer, Awaitable) else answer
        head = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": text.encode()})

    def at(self, ending: str) -> list[Received]:
        return [request for request in self.all if request.path.endswith(ending)]

    async def wait_for(self, ending: str, count: int = 1) -> list[Received]:
        """The requests to paths with this ending, once there are so many."""
        async with asyncio.timeout(5):
            while len(self.at(ending)) < count:
                await asyncio.sleep(0.01)
        return self.at(ending)

    async def stays_at(self, ending: str, count: int, seconds: float = 0.25) -> None:
        """Nothing more than ``count`` requests come within some time."""
        await asyncio.sleep(seconds)
        assert len(self.at(ending)) == count


@pytest.fixture
def settings(tmp_path: Path, service_account: str) -> Settings:
    port, sandbox_port = free_port(), free_port()
    return Settings.load(
        {
            "HUB_ENV": "test",
            "HUB_DATA_DIR": str(tmp_path),
            "HUB_PORT": str(port),
            "HUB_SANDBOX_PORT": str(sandbox_port),
            "HUB_ALLOWED_ORIGINS": "http://127.0.0.1:8000",
            "HUB_DATABASE_URL": "postgresql://unused",
            "HUB_REDIS_URL": "redis://unused",
            "HUB_MASTER_KEY": "A" * 43 + "=",
            "HUB_SIGNING_KEY": "-----BEGIN PRIVATE KEY-----",
            "HUB_PAYSTACK_SECRET_KEY": "sk_test_sandbox",
            "HUB_AT_API_KEY": "at-key",
            "HUB_AT_CALLBACK_TOKEN": "unguessable-in-tests",
            "HUB_FCM_SERVICE_ACCOUNT": service_account,
        }
    )


@pytest.fixture(scope="session")
def service_account() -> str:
    return fresh_service_account("http://127.0.0.1:9999")


@pytest.fixture
def open_hub(settings: Settings) -> Callable[..., Any]:
    """Starts a hub when a test wants one: ``async with open_hub() as hub``."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[HubDouble]:
        double = HubDouble(settings.http.port)
        async with serve(double, double.port):
            yield double

    return opened


@pytest_asyncio.fixture
async def hub(open_hub: Callable[..., Any]) -> AsyncIterator[HubDouble]:
    async with open_hub() as double:
        yield double


@asynccontextmanager
async def running_sandbox(
    settings: Settings, pace: Pace = QUICK
) -> AsyncIterator[httpx.AsyncClient]:
    app = create_sandbox(settings, pace=pace)
    async with (
        serve(app, settings.sandbox.port),
        httpx.AsyncClient(
            base_url=settings.sandbox.url, trust_env=False, verify=False, timeout=5
        ) as client,
    ):
        yield client


@pytest.fixture
def start(settings: Settings) -> Callable[..., Any]:
    """Starts a sandbox: ``async with start() as client``; again for a restart."""
    return lambda pace=QUICK: running_sandbox(settings, pace)


@pytest_asyncio.fixture
async def sandbox(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with running_sandbox(settings) as client:
        yield client


@pytest.fixture
def misbehave(sandbox: httpx.AsyncClient) -> Callable[..., Awaitable[Any]]:
    """Tells a provider to misbehave."""

    async def tell(provider: str, what: str, **order: Any) -> Any:
        answer = await sandbox.post(
            "/behaviour", json={"provider": provider, "what": what, **order}
        )
        assert answer.status_code == 201, answer.text
        return answer.json()

    return tell
