"""``make run`` under bad circumstances: it recovers, or says plainly what to do."""

import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import RunningHub, free_ports


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="bvester-up-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_a_killed_run_is_taken_over_and_finds_its_data(folder: Path) -> None:
    port = free_ports()
    first = RunningHub(folder / "hub", port)
    first.await_ready()
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()
    second = RunningHub(folder / "hub", port)
    try:
        second.await_ready()
        assert "Loaded" not in second.log, "demo data was there"
        offerings = httpx.get(f"{second.url}/v1/config").json()
        assert offerings["demo"]["people"]
    finally:
        assert second.stop() == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{second.url}/health/live")


def test_a_half_made_data_folder_is_made_again(folder: Path) -> None:
    data = folder / "hub"
    (data / "postgres.new" / "base").mkdir(parents=True)
    (data / "postgres").mkdir()
    (data / "postgres" / "postgresql.conf").write_text("broken")
    running = RunningHub(data, free_ports())
    try:
        running.await_ready()
    finally:
        assert running.stop() == 0


def test_a_busy_port_is_said_in_one_sentence(folder: Path) -> None:
    port = free_ports()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        running = RunningHub(folder / "hub", port)
        assert running.process.wait(60) == 1
    assert f"Port {port} is used by another program" in running.log
    assert "Traceback" not in running.log


def test_two_hubs_on_one_folder_are_refused(folder: Path) -> None:
    first = RunningHub(folder / "hub", free_ports())
    try:
        first.await_ready()
        second = RunningHub(folder / "hub", free_ports())
        assert second.process.wait(30) == 1
        assert "Another hub already runs" in second.log
    finally:
        first.stop()


def test_a_dying_process_is_started_again(folder: Path) -> None:
    running = RunningHub(folder / "hub", free_ports())
    try:
        running.await_ready()
        for name in ("worker", "relay"):
            before = running.pid_of(name)
            running.kill(name)
            deadline = time.monotonic() + 15
            while running.pid_of(name) == before and time.monotonic() < deadline:
                time.sleep(0.1)
            assert running.pid_of(name) != before
        running.await_ready()
    finally:
        assert running.stop() == 0


def test_a_killed_server_is_started_again(folder: Path) -> None:
    data = folder / "hub"
    running = RunningHub(data, free_ports())
    try:
        running.await_ready()
        before = httpx.get(f"{running.url}/v1/config").json()
        for pidfile, name in (
            (data / "valkey.pid", "Valkey"),
            (data / "postgres" / "postmaster.pid", "PostgreSQL"),
        ):
            os.kill(int(pidfile.read_text().split()[0]), signal.SIGKILL)
            deadline = time.monotonic() + 30
            while f"{name} ended by itself" not in running.log:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        deadline = time.monotonic() + 30
        while running.run("verify").returncode != 0:
            assert time.monotonic() < deadline
        running.await_ready()
        assert httpx.get(f"{running.url}/v1/config").json() == before
        assert "callbacks/" not in running.log, "the path of a callback is a secret"
    finally:
        assert running.stop() == 0
    assert "SIGKILL" not in running.log


def test_ctrl_c_while_everything_fails_ends_at_once(folder: Path) -> None:
    """A process between its death and its restart is not started again at the end."""
    running = RunningHub(folder / "hub", free_ports())
    running.await_ready()
    for name in ("worker", "relay", "web"):
        running.kill(name)
    started = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - started < 8
    assert "sending SIGKILL" not in running.log


def test_without_a_running_hub_commands_say_so_in_a_sentence(folder: Path) -> None:
    running = RunningHub(folder / "hub", free_ports())
    running.await_ready()
    assert running.stop() == 0
    for command in ("doctor", "verify", "migrate"):
        done = running.run(command)
        assert done.returncode == 1
        assert "does not answer" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_told_to_end_while_it_starts_it_leaves_no_server_behind(folder: Path) -> None:
    data = folder / "hub"
    running = RunningHub(data, free_ports())
    while not (data / "valkey.pid").exists():
        assert running.process.poll() is None
        time.sleep(0.02)
    started = [data / "valkey.pid", data / "postgres" / "postmaster.pid"]
    pids = [int(pidfile.read_text().split()[0]) for pidfile in started]
    running.process.send_signal(signal.SIGTERM)
    running.process.wait(30)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert "Traceback" not in running.log
