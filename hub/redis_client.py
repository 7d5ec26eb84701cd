"""Redis: the one place where clients are made, for a single node and for a cluster.

Redis holds nothing that cannot be rebuilt from PostgreSQL. Clients decode nothing (bytes in, bytes
out) and retry a lost connection; a caller that cannot go on without Redis says so in its own words.

A cluster is named by the scheme ``redis+cluster://`` (``rediss+cluster://`` with TLS); several
nodes may be given, by comma, and the rest is learned from them. Everything the hub asks of Redis
names keys of one slot at a time, so both kinds of client are used in the same way.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import choice
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from urllib.parse import urlsplit

from redis.asyncio import ConnectionPool, Redis, RedisCluster
from redis.asyncio.client import PubSub
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

__all__ = [
    "RedisClient",
    "RedisError",
    "by_node",
    "drop_idle_connections",
    "is_cluster",
    "known_nodes",
    "names_cluster",
    "open_redis",
]

_CLUSTER = "+cluster"


class _Cluster(RedisCluster):
    """A cluster's client that fails in the way a single node's does, and can listen."""

    async def initialize(self) -> "_Cluster":
        try:
            await super().initialize()
        except RedisClusterException as fault:  # which is no RedisError
            raise RedisConnectionError(str(fault)) from fault
        return self

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().execute_command(*args, **kwargs)
        except RedisClusterException as fault:
            raise RedisConnectionError(str(fault)) from fault

    def publish(self, channel: str, message: bytes) -> Any:
        """Publishes to all nodes."""
        return self.execute_command("PUBLISH", channel, message)

    def spublish(self, channel: bytes, message: bytes) -> Any:
        """Publishes to the shard that the channel belongs to."""
        return self.execute_command("SPUBLISH", channel, message)

    def pubsub(self, **kwargs: Any) -> PubSub:
        """Listens at one of the nodes: what is published by ``PUBLISH`` reaches every node."""
        host, port = choice(known_nodes(cast("RedisClient", self)))  # noqa: S311
        settings = {**self.connection_kwargs, "host": host, "port": port}
        del settings["response_callbacks"]
        return Redis(connection_pool=ConnectionPool(**settings)).pubsub(**kwargs)


if TYPE_CHECKING:
    RedisClient: TypeAlias = Redis
else:

    class _Either(type):
        def __instancecheck__(cls, client: object) -> bool:
            return isinstance(client, Redis | _Cluster)

    class RedisClient(metaclass=_Either):
        """What dependency injection checks: either kind of client."""


@asynccontextmanager
async def open_redis(url: str) -> AsyncIterator[RedisClient]:
    """A pooled client: ``unix://`` and ``redis://`` for one node, ``redis+cluster://`` for many."""
    how: dict[str, Any] = {
        "socket_connect_timeout": 2,
        "socket_timeout": 5,
        "health_check_interval": 30,
        "retry": Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), retries=3),
        "retry_on_error": [RedisConnectionError, RedisTimeoutError],
    }
    client: RedisClient
    if names_cluster(url):
        first, others = _nodes_of(url)
        nodes = [ClusterNode(host, port) for host, port in others]
        # One lost shard must not cost the others their channels: no full coverage.
        how |= {"startup_nodes": nodes or None, "require_full_coverage": False}
        client = cast("RedisClient", _Cluster.from_url(first, **how))
    else:
        client = Redis.from_url(url, **how)
    try:
        yield client
    finally:
        await client.aclose()


def names_cluster(url: str) -> bool:
    """Whether an address names a cluster."""
    return urlsplit(url).scheme.endswith(_CLUSTER)


def is_cluster(client: RedisClient) -> bool:
    return isinstance(client, RedisCluster)


def known_nodes(client: RedisClient) -> list[tuple[str, int]]:
    """Addresses of a cluster's nodes, as far as its client has learned them."""
    cluster = cast("RedisCluster", client)
    nodes = cluster.get_nodes() or list(cluster.nodes_manager.startup_nodes.values())
    return [(str(node.host), int(node.port)) for node in nodes]


async def by_node(client: RedisClient, keys: Sequence[Any]) -> list[list[int]]:
    """Which places of ``keys`` belong to the same node of a cluster, in their order; keys that
    nobody owns are together. Raises ``RedisError`` where no node answers."""
    cluster = cast("RedisCluster", client)
    await cluster.initialize()
    groups: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        try:
            node = cluster.get_node_from_key(key)
        except RedisClusterException:
            node = None
        groups.setdefault(node.name if node else "", []).append(place)
    return list(groups.values())


async def drop_idle_connections(client: RedisClient) -> None:
    """Makes a cluster's client connect anew, after connections broke; a single node's looks at
    each connection before it uses it."""
    if is_cluster(client):
        for node in cast("RedisCluster", client).get_nodes():
            await node.disconnect_free_connections()


def _nodes_of(url: str) -> tuple[str, list[tuple[str, int]]]:
    """The address with its first node alone, for redis-py, and the other nodes."""
    scheme, _, rest = url.partition("://")
    account, at, places = rest.rpartition("@")
    hosts, slash, tail = places.partition("/")
    first, *others = hosts.split(",")
    plain = f"{scheme.removesuffix(_CLUSTER)}://{account}{at}{first}{slash}{tail}"
    pairs = (other.rpartition(":") for other in others)
    return plain, [(host or port, int(port) if host else 6379) for host, _, port in pairs]
