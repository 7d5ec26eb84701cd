"""Investments through the real web process: HTTP, authentication, JSON, limits.

``hub serve`` runs as in production on the same servers; the client is as lean as the protocol
allows, since it shares the cores: prepared bytes over connections that stay open.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import cast

import httpx
from cpu import CpuSplit

from hub.clock import Clock, SystemClock
from hub.database import Connection
from hub.embedded import Addresses
from hub.identity import Principal, Tokens, register_person
from hub.ids import OfferingId, PostingId, new_id
from hub.ledger import AccountRef, Leg, Posting, open_account, post
from hub.phone import Phone
from hub.sealing import Keyring
from hub.settings import Settings
from hub.up import development_environment

__all__ = ["CONNECTIONS", "Web", "web"]

CONNECTIONS = 64


class Web:
    """A running web process and the requests of people who are signed in."""

    def __init__(self, port: int, pid: int, heads: list[bytes], body: bytes) -> None:
        self._port, self._pid, self._body = port, pid, body
        self._heads = heads
        self._keys = count()

    def requests(self) -> Iterator[bytes]:
        """One investment after the other, by everybody in turn."""
        while True:
            for head in self._heads:
                yield head + b"Idempotency-Key: h%d\r\n\r\n" % next(self._keys) + self._body

    async def load(self, seconds: float) -> tuple[float, dict[str, float]]:
        """Answers 201 a second, and the cores that each program kept busy."""
        loop, requests = asyncio.get_running_loop(), self.requests()
        split, started = CpuSplit(web=self._pid), time.monotonic()
        callers = [
            (await loop.create_connection(lambda: _Caller(requests), "127.0.0.1", self._port))[1]
            for _ in range(CONNECTIONS)
        ]
        await asyncio.sleep(seconds)
        for caller in callers:
            caller.last = True
        await asyncio.wait_for(asyncio.gather(*(caller.finished for caller in callers)), 20)
        took = time.monotonic() - started
        return sum(caller.done for caller in callers) / took, split.of(took)


class _Caller(asyncio.Protocol):
    """Asks, waits for the answer, asks again; until ``last``."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self._received = b""
        self.done, self.last = 0, False
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0])
        if len(body) < length:
            return
        if not head.startswith(b"HTTP/1.1 201"):
            self.finished.set_exception(AssertionError(self._received.decode()))
            self._transport.abort()
            return
        self.done, self._received = self.done + 1, b""
        if not self.last:
            self._transport.write(next(self._requests))
        else:
            self._transport.close()
            self.finished.set_result(None)

    def connection_lost(self, _: Exception | None) -> None:
        if not self.finished.done():
            self.finished.set_exception(ConnectionError("the web process hung up"))


@asynccontextmanager
async def web(
    addresses: Addresses, folder: Path, tx: Connection, offering: OfferingId, people: int
) -> AsyncIterator[Web]:
    """``hub serve`` on the servers, with signed-in people who have money; made through ``tx``."""
    port = _free_port()
    given = {**os.environ, "HUB_PORT": str(port), "HUB_SANDBOX_PORT": str(port + 1)}
    environment = development_environment(given, folder, addresses)
    settings, clock = Settings.load(environment), SystemClock()
    keyring = Keyring(settings.keys.master_bytes())
    tokens = Tokens(settings.keys.signing, clock)
    body = b'{"offering_id":"%s","amount":{"amount":100,"currency":"KES"}}' % str(offering).encode()
    heads = []
    async with tx.transaction():
        for n in range(people):
            principal = await _investor(tx, clock, keyring, n)
            heads.append(
                b"POST /v1/investments HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n"
                % (tokens.issue_access(principal).encode(), len(body))
            )
    process = subprocess.Popen([Path(sys.executable).parent / "hub", "serve"], env=environment)
    try:
        async with httpx.AsyncClient() as client:
            for _ in range(300):
                try:
                    await client.get(f"http://127.0.0.1:{port}/.well-known/jwks.json")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
        yield Web(port, process.pid, heads, body)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


async def _investor(tx: Connection, clock: Clock, keyring: Keyring, n: int) -> Principal:
    person = await register_person(
        tx, keyring, clock, phone=Phone(f"+2547110{n:05d}"), display_name=f"Caller {n}",
        legal_name=f"Caller {n}", language="en", country="KE", roles=[], kyc_level=3,
    )  # fmt: skip
    bank = await open_account(tx, clock, AccountRef("gateway:bench", "clearing", "KES"))
    wallet = await open_account(tx, clock, AccountRef(f"person:{person.id}", "wallet", "KES"))
    await post(
        tx,
        clock,
        Posting(
            id=PostingId(new_id(clock.now())),
            reference=f"fund:caller:{n}",
            legs=(Leg(bank.id, -(10**7), "KES"), Leg(wallet.id, 10**7, "KES")),
            effective_at=clock.now(),
        ),
    )
    return Principal(person.id, frozenset(), None, new_id(clock.now()))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
