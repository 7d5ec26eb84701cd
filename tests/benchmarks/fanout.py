"""Fan-out: 2,000 sessions on one channel, 128-byte events, beside nginx with nchan.

The server has core 0 to itself; the load generator, which also publishes, and Valkey share core
1. Rounds of both servers alternate in the same run and medians are taken. CPU is the server's
user and system time per million deliveries; the broker's is printed beside it.
"""

import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fanout_nchan import Absent, running_nchan
from report import report

from hub.embedded import embedded_servers

HERE = Path(__file__).parent
SESSIONS = 2_000
PER_S = 10  # messages: 20,000 deliveries a second
ROUNDS = 6
STEADY_SECONDS = 3
SATURATED_SECONDS = 2
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident_kib(pid: int) -> int:
    """What is the process's own: private pages, without shared libraries."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    wanted = ("Private_Dirty:", "Private_Clean:", "Shared_Dirty:")
    return sum(int(line.split()[1]) for line in lines if line.startswith(wanted))


def pin(pid: int, core: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {cores[core % len(cores)]})


class Load:
    """One load generator, on core 1."""

    def __init__(self, kind: str, port: int, key: Path, redis_url: str) -> None:
        arguments = [kind, str(port), str(key), redis_url]
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "fanout_load.py"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        pin(self.process.pid, 1)

    def __call__(self, do: str, **order: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": do, **order}) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"the load generator died while it should {do}")
        return json.loads(answer)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def our_server(key: Path, redis_url: str) -> Iterator[tuple[int, int]]:
    process = subprocess.Popen(
        [sys.executable, str(HERE / "fanout_server.py"), str(key), redis_url],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process.pid
    finally:
        process.kill()
        process.wait()


class Contender:
    """A server under test and what was measured of it."""

    def __init__(self, name: str, pid: int, load: Load, *, collects: bool) -> None:
        self.name, self.pid, self.load, self._collects = name, pid, load, collects
        self.seen: dict[str, list[float]] = {}
        pin(pid, 0)

    def note(self, name: str, value: float) -> None:
        self.seen.setdefault(name, []).append(value)

    def median(self, name: str) -> float:
        return statistics.median(self.seen[name])

    def open(self) -> None:
        """Opens all sessions after a few that warm the server up, and weighs them."""
        self.load("open", sessions=SESSIONS // 5)
        self.load("close")
        before = self._weight()
        self.load("open", sessions=SESSIONS)
        self.note("kib_per_session", (self._weight() - before) / SESSIONS)

    def _weight(self) -> int:
        time.sleep(1)
        if self._collects:
            os.kill(self.pid, signal.SIGUSR1)
            time.sleep(0.5)
        return resident_kib(self.pid)

    def _warn(self, counted: dict[str, Any]) -> None:
        if counted["deliveries"] != counted["expected"]:
            text = "{deliveries} of {expected} deliveries arrived".format(**counted)
            print(f"{self.name}: {text}", file=sys.stderr)

    def round(self, broker: int | None) -> None:
        cpu, broker_cpu = cpu_seconds(self.pid), cpu_seconds(broker) if broker else 0.0
        steady = self.load("steady", per_s=PER_S, seconds=STEADY_SECONDS)
        million = steady["deliveries"] / 1e6
        self._warn(steady)
        self.note("cpu_s_per_million", (cpu_seconds(self.pid) - cpu) / million)
        self.note("p99_ms", steady["p99_ms"])
        if broker:
            spent = cpu_seconds(broker) - broker_cpu
            self.note("broker_cpu_s_per_million", spent / million)
        saturated = self.load("saturate", seconds=SATURATED_SECONDS)
        self._warn(saturated)
        rate = saturated["deliveries"] / saturated["seconds"]
        self.note("saturated_deliveries_per_s", rate)


METRICS = (
    ("cpu_s_per_million", "s"),
    ("saturated_deliveries_per_s", "1/s"),
    ("p99_ms", "ms"),
    ("kib_per_session", "KiB"),
)


def main() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 3 * SESSIONS)), hard))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bvester-fanout-")))
        key = folder / "signing.pem"
        key.write_bytes(
            Ed25519PrivateKey.generate().private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            )
        )
        addresses = stack.enter_context(embedded_servers(folder / "data", durable=False))
        broker = int((folder / "data" / "valkey.pid").read_text().split()[0])
        pin(broker, 1)
        port, pid = stack.enter_context(our_server(key, addresses.redis_url))
        load = Load("ours", port, key, addresses.redis_url)
        stack.callback(load.stop)
        ours = Contender("ours", pid, load, collects=True)
        peer, why_none = None, ""
        try:
            port, pid = stack.enter_context(running_nchan(folder))
            load = Load("nchan", port, key, addresses.redis_url)
            stack.callback(load.stop)
            peer = Contender("nchan", pid, load, collects=False)
        except Absent as fault:
            why_none = str(fault)
        for contender in filter(None, (ours, peer)):
            contender.open()
        for _ in range(ROUNDS):
            ours.round(broker)
            if peer:
                peer.round(None)
        for name, unit in METRICS:
            value = ours.median(name)
            if peer:
                theirs = peer.median(name)
                report(name, value, unit, peer="nchan", ratio=value / theirs, peer_value=theirs)
            else:
                report(name, value, unit, why_no_peer=why_none)
        report("broker_cpu_s_per_million", ours.median("broker_cpu_s_per_million"), "s")


if __name__ == "__main__":
    main()
