"""Sessions and the server API of two nodes on a Redis Cluster."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from hub.clock import SystemClock
from hub.realtime import JSON_MESSAGES, Namespace, Namespaces, Node, RedisBroker
from hub.realtime.api import Api
from hub.redis_client import RedisClient, open_redis

CLOCK = SystemClock()
CHANNELS = [f"room:{n}" for n in range(12)]


class Claims:
    expires_at = info = device = None

    def __init__(self, user: str) -> None:
        self.user = user


class Door:
    def verify_connection(self, token: str) -> Any:
        return Claims(token)


class Peer:
    """A client at the other end of a session."""

    def __init__(self, node: Node) -> None:
        self.frames: list[bytes] = []
        self.session = node.open(self, JSON_MESSAGES)

    def write(self, frame: bytes) -> None:
        self.frames += frame.split(b"\n")

    def close(self, code: int, reason: str) -> None: ...

    def hold_reading(self, hold: bool) -> None: ...

    def got(self, piece: bytes) -> int:
        return sum(piece in frame for frame in self.frames)


async def test_two_nodes_share_sessions_channels_and_commands_over_a_cluster(
    cluster: Any, cluster_redis: RedisClient, until: Callable[..., Awaitable[None]]
) -> None:
    async with AsyncExitStack() as stack:
        nodes = []
        for _ in range(2):
            redis = await stack.enter_async_context(open_redis(cluster.url))
            node = Node(
                broker=RedisBroker(redis, CLOCK),
                namespaces=Namespaces([Namespace(name="room", presence=True)]),
                authenticator=Door(),
                clock=CLOCK,
            )
            nodes.append(await stack.enter_async_context(node.running()))
        one, other = Api(nodes[0]), Api(nodes[1])
        peers = [Peer(node) for node in nodes]
        for peer in peers:
            peer.session.receive(b'{"id":1,"connect":{"token":"ada"}}')
        await until(lambda: all(peer.got(b'"connect"') for peer in peers))
        async with asyncio.timeout(5):
            while (await one.call("info", b"{}")).body.count(b'"uid"') < 2:
                await asyncio.sleep(0.02)

        for channel in CHANNELS:
            asked = b'{"user":"ada","channel":"%b"}' % channel.encode()
            assert (await one.call("subscribe", asked)).body == b'{"result":{}}'
        await until(lambda: all(peer.got(b'"subscribe"') == 12 for peer in peers))
        names = b",".join(b'"%b"' % channel.encode() for channel in CHANNELS)
        answer = await other.call("broadcast", b'{"channels":[%b],"data":7}' % names)
        assert answer.body.count(b'"offset":1') == 12
        await until(lambda: all(peer.got(b'"data":7') == 12 for peer in peers))

        # What is published while a shard cannot be heard is read when it can be again
        cluster.drop_connections(cluster.owner("rt:s:{:room:3}"))
        asked = b'{"channel":"room:3","data":8}'
        async with asyncio.timeout(5):
            while b'"offset"' not in (await one.call("publish", asked)).body:
                await asyncio.sleep(0.05)
        await until(lambda: all(peer.got(b'"data":8') >= 1 for peer in peers))
