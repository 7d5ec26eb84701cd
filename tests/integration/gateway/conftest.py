"""The gateway as an operator starts it: a process of its own, a file, and Redis."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from hub.clock import SystemClock
from hub.embedded import Addresses

CLOCK = SystemClock()
SECRET = "a secret that is long enough for everybody"


class Gateway:
    """A running gateway."""

    def __init__(self, port: int, process: asyncio.subprocess.Process) -> None:
        self.port, self.process = port, process
        self.url = f"ws://127.0.0.1:{port}/connection/websocket"
        self.http = f"http://127.0.0.1:{port}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def running(toml: str, folder: Path, **environment: str) -> AsyncIterator[Gateway]:
    """Starts it and waits until it serves; nothing of the product is in its environment."""
    path, port = folder / "gateway.toml", free_port()
    path.write_text(toml)
    given = {
        "PATH": os.environ["PATH"],
        "HUB_DATA_DIR": str(folder / "data"),
        "HUB_REALTIME_CONFIG": str(path),
        **environment,
    }
    command = [sys.executable, "-m", "hub.cli", "serve", "--only", "realtime", "--port", str(port)]
    process = await asyncio.create_subprocess_exec(*command, env=given)
    gateway = Gateway(port, process)
    try:
        async with httpx.AsyncClient() as client, asyncio.timeout(30):
            while True:
                assert process.returncode is None, "the gateway did not start"
                try:
                    answer = await client.get(f"{gateway.http}/health/ready")
                    if answer.status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)
        yield gateway
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), 15)


@pytest.fixture
def start(tmp_path: Path, servers: Addresses) -> Callable[[str], Any]:
    """Starts a gateway on the session's Redis."""

    def open_gateway(toml: str) -> Any:
        return running(toml, tmp_path, HUB_REDIS_URL=servers.redis_url)

    return open_gateway


@pytest.fixture
def start_alone(tmp_path: Path) -> Callable[[str], Any]:
    """Starts a gateway that nobody gives a Redis."""
    return lambda toml: running(toml, tmp_path)


@pytest.fixture
def signed() -> Callable[..., str]:
    """A token with these claims; times are in seconds from now."""

    def sign(**claims: Any) -> str:
        now = int(CLOCK.now().timestamp())
        times = {name: now + claims.pop(name) for name in ("exp", "nbf") if name in claims}
        return jwt.encode({**claims, **times}, SECRET, algorithm="HS256")

    return sign


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Coroutine[Any, Any, None]]:
    """Waits until something is true; fails after 10 s."""

    async def wait(condition: Callable[[], object], seconds: float = 10) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)

    return wait
