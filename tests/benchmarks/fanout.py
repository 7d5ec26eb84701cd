"""Fan-out, beside nginx with nchan, nats-server over WebSocket and Socket.IO on Node.

Two shapes: 2,000 sessions on one channel, and 10,000 sessions in 2,000 channels of 5. Payloads
have 128 bytes. Every server has core 0 to itself while it works; the load generator, which also
publishes, and Valkey share core 1. Rounds of all servers alternate and medians are taken. CPU is
the server's user and system time per million deliveries; our broker's is printed beside it.
``--quick`` measures one short round with fewer sessions, to see that it works.
"""

import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from fanout_nats import running_nats
from fanout_nchan import running_nchan
from fanout_ours import Ours, offering
from fanout_peer import Absent, Server, on_core
from fanout_socketio import running_socketio
from fanout_wire import channel_digits
from load import Load, built, more_files
from report import report

from hub.embedded import embedded_servers

TICK = os.sysconf("SC_CLK_TCK")
PER_S = 20_000  # deliveries, in the steady rounds
SMALL = 5  # sessions in a small channel


@dataclass(frozen=True)
class Plan:
    sessions: int = 2_000
    small_sessions: int = 10_000
    rounds: int = 4
    steady_seconds: float = 3
    saturated_seconds: float = 2


QUICK = Plan(sessions=1_000, small_sessions=2_000, rounds=1, steady_seconds=1, saturated_seconds=1)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident_kib(pid: int) -> int:
    """What is the process's own: private pages, without shared libraries."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    wanted = ("Private_Dirty:", "Private_Clean:", "Shared_Dirty:")
    return sum(int(line.split()[1]) for line in lines if line.startswith(wanted))


class Contender:
    """A server under test and what was measured of it."""

    def __init__(self, server: Server, load: Load, plan: Plan, broker: int | None) -> None:
        self.name, self.version = server.name, server.version
        self._server, self._load, self._plan, self._broker = server, load, plan, broker
        self._seen: dict[str, list[float]] = {}

    def median(self, name: str) -> float:
        return statistics.median(self._seen[name])

    def _note(self, name: str, value: float) -> None:
        self._seen.setdefault(name, []).append(value)

    def open(self) -> None:
        """Opens all sessions after a few that warm the server up, and weighs them."""
        sessions = self._plan.sessions
        self._open(0, 1, sessions // 5)
        self._load("close")
        before = self._weight()
        self._open(0, 1, sessions)
        self._note("kib_per_session", (self._weight() - before) / sessions)

    def open_small(self) -> None:
        self._load("close")
        before = cpu_seconds(self._server.pid)
        sessions = self._plan.small_sessions
        self._open(1, sessions // SMALL, sessions)
        spent = cpu_seconds(self._server.pid) - before
        self._note("connect_cpu_ms", spent / sessions * 1000)

    def _open(self, first: int, channels: int, sessions: int) -> None:
        opened = self._load.open(first, channels, sessions)["opened"]
        if opened != sessions:
            raise SystemExit(f"{self.name}: {opened} of {sessions} sessions could be opened")

    def _weight(self) -> int:
        time.sleep(1)
        if self._server.collect is not None:
            self._server.collect()
            time.sleep(0.5)
        return resident_kib(self._server.pid)

    def round(self) -> None:
        """One channel with all sessions."""
        plan = self._plan
        self._steady("", 0, 1, PER_S / plan.sessions)
        self._saturate("saturated_deliveries_per_s", 0, 1, self._server.burst, 256)

    def small_round(self) -> None:
        channels = self._plan.small_sessions // SMALL
        self._steady("small_channels_", 1, channels, PER_S / SMALL)
        # Ten publications in flight for each channel: more than any server here can keep up with.
        self._saturate("small_channels_overload_per_s", 1, channels, 64, 10 * channels)

    def _steady(self, prefix: str, first: int, channels: int, per_s: float) -> None:
        cpu = cpu_seconds(self._server.pid)
        broker_cpu = cpu_seconds(self._broker) if self._broker else 0.0
        seen = self._load("steady", first, channels, per_s, self._plan.steady_seconds)
        self._warn(seen)
        million = max(seen["deliveries"], 1) / 1e6
        self._note(f"{prefix}cpu_s_per_million", (cpu_seconds(self._server.pid) - cpu) / million)
        if self._broker:
            spent = cpu_seconds(self._broker) - broker_cpu
            self._note(f"{prefix}broker_cpu_s_per_million", spent / million)
        for name in ("p50_ms", "p99_ms"):
            self._note(f"{prefix}{name}", seen[name])

    def _saturate(self, name: str, first: int, channels: int, burst: int, in_flight: int) -> None:
        seconds = self._plan.saturated_seconds
        seen = self._load("saturate", first, channels, seconds, burst, in_flight)
        self._warn(seen)
        self._note(name, seen["deliveries"] / seen["seconds"])

    def _warn(self, seen: dict[str, float]) -> None:
        if seen["deliveries"] != seen["expected"] or seen["dropped"]:
            text = "{deliveries} of {expected} deliveries arrived, {dropped} sessions ended"
            print(f"{self.name}: {text.format(**seen)}", file=sys.stderr)


METRICS = (
    ("cpu_s_per_million", "s"),
    ("saturated_deliveries_per_s", "1/s"),
    ("p50_ms", "ms"),
    ("p99_ms", "ms"),
    ("kib_per_session", "KiB"),
    ("small_channels_cpu_s_per_million", "s"),
    ("small_channels_overload_per_s", "1/s"),
    ("connect_cpu_ms", "ms"),
)
PEERS = {"nchan": running_nchan, "nats": running_nats, "socketio": running_socketio}


def contenders(
    stack: ExitStack, folder: Path, plan: Plan
) -> tuple[Contender, list[Contender], dict[str, str]]:
    """Ours, the peers, and for peers there are none of, why."""
    program = built(folder)
    with on_core(1):
        addresses = stack.enter_context(embedded_servers(folder / "data", durable=False))
    broker = int((folder / "data" / "valkey.pid").read_text().split()[0])
    ours = Ours(folder, addresses.redis_url)
    ours.seed(offering(channel_digits(each)) for each in range(plan.small_sessions // SMALL + 1))

    def contender(server: Server, broker: int | None = None) -> Contender:
        load = stack.enter_context(Load(program, folder, server))
        return Contender(server, load, plan, broker)

    first = contender(stack.enter_context(ours.running()), broker)
    peers: list[Contender] = []
    absent: dict[str, str] = {}
    for name, running in PEERS.items():
        try:
            peers.append(contender(stack.enter_context(running(folder))))
        except Absent as fault:
            absent[name] = str(fault)
    return first, peers, absent


def show(ours: Contender, peers: list[Contender], absent: dict[str, str]) -> None:
    for name, unit in METRICS:
        value = ours.median(name)
        for peer in peers:
            theirs = peer.median(name)
            report(
                name, value, unit,
                peer=peer.name, ratio=value / theirs if theirs else None,
                peer_value=theirs, peer_version=peer.version,
            )  # fmt: skip
        for peer_name, why in absent.items():
            report(name, value, unit, why_no_peer=f"{peer_name}: {why}")
    for prefix in ("", "small_channels_"):
        name = f"{prefix}broker_cpu_s_per_million"
        report(name, ours.median(name), "s")


def main() -> None:
    plan = QUICK if "--quick" in sys.argv else Plan()
    more_files()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bvester-fanout-")))
        ours, peers, absent = contenders(stack, folder, plan)
        for contender in (ours, *peers):
            print(f"opening {plan.sessions} sessions: {contender.name}", file=sys.stderr)
            contender.open()
        for number in range(plan.rounds):
            print(f"one channel, round {number + 1} of {plan.rounds}", file=sys.stderr)
            for contender in (ours, *peers):
                contender.round()
        for contender in (ours, *peers):
            print(f"opening {plan.small_sessions} sessions: {contender.name}", file=sys.stderr)
            contender.open_small()
        for number in range(plan.rounds):
            print(f"small channels, round {number + 1} of {plan.rounds}", file=sys.stderr)
            for contender in (ours, *peers):
                contender.small_round()
        show(ours, peers, absent)


if __name__ == "__main__":
    main()
