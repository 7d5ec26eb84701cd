"""A server that dies is started again; one that cannot be is given up with a reason."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.kept_server import EmbeddedFault, Server, kept_up


def _server(folder: Path, program: str) -> Server:
    return Server(
        name="Toy",
        command=[sys.executable, "-c", program],
        log=folder / "toy.log",
        stop=signal.SIGTERM,
        ready=(folder / "ready").exists,
        pidfile=folder / "toy.pid",
    )


def _until(check: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_killed_server_is_started_again_and_ends_with_the_block(tmp_path: Path) -> None:
    (tmp_path / "ready").touch()
    pidfile, reasons = tmp_path / "toy.pid", list[str]()
    with kept_up(_server(tmp_path, "import time; time.sleep(60)"), reasons.append):
        first = int(pidfile.read_text())
        os.kill(first, signal.SIGKILL)
        _until(lambda: pidfile.read_text() not in ("", str(first)))
        second = int(pidfile.read_text())
        assert not _gone(second)
    assert _gone(second)
    assert reasons == []


def test_a_server_that_keeps_dying_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "ready").touch()
    reasons: list[str] = []
    with kept_up(_server(tmp_path, "pass"), reasons.append):
        _until(lambda: bool(reasons))
    assert reasons == [f"Toy keeps dying; see the end of {tmp_path / 'toy.log'}."]


def test_a_server_that_never_starts_shows_the_end_of_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(EmbeddedFault, match="no such luck"),
        kept_up(_server(tmp_path, "import sys; sys.exit('no such luck')"), lambda _: None),
    ):
        pytest.fail("it did not start")
