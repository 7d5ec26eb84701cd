"""Socket.IO on Node as a peer, installed from npm by its lock into a folder git ignores."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fanout_peer import Absent, Server, on_core
from fanout_wire import CHANNEL, Step, channel_digits, frame, handshake, payload

__all__ = ["running_socketio"]

_HERE = Path(__file__).parent
_SOURCE = _HERE / "socketio"
_ROOT = _HERE.parent.parent
_PATH = "/socket.io/?EIO=4&transport=websocket"
_INSTALL_SECONDS = 120


@contextmanager
def running_socketio(folder: Path) -> Iterator[Server]:
    """Runs the server of ``socketio/server.mjs``. Raises ``Absent``."""
    node, installed_at = _install()
    with on_core(0):
        process = subprocess.Popen(
            [node, "--expose-gc", "server.mjs"], cwd=installed_at, stdout=subprocess.PIPE, text=True
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise Absent("Socket.IO did not start")
        event = b'42["publish","' + CHANNEL.encode() + b'",' + payload() + b"]"
        yield Server(
            name="socketio",
            version=_version(installed_at),
            pid=process.pid,
            port=int(line),
            opening=_opening,
            publisher=line.strip(),
            publication=frame(event),
            greeting=[handshake(_PATH), Step(frame(b'40{"publishes":true}'), b'40{"sid"')],
            ping=b"2",
            pong=frame(b"3"),
            collect=lambda: os.kill(process.pid, signal.SIGUSR2),
        )
    finally:
        process.terminate()
        process.wait(10)


def _opening(session: int, channel: int) -> list[Step]:
    enter = f'40{{"room":"{channel_digits(channel)}"}}'.encode()
    return [handshake(_PATH, expect=b'0{"sid"'), Step(frame(enter), b'40{"sid"')]


def _version(installed_at: Path) -> str:
    import json

    package = installed_at / "node_modules" / "socket.io" / "package.json"
    return str(json.loads(package.read_text())["version"])


def _install() -> tuple[str, Path]:
    """Node, and the folder with the server and what it needs."""
    spec = importlib.util.spec_from_file_location("web_build", _ROOT / "hub" / "web" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    try:
        node = build.node_folder()
    except (subprocess.SubprocessError, OSError) as fault:
        raise Absent(f"there is no Node and none could be installed: {fault}") from None
    target = _ROOT / ".hub-bench" / "socketio"
    lock = (_SOURCE / "package-lock.json").read_text()
    stamp = target / "installed"
    target.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc", "server.mjs"):
        shutil.copy(_SOURCE / name, target / name)
    if not stamp.exists() or stamp.read_text() != lock:
        print("installing socket.io ...", file=sys.stderr, flush=True)
        npm = [str(node / "npm")]
        if not (node / "npm").exists():  # the wheel keeps npm as a script beside node's library
            cli = node.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            npm = [str(node / "node"), str(cli)]
        path = f"{node}{os.pathsep}{os.environ['PATH']}"
        try:
            subprocess.run(
                [*npm, "ci", "--loglevel=error"],
                cwd=target, env={**os.environ, "PATH": path}, check=True,
                stdout=subprocess.DEVNULL, timeout=_INSTALL_SECONDS,
            )  # fmt: skip
        except (subprocess.SubprocessError, OSError) as fault:
            raise Absent(f"socket.io could not be installed: {fault}") from None
        stamp.write_text(lock)
    return str(node / "node"), target
