"""A real Redis Cluster: three primaries of the embedded Valkey, formed once a session."""

import asyncio
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import pytest_asyncio
from redis import Redis
from redis.exceptions import RedisError

from hub.embedded import _valkey_program
from hub.redis_client import RedisClient, open_redis

_SLOTS = [(0, 5460), (5461, 10922), (10923, 16383)]


@dataclass
class Cluster:
    """Where the primaries listen, and what a test does to them."""

    ports: list[int]
    processes: list["subprocess.Popen[bytes]"]

    @property
    def url(self) -> str:
        return f"redis+cluster://127.0.0.1:{self.ports[0]}"

    def node(self, at: int) -> "Redis":
        return Redis(port=self.ports[at])

    def slot(self, key: str) -> int:
        with closing(self.node(0)) as node:
            return int(node.execute_command("CLUSTER", "KEYSLOT", key))

    def owner(self, key: str) -> int:
        slot = self.slot(key)
        with closing(self.node(0)) as node:
            for first, last, (_, port, *_), *_ in node.execute_command("CLUSTER SLOTS"):
                if first <= slot <= last:
                    return self.ports.index(port)
        raise AssertionError("a slot without an owner")

    def drop_connections(self, at: int) -> None:
        """Ends every connection of clients to a node."""
        with closing(self.node(at)) as node:
            node.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            node.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def move_slot(self, key: str, to: int) -> None:
        """Gives a slot, which holds no keys, to another primary."""
        slot = self.slot(key)
        with closing(self.node(to)) as node:
            new = node.execute_command("CLUSTER", "MYID")
        order = [to, *(at for at in range(len(self.ports)) if at != to)]
        for at in order:
            with closing(self.node(at)) as node:
                node.execute_command("CLUSTER", "SETSLOT", slot, "NODE", new)


def _free_ports(count: int) -> list[int]:
    """Ports whose bus ports (10,000 above) are free as well."""
    found: list[int] = []
    with ExitStack() as stack:
        while len(found) < count:
            first = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = first.getsockname()[1]
            if port > 55_000:
                continue
            try:
                stack.enter_context(socket.create_server(("127.0.0.1", port + 10_000)))
            except OSError:
                continue
            found.append(port)
    return found


def _until(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, "the cluster does not form"
        sleep(0.05)


def _answers(port: int) -> bool:
    try:
        with closing(Redis(port=port)) as node:
            return bool(node.ping())
    except RedisError:
        return False


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    ports = _free_ports(3)
    processes = []
    with tempfile.TemporaryDirectory(prefix="bvester-cluster-") as folder:
        for port in ports:
            place = Path(folder) / str(port)
            place.mkdir()
            command = [
                str(_valkey_program()), "--port", str(port), "--bind", "127.0.0.1",
                "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
                "--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no",
                "--dir", str(place), "--appendonly", "no", "--save", "",
            ]  # fmt: skip
            processes.append(
                subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
        try:
            _form(ports)
            yield Cluster(ports, processes)
        finally:
            for process in processes:
                process.kill()
                process.wait()


def _form(ports: list[int]) -> None:
    for port in ports:
        _until(lambda port=port: _answers(port))  # type: ignore[misc]
    for at, port in enumerate(ports):
        with closing(Redis(port=port)) as node:
            node.execute_command("CLUSTER", "SET-CONFIG-EPOCH", at + 1)
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", *_SLOTS[at])
            if at:
                node.execute_command("CLUSTER", "MEET", "127.0.0.1", ports[0])

    def formed() -> bool:
        for port in ports:
            with closing(Redis(port=port)) as node:
                info = node.execute_command("CLUSTER INFO")
                if (info["cluster_state"], info["cluster_known_nodes"]) != ("ok", "3"):
                    return False
                if len(node.execute_command("CLUSTER SLOTS")) < 3:
                    return False
        return True

    _until(formed)


@pytest_asyncio.fixture
async def cluster_redis(cluster: Cluster) -> AsyncIterator[RedisClient]:
    async with open_redis(cluster.url) as client:
        await client.flushall()
        yield client


@pytest.fixture
def until() -> Callable[..., Coroutine[Any, Any, None]]:
    async def wait(condition: Callable[[], object], seconds: float = 8) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)

    return wait
