"""Runs the Procfile's processes under one roof, with honcho, for ``hub up``.

A process that dies by itself is started again, as an operator's supervisor would do; one that dies
five times within a minute stops everything, because then something is wrong that a restart does
not mend. Ctrl-C or SIGTERM ends all of them and then the block they run in.
"""

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


class _Restarting(Process):  # type: ignore[misc]  # honcho ships no types
    """A process that is started again when it dies by itself."""

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:
        self._events = events
        deaths: deque[float] = deque(maxlen=_RESTARTS)
        while True:
            self._child = self._child_ctor("exec " + self.cmd, env=self.env, cwd=self.cwd)
            self._send_message({"pid": self._child.pid}, type="start")
            if ignore_signals:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            for line in iter(self._child.stdout.readline, b""):
                self._send_message(line)
            self._child.stdout.close()
            code = self._child.wait()
            deaths.append(time.monotonic())
            often = len(deaths) == _RESTARTS and deaths[-1] - deaths[0] < _WITHIN_SECONDS
            if code in _ENDED_ON_PURPOSE or often:
                self._send_message({"returncode": code}, type="stop")
                return
            self._send_message(f"ended with {code}; starting again\n".encode())
            time.sleep(0.5)


def run_processes(commands: dict[str, str], environment: dict[str, str], cwd: Path) -> int:
    """Runs them until Ctrl-C, or until one gives up; returns an exit code."""
    manager = Manager()
    manager._process_ctor = _Restarting
    environment = {**environment, "HUB_PARENT_PID": str(os.getpid()), "PYTHONUNBUFFERED": "1"}
    for name, command in commands.items():
        manager.add_process(name, command, env=environment, cwd=str(cwd))
    manager.loop()
    return 0 if manager.returncode in (130, 143) else int(manager.returncode or 0)


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
