"""The other end of the fan-out benchmark: many cheap sessions, and the publisher.

Driven by JSON lines on stdin, one answer each on stdout. Frames are not parsed: a delivery is an
occurrence of the payload's marker, which counts alike for every server under test.

    {"do": "open", "sessions": n}       {"do": "close"}
    {"do": "steady", "per_s": messages a second, "seconds": s}   -> deliveries, latencies
    {"do": "saturate", "seconds": s}    -> deliveries, seconds
"""

import asyncio
import base64
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

import uvloop

from hub.clock import SystemClock
from hub.identity import Principal, Tokens
from hub.ids import PersonId
from hub.realtime import Numbered, RedisBroker
from hub.redis_client import open_redis
from hub.settings import Secret

MARK = b'"t":'
PING = b"\x81\x02{}"  # of our protocol, as a frame
PAYLOAD_BYTES = 128
SAMPLED = 20  # every so many-th session measures latency
IN_FLIGHT = 256  # messages, while saturating
OPENING = 64


def now_us() -> int:
    return time.monotonic_ns() // 1000


def payload() -> bytes:
    """128 bytes of JSON that carry the time of publishing."""
    head = b'{"t":%d,"pad":"' % now_us()
    return head + b"x" * (PAYLOAD_BYTES - len(head) - 2) + b'"}'


class Session(asyncio.Protocol):
    """Counts deliveries; a sampled one also notes how old each is."""

    received = 0
    closed = 0
    __slots__ = ("last", "latencies", "opening", "ready", "transport")

    def __init__(self, opening: list[bytes], sampled: bool) -> None:
        self.opening = opening
        self.ready = asyncio.get_running_loop().create_future()
        self.latencies: list[int] | None = [] if sampled else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._next()

    def _next(self) -> None:
        if self.opening:
            self.transport.write(self.opening.pop(0))  # type: ignore[attr-defined]
        elif not self.ready.done():
            self.ready.set_result(None)

    def data_received(self, data: bytes) -> None:
        if not self.ready.done():
            self._next()
            return
        self.last = data[-64:]
        if PING in data:
            self.transport.write(frame(b"{}"))  # type: ignore[attr-defined]
        found = data.count(MARK)
        Session.received += found
        if self.latencies is not None and found:
            start = data.find(MARK) + len(MARK)
            self.latencies.append(now_us() - int(data[start : data.find(b",", start)]))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionResetError())
        elif sessions:
            Session.closed += 1
            if Session.closed == 1:
                print(f"a session was closed by the server: {self.last!r}", file=sys.stderr)


sessions: list[Session] = []


def frame(payload: bytes) -> bytes:
    """A masked text frame; the mask is zero."""
    size = len(payload)
    head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    return head + b"\0\0\0\0" + payload


def handshake(path: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


class Target(Protocol):
    """A server under test; ``burst`` is how many messages go out together at saturation."""

    burst: int

    def opening(self) -> list[bytes]: ...
    async def publish(self, messages: int) -> None: ...


class Ours:
    """Connect with a token, personal channel by the server, subscribe to one offering; messages
    are published as the relay does: numbered, into the stream, out by pub/sub."""

    burst = 32

    def __init__(self, key: str, redis: Any) -> None:
        self._tokens = Tokens(Secret(key), SystemClock())
        self._broker = RedisBroker(redis, SystemClock())
        self._offset = 0

    def opening(self) -> list[bytes]:
        principal = Principal(PersonId(uuid4()), frozenset(), None, UUID(int=0))
        token = self._tokens.issue_connection(principal, name="Bench")
        connect = json.dumps({"id": 1, "connect": {"token": token}}).encode()
        subscribe = b'{"id":2,"subscribe":{"channel":"offering:bench"}}'
        return [handshake("/connection/websocket"), frame(connect), frame(subscribe)]

    async def publish(self, messages: int) -> None:
        first, self._offset = self._offset + 1, self._offset + messages
        await self._broker.publish_numbered(
            [
                Numbered("offering:bench", offset, "benchmrk", payload(), 1)
                for offset in range(first, self._offset + 1)
            ]
        )


class Nchan:
    """Subscribe by WebSocket, publish by POST over one kept-alive connection."""

    burst = 8

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None

    def opening(self) -> list[bytes]:
        return [handshake("/sub")]

    async def publish(self, messages: int) -> None:
        if self._reader is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        head = f"POST /pub HTTP/1.1\r\nHost: bench\r\nContent-Length: {PAYLOAD_BYTES}\r\n\r\n"
        for _ in range(messages):
            self._writer.write(head.encode() + payload())
        for _ in range(messages):
            answer = await self._reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await self._reader.readexactly(length)


async def open_sessions(target: Target, port: int, count: int) -> None:
    loop = asyncio.get_running_loop()

    async def one(number: int) -> None:
        sampled = number % SAMPLED == 0
        made = loop.create_connection(lambda: Session(target.opening(), sampled), "127.0.0.1", port)
        _, session = await made
        await session.ready
        sessions.append(session)

    for start in range(0, count, OPENING):
        await asyncio.gather(*map(one, range(start, min(start + OPENING, count))))


async def close_sessions() -> None:
    closing, sessions[:] = list(sessions), []
    for session in closing:
        session.transport.close()
    await asyncio.sleep(0.5)


async def settle(expected: int) -> None:
    """Waits until what was published has arrived, at most 3 s."""
    deadline = time.monotonic() + 3
    while Session.received < expected and time.monotonic() < deadline:
        await asyncio.sleep(0.01)


async def steady(target: Target, per_s: float, seconds: float) -> dict[str, Any]:
    for session in sessions:
        if session.latencies is not None:
            session.latencies.clear()
    before, published = Session.received, 0
    start = time.monotonic()
    while (due := start + published / per_s) < start + seconds:
        await asyncio.sleep(max(0, due - time.monotonic()))
        await target.publish(1)
        published += 1
    await settle(before + published * len(sessions))
    ages = sorted(each for s in sessions if s.latencies is not None for each in s.latencies)
    return {
        "deliveries": Session.received - before,
        "expected": published * len(sessions),
        "p99_ms": ages[int(len(ages) * 0.99)] / 1000 if ages else None,
        "p50_ms": ages[len(ages) // 2] / 1000 if ages else None,
    }


async def saturate(target: Target, seconds: float) -> dict[str, Any]:
    """Publishes as fast as the slowest part allows, with a bound on what is under way; the time
    counts until the last delivery."""
    before, published = Session.received, 0
    start = time.monotonic()
    while time.monotonic() < start + seconds:
        arrived = (Session.received - before) / len(sessions)
        if published - arrived < IN_FLIGHT:
            await target.publish(target.burst)
            published += target.burst
        else:
            await asyncio.sleep(0.001)
    await settle(before + published * len(sessions))
    received = Session.received - before
    return {
        "deliveries": received,
        "expected": published * len(sessions),
        "seconds": time.monotonic() - start,
    }


async def main(kind: str, port: int, key: str, redis_url: str) -> None:
    loop = asyncio.get_running_loop()
    async with open_redis(redis_url) as redis:
        target: Target = Ours(key, redis) if kind == "ours" else Nchan(port)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            order = json.loads(line)
            answer: dict[str, Any] = {}
            if order["do"] == "open":
                await open_sessions(target, port, order["sessions"])
            elif order["do"] == "close":
                await close_sessions()
            elif order["do"] == "steady":
                answer = await steady(target, order["per_s"], order["seconds"])
            else:
                answer = await saturate(target, order["seconds"])
            print(json.dumps(answer), flush=True)
        os._exit(0)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]).read_text(), sys.argv[4]))
