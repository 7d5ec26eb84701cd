"""The process's one subscribing connection to Redis.

An ``asyncio.Protocol`` feeds hiredis directly: a message costs a parse and a call, no task. Any
failure (refused, reset, silent for 10 s, garbage) ends the connection and starts the next attempt
with a growing, jittered pause, for as long as the subscriber runs. After a reconnect everything
wanted is subscribed again and ``on_reconnected`` is called, because messages may be missing.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Callable, Mapping
from typing import Any, cast

import hiredis

__all__ = ["Address", "Subscriber"]

logger = logging.getLogger(__name__)

_SILENCE_SECONDS = 5.0
_LONGEST_PAUSE = 2.0
_RESUBSCRIBED_AT_ONCE = 500


class Address:
    """Where Redis is, from the connection settings of a redis-py pool."""

    def __init__(self, settings: Mapping[str, Any], *, tls: bool) -> None:
        self.path: str | None = settings.get("path")
        self.host: str = settings.get("host") or "localhost"
        self.port: int = int(settings.get("port") or 6379)
        self.user: str | None = settings.get("username")
        self.secret: str | None = settings.get("password")
        self.tls = ssl.create_default_context(cafile=settings.get("ssl_ca_certs")) if tls else None

    async def open(self, protocol: "_Connection") -> None:
        loop = asyncio.get_running_loop()
        if self.path:
            await loop.create_unix_connection(lambda: protocol, self.path)
        else:
            await loop.create_connection(lambda: protocol, self.host, self.port, ssl=self.tls)


class Subscriber:
    """Keeps wanted channels subscribed. Channels and messages are bytes."""

    def __init__(
        self,
        address: Address,
        on_message: Callable[[bytes, bytes], None],
        on_reconnected: Callable[[], None],
    ) -> None:
        self._address = address
        self._on_message = on_message
        self._on_reconnected = on_reconnected
        self._wanted: dict[bytes, asyncio.Future[None] | None] = {}
        self._connection: _Connection | None = None

    async def subscribe(self, channel: bytes) -> None:
        """Returns once Redis has confirmed; waits as long as that takes."""
        if channel not in self._wanted:
            self._wanted[channel] = asyncio.get_running_loop().create_future()
            self._send(b"SUBSCRIBE", [channel])
        waiting = self._wanted[channel]
        if waiting is not None:
            await asyncio.shield(waiting)

    def unsubscribe(self, channel: bytes) -> None:
        if channel in self._wanted:
            waiting = self._wanted.pop(channel)
            if waiting is not None and not waiting.done():
                waiting.set_result(None)
            self._send(b"UNSUBSCRIBE", [channel])

    async def run(self) -> None:
        """Connects, and connects again, until cancelled."""
        pause = 0.05
        connected_before = False
        while True:
            connection = _Connection(self._on_message, self._confirmed)
            try:
                await asyncio.wait_for(self._address.open(connection), 2)
                await connection.prepare(self._address.user, self._address.secret)
                self._connection = connection
                await self._subscribe_all(connection)
                pause = 0.05
                if connected_before:
                    logger.warning("subscribed to Redis again")
                    self._on_reconnected()
                connected_before = True
                await connection.watch()
            except Exception as fault:
                logger.warning("the subscription to Redis broke: %r", fault)
            finally:
                self._connection = None
                connection.close()
            await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _subscribe_all(self, connection: "_Connection") -> None:
        """Asks for all that is wanted and waits for every confirmation."""
        loop = asyncio.get_running_loop()
        wanted = list(self._wanted)
        for channel in wanted:
            if self._wanted[channel] is None:
                self._wanted[channel] = loop.create_future()
        for start in range(0, len(wanted), _RESUBSCRIBED_AT_ONCE):
            self._send(b"SUBSCRIBE", wanted[start : start + _RESUBSCRIBED_AT_ONCE])
        waiting = [each for each in self._wanted.values() if each is not None]
        if waiting:
            confirming = asyncio.ensure_future(asyncio.wait(waiting))
            watched = (confirming, connection.closed)
            first = asyncio.FIRST_COMPLETED
            await asyncio.wait(watched, timeout=_SILENCE_SECONDS, return_when=first)
            if not confirming.done():
                confirming.cancel()
                raise TimeoutError("Redis does not confirm subscriptions")

    def _confirmed(self, channel: bytes) -> None:
        waiting = self._wanted.get(channel)
        if waiting is not None:
            self._wanted[channel] = None
            if not waiting.done():
                waiting.set_result(None)

    def _send(self, command: bytes, arguments: list[bytes]) -> None:
        if self._connection is not None:
            self._connection.send(command, *arguments)


class _Connection(asyncio.Protocol):
    """One connection: parses replies, tells messages and confirmations apart, notices silence."""

    def __init__(
        self,
        on_message: Callable[[bytes, bytes], None],
        on_confirmed: Callable[[bytes], None],
    ) -> None:
        self._reader = hiredis.Reader()
        self._on_message = on_message
        self._on_confirmed = on_confirmed
        self._transport: asyncio.Transport | None = None
        self.closed = asyncio.get_running_loop().create_future()
        self._answer: asyncio.Future[object] | None = None
        self._heard = False

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
        if isinstance(reply, list) and reply:
            if reply[0] == b"message":
                self._on_message(reply[1], reply[2])
            elif reply[0] == b"subscribe":
                self._on_confirmed(reply[1])
        elif self._answer is not None and not self._answer.done():
            self._answer.set_result(reply)

    def send(self, *words: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(hiredis.pack_command(cast("tuple[bytes]", words)))

    async def prepare(self, user: str | None, secret: str | None) -> None:
        """Signs in where Redis asks for it."""
        if secret:
            self._answer = asyncio.get_running_loop().create_future()
            self.send(b"AUTH", *((user.encode(),) if user else ()), secret.encode())
            answer = await asyncio.wait_for(self._answer, 2)
            if isinstance(answer, Exception):
                raise answer

    async def watch(self) -> None:
        """Waits for the end of the connection, and ends it if Redis falls silent."""
        while True:
            self._heard = False
            done, _ = await asyncio.wait([self.closed], timeout=_SILENCE_SECONDS)
            if not done and not self._heard:
                self.send(b"PING")
                done, _ = await asyncio.wait([self.closed], timeout=_SILENCE_SECONDS)
                if not done and not self._heard:
                    raise TimeoutError("Redis is silent")
            if done:
                self.closed.result()

    def close(self) -> None:
        self._end(None)

    def _end(self, fault: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_exception(fault or ConnectionResetError("closed"))
            self.closed.exception()  # somebody may be waiting, or nobody
        if self._transport is not None:
            self._transport.abort()
