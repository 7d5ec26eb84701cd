"""The broker on Redis: streams, pub/sub and presence. The only file here that knows Redis.

Everything in Redis may vanish at any moment; durable streams are read from PostgreSQL then. All
keys of a channel share a hash tag. Scripts make number, stream entry and message one step.
"""

import asyncio
import secrets
import string
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from typing import Any, TypeVar

from redis.asyncio.connection import SSLConnection

from hub.clock import Clock, milliseconds
from hub.realtime.errors import BrokerDown
from hub.realtime.namespaces import Namespace
from hub.realtime.publication import History, Message, Numbered, Position, Publication, pack, unpack
from hub.realtime.subscriber import Address, Subscriber
from hub.redis_client import RedisClient, RedisError

__all__ = ["RedisBroker"]

T = TypeVar("T")
PRESENCE_SECONDS = 60
_PREFIX = b"rt:c:"
_EPOCH_LETTERS = 8
# What Redis keeps of a durable channel; PostgreSQL keeps all of it for 30 days.
_DURABLE_SIZE = 300
_DURABLE_TTL = 24 * 3600


class RedisBroker:
    """Implements ``Broker``. Publishing needs no ``running``: the relay only publishes."""

    def __init__(self, redis: RedisClient, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock
        self._number = redis.register_script(_script("number.lua"))
        self._publish = redis.register_script(_script("publish.lua"))
        self._subscriber: Subscriber | None = None

    @asynccontextmanager
    async def running(
        self,
        on_message: Callable[[str, Message], None],
        on_reconnected: Callable[[], None],
    ) -> AsyncIterator[None]:
        def received(channel: bytes, message: bytes) -> None:
            with suppress(ValueError):  # somebody else's message: nothing of ours
                on_message(channel[len(_PREFIX) :].decode(), unpack(message))

        pool = self._redis.connection_pool
        address = Address(
            pool.connection_kwargs, tls=issubclass(pool.connection_class, SSLConnection)
        )
        self._subscriber = Subscriber(address, received, on_reconnected)
        task = asyncio.ensure_future(self._subscriber.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self._subscriber = None

    async def subscribe(self, channel: str) -> None:
        if self._subscriber is None:
            raise BrokerDown("The broker is not running.")
        await self._subscriber.subscribe(_PREFIX + channel.encode())

    def unsubscribe(self, channel: str) -> None:
        if self._subscriber is not None:
            self._subscriber.unsubscribe(_PREFIX + channel.encode())

    # Streams

    async def position(self, channel: str) -> Position | None:
        return _position(await self._asked(self._redis.hmget(_meta(channel), ["e", "t"])))

    async def positions(self, channels: Sequence[str]) -> list[Position | None]:
        if not channels:
            return []
        pipe = self._redis.pipeline(transaction=False)
        for channel in channels:
            pipe.hmget(_meta(channel), ["e", "t"])
        return [_position(found) for found in await self._asked(pipe.execute())]

    async def read(
        self, channel: str, *, after: int = 0, limit: int = 300, reverse: bool = False
    ) -> History | None:
        pipe = self._redis.pipeline(transaction=True)  # the top must fit the entries
        pipe.hmget(_meta(channel), ["e", "t"])
        if limit and reverse:
            start = f"({after}-0" if after else "+"
            pipe.xrevrange(_stream(channel), max=start, min="-", count=limit)
        elif limit:
            pipe.xrange(_stream(channel), min=f"({after}-0", max="+", count=limit)
        found = await self._asked(pipe.execute())
        top = _position(found[0])
        if top is None:
            return None
        return History(top, [_publication(*entry) for entry in found[1]] if limit else [])

    async def publish_numbered(self, batch: Sequence[Numbered]) -> None:
        """Writes numbered publications to their streams and publishes them, in their order, in
        one round trip. Repeats are refused by number. Raises ``BrokerDown``: then some may be
        written, and the whole batch can be sent again."""
        if not batch:
            return
        pipe = self._redis.pipeline(transaction=False)
        for each in batch:
            publication = Publication(each.offset, each.data, time_ms=each.time_ms)
            await self._number(
                keys=[_stream(each.channel), _meta(each.channel)],
                args=[
                    each.offset,
                    each.epoch,
                    each.data,
                    each.time_ms,
                    _DURABLE_SIZE,
                    _DURABLE_TTL,
                    _PREFIX + each.channel.encode(),
                    pack(b"p", each.epoch, publication),
                ],
                client=pipe,
            )
        await self._asked(pipe.execute())

    async def publish(
        self, namespace: Namespace, channel: str, data: bytes, *, info: bytes = b""
    ) -> None:
        """Publishes to an ephemeral channel; ``data`` is JSON. Durable ones are the relay's."""
        if namespace.durable:
            raise ValueError("durable channels are numbered by the relay")
        if not namespace.numbered:
            await self.announce(channel, data, info=info)
            return
        epoch = "".join(secrets.choice(string.ascii_letters) for _ in range(_EPOCH_LETTERS))
        arguments: list[str | bytes | int] = [
            epoch,
            _one_line(data),
            info,
            milliseconds(self._clock.now()),
        ]
        arguments += [namespace.history_size, namespace.history_ttl, _PREFIX + channel.encode()]
        script = self._publish(keys=[_stream(channel), _meta(channel)], args=arguments)
        await self._asked(script)

    async def announce(
        self, channel: str, data: bytes, *, kind: bytes = b"p", info: bytes = b""
    ) -> None:
        now = milliseconds(self._clock.now())
        message = pack(kind, "", Publication(0, _one_line(data), info, now))
        await self._asked(self._redis.publish(_PREFIX + channel.encode(), message))

    # Presence

    async def enter(self, channel: str, present: Mapping[str, bytes]) -> None:
        until = milliseconds(self._clock.now()) + PRESENCE_SECONDS * 1000
        pipe = self._redis.pipeline(transaction=False)
        values = {client: b"%d:%b" % (until, info) for client, info in present.items()}
        pipe.hset(_presence(channel), mapping=values)
        pipe.expire(_presence(channel), PRESENCE_SECONDS)
        await self._asked(pipe.execute())

    async def leave(self, channel: str, client: str) -> None:
        await self._asked(self._redis.hdel(_presence(channel), client))

    async def presence(self, channel: str) -> dict[str, bytes]:
        now = milliseconds(self._clock.now())
        present: dict[str, bytes] = {}
        gone: list[str] = []
        for client, value in (await self._asked(self._redis.hgetall(_presence(channel)))).items():
            until, _, info = value.partition(b":")
            if int(until) > now:
                present[client.decode()] = info
            else:
                gone.append(client.decode())  # its server died without saying goodbye
        if gone:
            await self._asked(self._redis.hdel(_presence(channel), *gone))
        return present

    async def _asked(self, answer: "Awaitable[T] | Any") -> Any:
        try:
            return await answer
        except (RedisError, OSError, TimeoutError) as fault:
            raise BrokerDown("Redis does not answer.") from fault


def _script(name: str) -> str:
    return (files("hub.realtime") / name).read_text()


def _stream(channel: str) -> str:
    return f"rt:s:{{{channel}}}"


def _meta(channel: str) -> str:
    return f"rt:m:{{{channel}}}"


def _presence(channel: str) -> str:
    return f"rt:p:{{{channel}}}"


def _position(found: Sequence[bytes | None]) -> Position | None:
    epoch, top = found
    return Position(int(top), epoch.decode()) if epoch and top else None


def _publication(entry_id: bytes, fields: Mapping[bytes, bytes]) -> Publication:
    offset = int(entry_id.partition(b"-")[0])
    return Publication(offset, fields[b"d"], fields.get(b"i", b""), int(fields.get(b"t", 0)))


def _one_line(data: bytes) -> bytes:
    """JSON may hold line feeds between its tokens; on the wire they separate messages."""
    return data.replace(b"\n", b" ")
