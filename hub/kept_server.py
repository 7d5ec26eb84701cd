"""A server process kept up while a block runs: one that dies by itself is started again.

The server lives in a process group of its own, so Ctrl-C in a terminal reaches it last. One that
dies five times within a minute, or does not come up again, is given up, and its owner is told why.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from hub.errors import HubError

__all__ = ["EmbeddedFault", "Lost", "Server", "kept_up", "stop_everything"]

_START_SECONDS = 60
_STOP_SECONDS = 20
_RESTARTS, _WITHIN_SECONDS = 5, 60
_AGAIN_SECONDS = 0.5

Lost = Callable[[str], None]
"""Told, from another thread, that a server is gone for good; the message says what to do."""


class EmbeddedFault(HubError):
    """A server could not be started; the message says what to do."""

    kind = "embedded"


class Server(msgspec.Struct, frozen=True):
    """What to run. ``ready`` asks whether it serves; ``stop`` is the signal that ends it cleanly;
    ``pidfile`` is written for servers that do not write one themselves."""

    name: str
    command: list[str]
    log: Path
    stop: signal.Signals
    ready: Callable[[], bool]
    uid: int | None = None
    pidfile: Path | None = None


@contextmanager
def kept_up(server: Server, lost: Lost) -> Iterator[None]:
    """Runs ``server`` until the block ends. Raises ``EmbeddedFault`` if it does not start."""
    keeper = _Keeper(server, lost)
    keeper.start()
    try:
        yield
    finally:
        keeper.stop()


class _Keeper:
    def __init__(self, server: Server, lost: Lost) -> None:
        self._server = server
        self._lost = lost
        self._lock = threading.Lock()
        self._ending = False
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher = threading.Thread(target=self._watch, name=f"keep-{server.name}")
        self._watcher.daemon = True

    def start(self) -> None:
        """Starts the server and waits for it. Raises ``EmbeddedFault``."""
        try:
            self._launch()
            self._await_ready()
        except BaseException:
            self._end()
            raise
        self._watcher.start()

    def stop(self) -> None:
        """Ends the server; it is not started again."""
        self._end()
        self._watcher.join(_STOP_SECONDS)

    def _launch(self) -> None:
        with self._lock, self._server.log.open("a") as output:
            if self._ending:
                return
            self._process = subprocess.Popen(
                self._server.command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                user=self._server.uid,
                group=self._server.uid,
                extra_groups=None if self._server.uid is None else [],
            )
            if self._server.pidfile is not None:
                self._server.pidfile.write_text(str(self._process.pid))

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.ready():
            dead = self._process is None or self._process.poll() is not None
            if dead or time.monotonic() > deadline:
                lines = self._server.log.read_text(errors="replace").splitlines()[-8:]
                tail = "\n".join(lines)
                raise EmbeddedFault(
                    f"{self._server.name} did not start; the end of {self._server.log}:\n{tail}"
                )
            time.sleep(0.03)

    def _watch(self) -> None:
        deaths: deque[float] = deque(maxlen=_RESTARTS)
        while self._process is not None:
            code = self._process.wait()
            if self._ending:
                return
            deaths.append(time.monotonic())
            name = self._server.name
            if len(deaths) == _RESTARTS and deaths[-1] - deaths[0] < _WITHIN_SECONDS:
                self._lost(f"{name} keeps dying; see the end of {self._server.log}.")
                return
            _say(f"{name} ended by itself ({code}); starting it again ...")
            try:
                self._again()
            except EmbeddedFault as fault:
                if not self._ending:
                    self._lost(fault.message)
                return

    def _again(self) -> None:
        """Starts it again. What a killed PostgreSQL leaves behind (its backends and their shared
        memory) may take a moment to go, so a refusal to start is tried again. Raises
        ``EmbeddedFault``."""
        for attempt in range(_START_SECONDS):
            try:
                self._launch()
                self._await_ready()
            except EmbeddedFault:
                if self._ending or attempt * _AGAIN_SECONDS > _STOP_SECONDS:
                    raise
                time.sleep(_AGAIN_SECONDS)
            else:
                return

    def _end(self) -> None:
        with self._lock:
            self._ending = True
            process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(self._server.stop)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def stop_everything(message: str) -> None:
    """A ``Lost`` that says why and asks this process to end as Ctrl-C would."""
    _say(f"hub: {message}")
    os.kill(os.getpid(), signal.SIGTERM)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
