"""The whole product as a user starts it: ``hub up`` with demo data in a folder of its own."""

import asyncio
import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

ROOT = Path(__file__).parents[2]
HUB = str(Path(sys.executable).parent / "hub")


def free_ports() -> int:
    """A port whose successor is free too (web and sandbox), below the range that the kernel hands
    out, so that no passing connection takes it first."""
    while True:
        port = random.randrange(20_000, 32_000, 2)
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


class RunningHub:
    """A ``hub up`` and what it has printed."""

    def __init__(self, data_dir: Path, port: int, **extra: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.socket_url = f"ws://127.0.0.1:{port}/connection/websocket"
        self.sandbox = f"http://127.0.0.1:{port + 1}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HUB_")},
            "HUB_DATA_DIR": str(data_dir),
            "HUB_PORT": str(port),
            **extra,
        }
        self.log_path = data_dir.with_suffix(".log")
        self._log = self.log_path.open("ab")
        self._log_start = self._log.seek(0, os.SEEK_END)
        self.process = subprocess.Popen(
            [HUB, "up"],
            cwd=ROOT,
            env=self.environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def log(self) -> str:
        """What this run has printed (an earlier one on the same folder may stand before it)."""
        return self.log_path.read_bytes()[self._log_start :].decode(errors="replace")

    def await_ready(self, seconds: float = 90) -> float:
        """Waits until all parts are up; how long it took."""
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            if self.process.poll() is not None:
                raise AssertionError(f"hub up ended early:\n{self.log[-4000:]}")
            if "web started" in self.log:  # before, a killed run's web process may still answer
                with contextlib.suppress(httpx.HTTPError):
                    if httpx.get(f"{self.url}/health/ready", timeout=2).status_code == 200:
                        return time.monotonic() - started
            time.sleep(0.1)
        raise AssertionError(f"not ready after {seconds} s:\n{self.log[-4000:]}")

    def pid_of(self, name: str) -> int:
        """The process id of the newest process with this Procfile name."""
        found = re.findall(rf"{name} started \(pid=(\d+)\)", self.log)
        return int(found[-1])

    def kill(self, name: str) -> None:
        """Kills one process without warning (SIGKILL)."""
        os.kill(self.pid_of(name), signal.SIGKILL)

    def run(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """One ``hub`` command beside the running hub."""
        return subprocess.run(
            [HUB, *arguments], cwd=ROOT, env=self.environment, input=stdin,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def stop(self) -> int:
        """Ctrl-C, as a user would; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._log.close()
        return self.process.returncode


@pytest.fixture(scope="session")
def hub() -> Iterator[RunningHub]:
    """One running product for all end-to-end tests; waits are a tenth of real life's."""
    folder = Path(tempfile.mkdtemp(prefix="bvester-e2e-"))
    running = RunningHub(folder / "hub", free_ports(), HUB_ESCALATION_WAIT_PERCENT="10")
    try:
        running.await_ready()
        yield running
    finally:
        code = running.stop()
        shutil.rmtree(folder, ignore_errors=True)
    assert code == 0, "Ctrl-C must end the product cleanly"


async def eventually(check: Callable[[], Any], seconds: float = 20) -> Any:
    """The first true result of ``check``, asked again and again; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        result = check()
        if asyncio.iscoroutine(result):
            result = await result
        if result:
            return result
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.1)


class SandboxPhone:
    """A person's phone in the sandbox: reads and sends SMS, dials USSD."""

    def __init__(self, client: httpx.AsyncClient, number: str) -> None:
        self._client = client
        self.number = number
        self._session: str | None = None

    async def inbox(self) -> list[dict[str, Any]]:
        answer = await self._client.get(f"/phone/{self.number}/messages")
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return [item for item in items if item["direction"] == "in"]

    async def await_sms(self, containing: str, seconds: float = 20) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            found = [item for item in await self.inbox() if containing in item["text"]]
            return found[-1] if found else None

        result: dict[str, Any] = await eventually(look, seconds)
        return result

    async def text(self, to: str, text: str) -> None:
        answer = await self._client.post(
            f"/phone/{self.number}/messages", json={"to": to, "text": text}
        )
        assert answer.status_code < 300, answer.text

    async def dial(self, code: str) -> str:
        self._session = None
        return await self.press(code)

    async def press(self, keys: str) -> str:
        answer = await self._client.post(
            f"/phone/{self.number}/ussd", json={"session_id": self._session, "input": keys}
        )
        assert answer.status_code == 200, answer.text
        body = answer.json()
        self._session = body["session_id"] if body["more"] else None
        text: str = body["text"]
        return text


@pytest_asyncio.fixture
async def sandbox(hub: RunningHub) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=hub.sandbox, timeout=30) as client:
        yield client


@pytest.fixture
def phone(sandbox: httpx.AsyncClient) -> Callable[[str], SandboxPhone]:
    return lambda number: SandboxPhone(sandbox, number)


class ApiClient:
    """A signed-in person's app."""

    def __init__(self, client: httpx.AsyncClient, session: dict[str, Any]) -> None:
        self.http = client
        self.person = session["person"]
        self.refresh_token = session["refresh_token"]
        self.http.headers["Authorization"] = f"Bearer {session['access_token']}"

    async def get(self, path: str) -> Any:
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any, key: str | None = None) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return await self.http.post(path, json=body, headers=headers)

    async def balance(self, currency: str = "KES") -> int:
        for wallet in (await self.get("/v1/wallets"))["items"]:
            if wallet["currency"] == currency:
                available: int = wallet["available"]
                return available
        return 0

    async def realtime_token(self) -> str:
        token: str = (await self.get("/v1/realtime/token"))["token"]
        return token


async def sign_in(hub: RunningHub, phone: SandboxPhone, platform: str = "android") -> ApiClient:
    """Signs in with the code read on the sandbox phone."""
    client = httpx.AsyncClient(base_url=hub.url, timeout=30)
    seen = {item["id"] for item in await phone.inbox()}
    asked = await client.post("/v1/sign-in/codes", json={"phone": phone.number})
    assert asked.status_code == 202, asked.text

    async def code() -> str | None:
        fresh = [item for item in await phone.inbox() if item["id"] not in seen]
        digits = [m.group() for item in fresh if (m := re.search(r"\b\d{6}\b", item["text"]))]
        return digits[-1] if digits else None

    made = await client.post(
        "/v1/sign-in/sessions",
        json={
            "challenge_id": asked.json()["challenge_id"],
            "code": await eventually(code),
            "device": {"platform": platform, "name": "test phone"},
        },
    )
    assert made.status_code == 201, made.text
    return ApiClient(client, made.json())
