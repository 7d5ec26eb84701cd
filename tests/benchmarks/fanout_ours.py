"""Our server as the load generator meets it: signed in, personal channel, one offering.

What publishes is recorded from the product's own ``RedisBroker.publish_numbered``, as the relay
calls it: numbered, into the stream, out by pub/sub, in one round trip.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fanout_peer import Server, on_core
from fanout_wire import (
    BASE,
    CHANNEL,
    NUMBER,
    Step,
    channel_digits,
    frame,
    handshake,
    payload,
)

from hub.clock import SystemClock
from hub.identity import Principal, Tokens
from hub.ids import PersonId
from hub.realtime import Numbered, RedisBroker
from hub.redis_client import open_redis
from hub.settings import Secret

__all__ = ["EPOCH", "Ours", "offering", "personal"]

EPOCH = "benchmrk"
_HERE = Path(__file__).parent
_PATH = "/connection/websocket"
_SEEDED_AT_ONCE = 1000


def offering(digits: str) -> str:
    return f"offering:{digits}"


def _person(digits: str) -> str:
    return f"00000000-0000-7000-8000-000000{digits}"


def personal(digits: str) -> str:
    return f"personal:#{_person(digits)}"


class Ours:
    """Servers of the product on one Redis. ``folder`` keeps their signing key."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self._folder, self._redis_url = folder, redis_url
        self._key = folder / "signing.pem"
        pem = Ed25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        self._key.write_bytes(pem)
        self._tokens = Tokens(Secret(pem.decode()), SystemClock())

    @contextmanager
    def running(self, core: int = 0) -> Iterator[Server]:
        arguments = [str(_HERE / "fanout_server.py"), str(self._key), self._redis_url]
        with on_core(core):
            process = subprocess.Popen(
                [sys.executable, *arguments], stdout=subprocess.PIPE, text=True
            )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise SystemExit("our server did not start")
            yield Server(
                name="ours",
                version="",
                pid=process.pid,
                port=int(line),
                opening=self.opening,
                publisher=self._redis_url.removeprefix("unix://"),
                publication=self.publication(offering(CHANNEL), payload()),
                greeting=[],
                ping=b"{}",
                pong=frame(b"{}"),
                collect=lambda: os.kill(process.pid, signal.SIGUSR1),
            )
        finally:
            process.kill()
            process.wait()

    def token(self, session: int) -> str:
        person = PersonId(UUID(_person(channel_digits(session))))
        principal = Principal(person, frozenset(), None, UUID(int=0))
        return self._tokens.issue_connection(principal, name="Bench")

    def opening(self, session: int, channel: int) -> list[Step]:
        connect = json.dumps({"id": 1, "connect": {"token": self.token(session)}})
        name = offering(channel_digits(channel))
        subscribe = json.dumps({"id": 2, "subscribe": {"channel": name}})
        return [
            handshake(_PATH),
            Step(frame(connect.encode()), b'"id":1'),
            Step(frame(subscribe.encode()), b'"id":2'),
        ]

    def resuming(self, session: int, channel: int) -> list[Step]:
        """The same, from where it stood: ones stand for the personal offset, twos for the other."""
        back = {"recover": True, "epoch": EPOCH}
        name = personal(channel_digits(session))
        subs = {name: {**back, "offset": 1111111111}}
        connect = {"id": 1, "connect": {"token": self.token(session), "subs": subs}}
        name = offering(channel_digits(channel))
        subscribe = {"id": 2, "subscribe": {"channel": name, **back, "offset": 2222222222}}
        return [
            handshake(_PATH),
            Step(frame(json.dumps(connect).encode()), b'"id":1'),
            Step(frame(json.dumps(subscribe).encode()), b'"id":2'),
        ]

    def seed(self, channels: Iterable[str]) -> None:
        """Gives each channel its first publication, so that all stand at the same number."""
        asyncio.run(self._seed(list(channels)))

    async def _seed(self, channels: list[str]) -> None:
        async with open_redis(self._redis_url) as redis:
            broker = RedisBroker(redis, SystemClock())
            for start in range(0, len(channels), _SEEDED_AT_ONCE):
                part = channels[start : start + _SEEDED_AT_ONCE]
                await broker.publish_numbered(
                    [Numbered(name, BASE, EPOCH, b'{"seed":true}', 1) for name in part]
                )

    def publication(self, channel: str, data: bytes) -> bytes:
        """The bytes by which the broker publishes, placeholders and all."""
        return asyncio.run(self._record(Numbered(channel, int(NUMBER), EPOCH, data, 1)))

    async def _record(self, numbered: Numbered) -> bytes:
        sent: list[bytes] = []
        path = self._redis_url.removeprefix("unix://")

        async def copy(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, note: bool
        ) -> None:
            while data := await reader.read(65536):
                if note:
                    sent.append(data)
                writer.write(data)

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            to_reader, to_writer = await asyncio.open_unix_connection(path)
            with suppress(asyncio.CancelledError):
                await asyncio.gather(
                    copy(reader, to_writer, note=True), copy(to_reader, writer, note=False)
                )
            to_writer.close()
            writer.close()

        record = self._folder / "record.sock"
        server = await asyncio.start_unix_server(relay, record)
        async with server, open_redis(f"unix://{record}") as redis:
            broker = RedisBroker(redis, SystemClock())
            await broker.publish_numbered([numbered])  # introduces itself, loads its script
            sent.clear()
            await broker.publish_numbered([numbered])
            server.close()
        record.unlink(missing_ok=True)
        return b"".join(sent)
