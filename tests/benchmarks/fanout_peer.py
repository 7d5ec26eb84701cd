"""A server under test, and where to get one that is not installed."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fanout_wire import Step

__all__ = ["Absent", "Server", "free_port", "installed", "on_core", "wait_for_port"]

_INSTALL_SECONDS = 90


class Absent(Exception):
    """There is no such peer here, and why."""


@dataclass
class Server:
    """How the load generator speaks to a server.

    ``opening(session, channel)`` are a session's steps into its channel, ``publication`` is what
    publishes one payload when written to ``publisher`` (a port, or the path of a Unix socket).
    ``collect`` makes it collect its garbage, where it can be asked to.
    """

    name: str
    version: str
    pid: int
    port: int
    opening: Callable[[int, int], list[Step]]
    publisher: str
    publication: bytes
    greeting: list[Step]
    ping: bytes = b""
    pong: bytes = b""
    burst: int = 32
    collect: Callable[[], None] | None = None


def installed(program: str, *packages: str, needs: Path | None = None) -> str:
    """The path of ``program``, after installing Debian packages where it is missing and we may.
    Raises ``Absent``."""

    def found() -> str | None:
        path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        return path if path and (needs is None or needs.exists()) else None

    if path := found():
        return path
    names = " and ".join(packages)
    if os.getuid() != 0 or not shutil.which("apt-get"):
        raise Absent(f"{names} is not installed, and only root can install it")
    print(f"installing {names} ...", file=sys.stderr, flush=True)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    for command in (["apt-get", "update", "-qq"], install):
        try:
            subprocess.run(command, check=False, capture_output=True, timeout=_INSTALL_SECONDS)
        except (subprocess.SubprocessError, OSError) as fault:
            raise Absent(f"{names} could not be installed: {fault}") from None
    if path := found():
        return path
    raise Absent(f"{names} could not be installed")


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Processes started within run on this core alone, with all their threads from the first."""
    mine = os.sched_getaffinity(0)
    cores = sorted(mine)
    os.sched_setaffinity(0, {cores[core % len(cores)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def wait_for_port(port: int, name: str) -> None:
    """Returns once somebody listens there. Raises ``Absent`` after 10 s."""
    for _ in range(200):
        with socket.socket() as probe:
            probe.settimeout(0.05)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise Absent(f"{name} did not start")
