"""The load generator as the benchmarks order it about: ``load.c``, built when they start.

Orders, one a line on its standard input, each answered by one JSON object on a line:

    open <port> <scripts> <at once>               -> opened, seconds
    close
    ping <hex of a ping's payload> <hex of the frame that answers it>
    publisher <port or socket path> <script>      greets the server that publications go to
    template <kind> <file>                        what publishes, with placeholders
    steady <first channel> <channels> <publications a second> <seconds>
    saturate <first channel> <channels> <seconds> <burst> <publications in flight>
                                                  -> deliveries, expected, seconds, p50_ms, p99_ms
    storm <channels> <publications a second> <personal ones> <seconds before> <process to kill>
          <other port> <scripts> <most seconds>   -> seconds, missed, duplicates, ...
"""

import json
import resource
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

from fanout_peer import Absent, Server, installed, on_core
from fanout_wire import Script, write_scripts

__all__ = ["Load", "built", "more_files"]

_SOURCE = Path(__file__).parent / "load.c"


def more_files() -> None:
    """As many open files as this user may have, here and in what is started from here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(hard, 65_536) if hard != resource.RLIM_INFINITY else hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def built(folder: Path) -> Path:
    """The compiled generator. Ends the benchmark where no compiler is nor can be installed: a
    slower generator would measure itself."""
    try:
        compiler = shutil.which("cc") or installed("gcc", "gcc", "libc6-dev")
    except Absent as fault:
        raise SystemExit(f"The load generator needs a C compiler: {fault}.") from None
    program = folder / "load"
    subprocess.run([compiler, "-O2", "-o", str(program), str(_SOURCE)], check=True)
    return program


class Load:
    """One load generator, on core 1, for one server."""

    def __init__(self, program: Path, folder: Path, server: Server) -> None:
        with on_core(1):
            self._process = subprocess.Popen(
                [str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        self.pid = self._process.pid
        self._server, self._folder = server, folder
        if server.ping:
            self("ping", server.ping.hex(), server.pong.hex())
        greeting = self._scripts("greeting", [Script(0, 0, server.greeting)])
        self("publisher", server.publisher, greeting)
        self.template(0, server.publication)

    def __enter__(self) -> "Load":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()

    def __call__(self, *order: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(" ".join(map(str, order)) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"the load generator died while it should {order[0]}")
        return dict(json.loads(answer))

    def template(self, kind: int, publication: bytes) -> None:
        path = self._folder / f"{self._server.name}-{kind}.template"
        path.write_bytes(publication)
        self("template", kind, path)

    def open(self, first: int, channels: int, sessions: int, at_once: int = 64) -> dict[str, Any]:
        """Opens ``sessions`` spread evenly over channels from ``first`` on."""
        each = sessions // channels
        opening = self._server.opening
        scripts = [
            Script(first + i // each, i, opening(i, first + i // each)) for i in range(sessions)
        ]
        return self("open", self._server.port, self._scripts("opening", scripts), at_once)

    def _scripts(self, what: str, scripts: list[Script]) -> Path:
        return write_scripts(self._folder / f"{self._server.name}-{what}.scripts", scripts)
