"""The broker on Redis: streams, pub/sub and presence, on a single node or a Redis Cluster.

Everything in Redis may vanish at any moment; durable streams are read from PostgreSQL then. All
keys of a channel share a hash tag. Scripts make number, stream entry and message one step, and
one round trip. Messages go by sharded pub/sub; ``link`` says why.
"""

import asyncio
import secrets
import string
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import msgspec
from redis.asyncio.connection import SSLConnection
from redis.exceptions import RedisClusterException

from hub.clock import Clock, milliseconds
from hub.realtime import keys
from hub.realtime.errors import BrokerDown
from hub.realtime.gathering import Gathering
from hub.realtime.namespaces import Namespace
from hub.realtime.outgoing import Outgoing
from hub.realtime.publication import (
    History,
    Message,
    Numbered,
    Position,
    Publication,
    flags_of,
    pack,
    shape_of,
)
from hub.realtime.publication import unpack as unpacked
from hub.realtime.scripts import Call, Command, Script, ask_all, run, run_all
from hub.realtime.shards import ClusterSubscriber
from hub.realtime.subscriber import Address, Subscriber
from hub.redis_client import RedisClient, RedisError, is_cluster, known_nodes

__all__ = ["RedisBroker"]

T = TypeVar("T")
PRESENCE_SECONDS = 60
IDEMPOTENCY_SECONDS = 300
_FAULTS = (RedisError, RedisClusterException, OSError, TimeoutError)
_EPOCH_LETTERS = 8
_NUMBER, _PUBLISH, _READ = Script("number.lua"), Script("publish.lua"), Script("read.lua")
# What Redis keeps of a durable channel; PostgreSQL keeps all of it for 30 days.
_DURABLE_SIZE = 300
_DURABLE_TTL = 24 * 3600


class RedisBroker:
    """Implements ``Broker``. Publishing needs no ``running``: the relay only publishes."""

    def __init__(self, redis: RedisClient, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock
        self._subscriber: Subscriber | ClusterSubscriber | None = None
        self._gathered = Gathering(partial(ask_all, redis))

    @asynccontextmanager
    async def running(
        self,
        on_message: Callable[[str, Message], None],
        on_reconnected: Callable[[], None],
    ) -> AsyncIterator[None]:
        def received(channel: bytes, message: bytes) -> None:
            with suppress(ValueError):  # somebody else's message: nothing of ours
                on_message(keys.channel_of(channel), unpacked(message))

        self._subscriber = _subscriber(self._redis, received, on_reconnected)
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
        await self._subscriber.subscribe(keys.pubsub(channel))

    def unsubscribe(self, channel: str) -> None:
        if self._subscriber is not None:
            self._subscriber.unsubscribe(keys.pubsub(channel))

    # Streams

    async def position(self, channel: str) -> Position | None:
        found = await self._asked(self._gathered.ask(_standing(channel)))
        return _position(found[0])

    async def positions(self, channels: Sequence[str]) -> list[Position | None]:
        """Like ``position``, in one round trip; a shard that does not answer knows nothing."""
        if not channels:
            return []
        asked = [_standing(channel) for channel in channels]
        found = await self._asked(ask_all(self._redis, asked))
        return [_position(each) if isinstance(each, list) else None for each in found]

    async def read(
        self, channel: str, *, after: int = 0, limit: int = 300, reverse: bool = False
    ) -> History | None:
        where = [keys.stream(channel), keys.meta(channel)]
        found = await self._asked(run(self._redis, (_READ, where, [after, limit, int(reverse)])))
        top = _position(found[:2])
        return History(top, [_publication(*entry) for entry in found[2]]) if top else None

    async def remove_history(self, channel: str) -> None:
        """Forgets the publications of an ephemeral stream; its numbers go on."""
        await self._asked(self._redis.delete(keys.stream(channel)))

    async def publish_numbered(self, batch: Sequence[Numbered]) -> None:
        """Writes numbered publications to their streams and publishes them, in their order, in
        one round trip. Repeats are refused by number. Raises ``BrokerDown``: then some may be
        written, and the whole batch can be sent again."""
        if not batch:
            return
        for answer in await self._asked(run_all(self._redis, [_numbering(each) for each in batch])):
            if isinstance(answer, Exception):
                raise BrokerDown("Redis does not take a publication.") from answer

    async def publish(
        self, namespace: Namespace, channel: str, data: bytes, *, info: bytes = b""
    ) -> None:
        """Publishes to an ephemeral channel; ``data`` is JSON. Durable ones are the relay's."""
        outgoing = Outgoing(
            namespace=namespace,
            channel=channel,
            data=data,
            info=info,
            delta=namespace.delta_publish,
        )
        await self._asked(run(self._redis, self._publishing(outgoing)))

    async def publish_all(self, batch: Sequence[Outgoing]) -> "list[Position | BrokerDown | None]":
        """Publishes to ephemeral channels in one round trip: each one's place in its stream, None
        where it has none, or why it was not published. Raises ``BrokerDown`` for all."""
        calls = [self._publishing(each) for each in batch]
        if len(calls) == 1:
            answers = [await self._asked(run(self._redis, calls[0]))]
        else:
            answers = await self._asked(run_all(self._redis, calls))
        return [_outcome(answer) for answer in answers]

    def _publishing(self, outgoing: Outgoing) -> Call:
        namespace, channel = outgoing.namespace, outgoing.channel
        if namespace.durable:
            raise ValueError("durable channels are numbered by the relay")
        epoch = "".join(secrets.choice(string.ascii_letters) for _ in range(_EPOCH_LETTERS))
        data = outgoing.data if outgoing.binary else _one_line(outgoing.data)
        tags = msgspec.json.encode(outgoing.tags) if outgoing.tags else b""
        publication = Publication(
            0, data, outgoing.info, delta=outgoing.delta, binary=outgoing.binary
        )
        places = [
            keys.stream(channel),
            keys.meta(channel),
            keys.outcome(channel, outgoing.idempotency_key),
        ]
        return (
            _PUBLISH,
            places,
            [
                epoch,
                data,
                outgoing.info,
                milliseconds(self._clock.now()),
                namespace.history_size if outgoing.kept else 0,
                namespace.history_ttl,
                max(namespace.history_ttl, namespace.history_meta_ttl),
                keys.pubsub(channel),
                tags,
                flags_of(publication),
                shape_of(publication, tags),
                IDEMPOTENCY_SECONDS if outgoing.idempotency_key else 0,
                outgoing.version,
                outgoing.version_epoch,
            ],
        )

    async def announce(
        self, channel: str, data: bytes, *, kind: bytes = b"p", info: bytes = b""
    ) -> int:
        """Publishes without a place in the stream; returns how many processes hear it."""
        now = milliseconds(self._clock.now())
        message = pack(kind, "", Publication(0, _one_line(data), info, now))
        return int(await self._asked(self._redis.spublish(keys.pubsub(channel), message)))

    # Presence

    async def enter(self, channel: str, present: Mapping[str, bytes]) -> None:
        until = milliseconds(self._clock.now()) + PRESENCE_SECONDS * 1000
        noted = [(client, b"%d:%b" % (until, info)) for client, info in present.items()]
        place = keys.presence(channel)
        note: Command = ("HSET", place, *(word for pair in noted for word in pair))
        await self._asked(self._gathered.ask(note, ("EXPIRE", place, PRESENCE_SECONDS)))

    async def leave(self, channel: str, client: str) -> None:
        await self._asked(self._gathered.ask(("HDEL", keys.presence(channel), client)))

    async def presence(self, channel: str) -> dict[str, bytes]:
        now = milliseconds(self._clock.now())
        present: dict[str, bytes] = {}
        gone: list[str] = []
        place = keys.presence(channel)
        for client, value in (await self._asked(self._redis.hgetall(place))).items():
            until, _, info = value.partition(b":")
            if int(until) > now:
                present[client.decode()] = info
            else:
                gone.append(client.decode())  # its server died without saying goodbye
        if gone:
            await self._asked(self._redis.hdel(place, *gone))
        return present

    async def _asked(self, answer: "Awaitable[T] | Any") -> Any:
        try:
            return await answer
        except _FAULTS as fault:
            raise BrokerDown("Redis does not answer.") from fault


def _subscriber(
    redis: RedisClient,
    received: Callable[[bytes, bytes], None],
    on_reconnected: Callable[[], None],
) -> Subscriber | ClusterSubscriber:
    if is_cluster(redis):
        settings: Any = redis.connection_kwargs  # type: ignore[attr-defined]
        tls = issubclass(settings["connection_class"], SSLConnection)
        one = Address(settings, tls=tls)
        seeds = [one.at(*node) for node in known_nodes(redis)]
        return ClusterSubscriber(seeds, received, on_reconnected)
    pool = redis.connection_pool
    tls = issubclass(pool.connection_class, SSLConnection)
    return Subscriber(Address(pool.connection_kwargs, tls=tls), received, on_reconnected)


def _numbering(each: Numbered) -> Call:
    publication = Publication(each.offset, each.data, time_ms=each.time_ms)
    return (
        _NUMBER,
        [keys.stream(each.channel), keys.meta(each.channel)],
        [
            each.offset,
            each.epoch,
            each.data,
            each.time_ms,
            _DURABLE_SIZE,
            _DURABLE_TTL,
            keys.pubsub(each.channel),
            pack(b"p", each.epoch, publication),
        ],
    )


def _standing(channel: str) -> Command:
    return ("HMGET", keys.meta(channel), "e", "t")


def _position(found: Sequence[bytes | None]) -> Position | None:
    epoch, top = found
    return Position(int(top), epoch.decode()) if epoch and top else None


def _outcome(answer: Any) -> "Position | BrokerDown | None":
    if isinstance(answer, Exception):
        return BrokerDown("Redis does not take a publication.")
    offset, epoch = answer
    return Position(offset, epoch.decode()) if epoch else None


def _publication(entry_id: bytes, words: Sequence[bytes]) -> Publication:
    fields = dict(zip(words[::2], words[1::2], strict=True))
    tags, flags = fields.get(b"g"), fields.get(b"f", b"")
    return Publication(
        int(entry_id.partition(b"-")[0]),
        fields[b"d"],
        fields.get(b"i", b""),
        int(fields.get(b"t", 0)),
        msgspec.json.decode(tags, type=dict[str, str]) if tags else None,
        b"d" in flags,
        b"b" in flags,
    )


def _one_line(data: bytes) -> bytes:
    """JSON may hold line feeds between its tokens; on the wire they separate messages."""
    return data.replace(b"\n", b" ")
