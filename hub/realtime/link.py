"""One subscribing connection to one Redis server, fed by hiredis: a message costs a parse and a
call, no task.

Channels are subscribed with sharded pub/sub (``SSUBSCRIBE``), on a single node as on a cluster:
Redis 7 and Valkey know it in both, a cluster's other nodes are not bothered with each message, and
there is one path to test. Answers come in the order of the commands, so a refusal, which names no
channel, is matched to the oldest command without an answer.
"""

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import hiredis

__all__ = ["Address", "Link"]

logger = logging.getLogger(__name__)

_SILENCE_SECONDS = 5.0
_ANSWER_SECONDS = 2.0


class Address:
    """Where a Redis server is, from the connection settings of a redis-py client."""

    def __init__(self, settings: Mapping[str, Any], *, tls: bool) -> None:
        self._settings = settings
        self._tls = tls
        self.path: str | None = settings.get("path")
        self.host: str = settings.get("host") or "localhost"
        self.port: int = int(settings.get("port") or 6379)
        self.user: str | None = settings.get("username")
        self.secret: str | None = settings.get("password")
        self.tls = ssl.create_default_context(cafile=settings.get("ssl_ca_certs")) if tls else None

    def at(self, host: str, port: int) -> "Address":
        """Another node of the same cluster."""
        return Address({**self._settings, "path": None, "host": host, "port": port}, tls=self._tls)

    @property
    def place(self) -> tuple[str, int]:
        return self.host, self.port

    async def open(self, protocol: "Link") -> None:
        loop = asyncio.get_running_loop()
        if self.path:
            await loop.create_unix_connection(lambda: protocol, self.path)
        else:
            await loop.create_connection(lambda: protocol, self.host, self.port, ssl=self.tls)


class Link(asyncio.Protocol):
    """Parses replies, tells messages, confirmations and refusals apart, notices silence.

    ``on_refused(channel, fault)``: Redis does not (or, with no fault, no longer) serve it here.
    """

    def __init__(
        self,
        on_message: Callable[[bytes, bytes], None],
        on_confirmed: Callable[[bytes], None],
        on_refused: Callable[[bytes, Exception | None], None],
    ) -> None:
        self._reader = hiredis.Reader()
        self._on_message = on_message
        self._on_confirmed = on_confirmed
        self._on_refused = on_refused
        self._transport: asyncio.Transport | None = None
        self._asked: deque[tuple[bool, bytes]] = deque()
        self._answer: asyncio.Future[object] | None = None
        self._heard = False
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or ConnectionResetError("Redis closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._heard = True
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not False:
                self._take(reply)
        except Exception as fault:
            logger.exception("what Redis sent could not be handled")
            self._end(fault)

    def _take(self, reply: Any) -> None:
        if isinstance(reply, list) and reply and self._answer is None:
            if reply[0] == b"smessage":
                self._on_message(reply[1], reply[2])
            elif reply[0] == b"ssubscribe":
                if not self._asked or self._asked.popleft() != (True, reply[1]):
                    raise ValueError("Redis confirms what was not asked")
                self._on_confirmed(reply[1])
            elif reply[0] == b"sunsubscribe":
                if self._asked and self._asked[0] == (False, reply[1]):
                    self._asked.popleft()
                else:  # its slot has moved to another node
                    self._on_refused(reply[1], None)
        elif self._answer is not None:
            answer, self._answer = self._answer, None
            if not answer.done():
                answer.set_result(reply)
        elif isinstance(reply, Exception) and self._asked:
            joins, channel = self._asked.popleft()
            if joins:
                self._on_refused(channel, reply)

    def join(self, channels: Sequence[bytes]) -> None:
        """Asks for channels: a command each, because in a cluster one names one slot's only."""
        self._asked.extend((True, channel) for channel in channels)
        self._write(b"".join(_command(b"SSUBSCRIBE", channel) for channel in channels))

    def part(self, channel: bytes) -> None:
        self._asked.append((False, channel))
        self._write(_command(b"SUNSUBSCRIBE", channel))

    async def ask(self, *words: bytes) -> object:
        """The answer to another command, before anything is subscribed. Raises what Redis
        answers, and ``TimeoutError``."""
        self._answer = answer = asyncio.get_running_loop().create_future()
        self._write(_command(*words))
        async with asyncio.timeout(_ANSWER_SECONDS):
            done, _ = await asyncio.wait([answer, self.closed], return_when=asyncio.FIRST_COMPLETED)
        if answer not in done:
            self.closed.result()
        if isinstance(reply := answer.result(), Exception):
            raise reply
        return reply

    async def prepare(self, user: str | None, secret: str | None) -> None:
        """Signs in where Redis asks for it."""
        if secret:
            await self.ask(b"AUTH", *((user.encode(),) if user else ()), secret.encode())

    async def watch(self) -> None:
        """Waits for the end of the connection, and ends it if Redis falls silent."""
        while True:
            self._heard = False
            done, _ = await asyncio.wait([self.closed], timeout=_SILENCE_SECONDS)
            if not done and not self._heard:
                self._write(_command(b"PING"))
                done, _ = await asyncio.wait([self.closed], timeout=_SILENCE_SECONDS)
                if not done and not self._heard:
                    raise TimeoutError("Redis is silent")
            if done:
                self.closed.result()

    def close(self) -> None:
        self._end(None)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _end(self, fault: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_exception(fault or ConnectionResetError("closed"))
            self.closed.exception()  # somebody may be waiting, or nobody
        if self._transport is not None:
            self._transport.abort()


def _command(*words: bytes) -> bytes:
    return bytes(hiredis.pack_command(cast("tuple[bytes]", words)))
