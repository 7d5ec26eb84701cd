"""Runs the Procfile's processes under one roof, with honcho, for ``hub up``.

A process that dies by itself is started again, as an operator's supervisor would do; one that dies
five times within a minute stops everything, because then something is wrong that a restart does
not mend. Ctrl-C or SIGTERM ends all of them and then the block they run in.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from honcho.environ import parse_procfile
from honcho.manager import Manager
from honcho.process import Process

__all__ = ["procfile", "run_processes", "watch_parent"]

_ENDED_ON_PURPOSE = {0, -signal.SIGTERM, -signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGINT}
_RESTARTS, _WITHIN_SECONDS = 5, 60


def procfile(path: Path) -> dict[str, str]:
    """Name and command of each process."""
    return dict(parse_procfile(path.read_text()).processes)


class _Manager(Manager):  # type: ignore[misc]  # honcho ships no types
    """honcho's manager, whose processes know when the end has come: one that dies or waits for
    its restart at that moment is not started again."""

    def __init__(self) -> None:
        super().__init__()
        self.ending = multiprocessing.Event()
        self._process_ctor = self._make

    def _make(self, *given: Any, **named: Any) -> "_Restarting":
        return _Restarting(*given, ending=self.ending, **named)

    def terminate(self) -> None:
        self.ending.set()
        super().terminate()


class _Restarting(Process):  # type: ignore[misc]  # honcho ships no types
    """A process that is started again when it dies by itself."""

    def __init__(self, *given: Any, ending: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._ending = ending

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:
        self._events = events
        deaths: deque[float] = deque(maxlen=_RESTARTS)
        while True:
            self._child = self._child_ctor("exec " + self.cmd, env=self.env, cwd=self.cwd)
            self._send_message({"pid": self._child.pid}, type="start")
            if ignore_signals:  # not by SIG_IGN, which what is started again would inherit
                signal.signal(signal.SIGINT, _let_pass)
                signal.signal(signal.SIGTERM, _let_pass)
            for line in iter(self._child.stdout.readline, b""):
                self._send_message(line)
            self._child.stdout.close()
            code = self._child.wait()
            deaths.append(time.monotonic())
            often = len(deaths) == _RESTARTS and deaths[-1] - deaths[0] < _WITHIN_SECONDS
            if code in _ENDED_ON_PURPOSE or often or self._ending.is_set():
                self._send_message({"returncode": code}, type="stop")
                return
            self._send_message(f"ended with {code}; starting again\n".encode())
            if self._ending.wait(0.5):
                self._send_message({"returncode": code}, type="stop")
                return


def run_processes(commands: dict[str, str], environment: dict[str, str], cwd: Path) -> int:
    """Runs them until Ctrl-C, or until one gives up; returns an exit code."""
    manager = _Manager()
    environment = {**environment, "HUB_PARENT_PID": str(os.getpid()), "PYTHONUNBUFFERED": "1"}
    for name, command in commands.items():
        manager.add_process(name, command, env=environment, cwd=str(cwd))
    signal.signal(signal.SIGHUP, lambda *_: manager.terminate())  # its terminal was closed
    manager.loop()
    return 0 if manager.returncode in (130, 143) else int(manager.returncode or 0)


def _let_pass(*_: object) -> None:
    """The manager sends its own signal to the process that this one waits for."""


def watch_parent(pid: int) -> None:
    """Ends this process (SIGTERM to itself) when ``pid`` is gone, so that a killed ``hub up``
    leaves nothing running behind it."""

    def watch() -> None:
        while True:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                os.kill(os.getpid(), signal.SIGTERM)
                return
            except PermissionError:
                return
            time.sleep(0.5)

    threading.Thread(target=watch, name="watch-parent", daemon=True).start()
