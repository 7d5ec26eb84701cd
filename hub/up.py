"""``hub up``: the whole product on one machine, from nothing.

Embedded servers (unless addresses are given), keys of this data folder, migrations, demo data, then
the Procfile's processes; at the end everything stops in the opposite order. A second start finds
its data. What is in the way (a busy port, another hub) is said in one sentence.
"""

import base64
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hub.embedded import Addresses, EmbeddedFault, embedded_servers
from hub.kept_server import Lost
from hub.processes import procfile, run_processes
from hub.sandbox.keys import service_account_at
from hub.settings import Settings, SettingsFault, read_env_file

__all__ = ["development_environment", "up"]

_ROOT = Path(__file__).parent.parent


def up(given: Mapping[str, str]) -> int:
    """Runs until Ctrl-C; returns the exit code.

    Raises ``SettingsFault`` or ``EmbeddedFault`` with what to do about it.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):  # until processes run: end what was started
        signal.signal(number, _interrupt)
    if given.get("HUB_ENV", "development") == "production":
        raise SettingsFault("hub up is for development; in production run the Procfile's lines.")
    data_dir = Path(given.get("HUB_DATA_DIR", ".hub")).resolve()
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)  # the sandbox's SMS hold codes
    print("Starting PostgreSQL and Valkey ...", flush=True)
    faults: list[str] = []

    def lost(fault: str) -> None:
        faults.append(fault)
        os.kill(os.getpid(), signal.SIGTERM)

    with _servers(given, data_dir, lost) as addresses:
        environment = development_environment(given, data_dir, addresses)
        settings = Settings.load(environment)
        ports = [settings.http.port] + ([settings.sandbox.port] if settings.sandbox.enabled else [])
        for port in ports:
            _await_free(settings.http.host, port)
        commands = procfile(_ROOT / "Procfile")
        if not settings.sandbox.enabled:
            commands.pop("sandbox", None)
        _once(commands.pop("release"), environment)
        if settings.sandbox.enabled:
            _once("hub seed", environment)
        threading.Thread(target=_announce, args=(settings,), daemon=True).start()
        code = run_processes(commands, environment, Path.cwd())
    if faults:
        raise EmbeddedFault(faults[0])
    print("Stopped. The next start finds its data.", flush=True)
    return code


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def _servers(given: Mapping[str, str], data_dir: Path, lost: Lost) -> Iterator[Addresses | None]:
    if given.get("HUB_DATABASE_URL") and given.get("HUB_REDIS_URL"):
        yield None
        return
    with embedded_servers(data_dir, lost=lost) as addresses:
        yield addresses


def development_environment(
    given: Mapping[str, str], data_dir: Path, addresses: Addresses | None
) -> dict[str, str]:
    """The environment of the processes: what is given, this folder's keys, the servers' addresses.

    Keys are made once and kept in ``development.env`` (mode 0600), so sessions and sealed data
    survive a restart; ``hub verify`` and ``hub phone`` in another terminal read the same file.
    """
    path = data_dir / "development.env"
    kept = read_env_file(path)
    fresh = {**_fresh_keys(), **kept}
    if addresses is not None:
        fresh |= {"HUB_DATABASE_URL": addresses.database_url, "HUB_REDIS_URL": addresses.redis_url}
    for name in ("HUB_PORT", "HUB_SANDBOX_PORT"):
        fresh.pop(name, None)
        if name in given:
            fresh[name] = given[name]
    # The account says where its tokens come from: the sandbox, at this start's port.
    account = fresh.get("HUB_FCM_SERVICE_ACCOUNT")
    fresh["HUB_FCM_SERVICE_ACCOUNT"] = service_account_at(_sandbox_url(given), account)
    written = path.with_suffix(".new")
    written.touch(mode=0o600)
    written.write_text("".join(f"{name}={value}\n" for name, value in sorted(fresh.items())))
    written.rename(path)
    programs = f"{Path(sys.executable).parent}{os.pathsep}{given.get('PATH', '')}"
    return {**fresh, **given, "PATH": programs, "HUB_DATA_DIR": str(data_dir)}


def _sandbox_url(given: Mapping[str, str]) -> str:
    """Raises ``SettingsFault`` for ports that are none."""
    web, own = given.get("HUB_PORT") or "8000", given.get("HUB_SANDBOX_PORT")
    for name, text in (("HUB_PORT", web), ("HUB_SANDBOX_PORT", own or web)):
        if not text.isdigit():
            raise SettingsFault(f"{name} must be a port number.")
    return f"http://127.0.0.1:{own or int(web) + 1}"


def _fresh_keys() -> dict[str, str]:
    signing = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return {
        "HUB_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "HUB_SIGNING_KEY": signing.decode().strip().replace("\n", "\\n"),
        "HUB_PAYSTACK_SECRET_KEY": f"sk_test_{secrets.token_hex(20)}",
        "HUB_AT_API_KEY": f"atsk_{secrets.token_hex(32)}",
        "HUB_AT_CALLBACK_TOKEN": secrets.token_urlsafe(24),
    }


def _await_free(host: str, port: int) -> None:
    """Waits a moment for a port that a killed run may still be leaving."""
    for attempt in range(12):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                if attempt == 0:
                    print(f"Port {port} is in use; waiting a moment ...", flush=True)
            else:
                return
        time.sleep(0.5)
    raise EmbeddedFault(
        f"Port {port} is used by another program. Stop it, or choose another port:"
        f" HUB_PORT={port + 100} make run"
    )


def _once(command: str, environment: Mapping[str, str]) -> None:
    done = subprocess.run(command.split(), env=dict(environment), check=False)
    if done.returncode != 0:
        raise EmbeddedFault(f"`{command}` failed; its message is above.")


def _announce(settings: Settings) -> None:
    """Prints the addresses once everything answers."""
    ready = f"{settings.http.public_url}/health/ready"
    for _ in range(240):
        try:
            if httpx.get(ready, timeout=2).status_code == 200:
                break
        except httpx.HTTPError:
            pass
        time.sleep(0.25)
    else:
        print(f"\nStill not ready after a minute; see {ready}\n", flush=True)
        return
    print(_banner(settings), flush=True)


def _banner(settings: Settings) -> str:
    from hub.demo import PEOPLE

    lines = [
        "",
        f"  Bvester Hub is live:  {settings.http.public_url}",
        f"  API reference:        {settings.http.public_url}/docs",
        f"  Metrics:              {settings.http.public_url}/metrics",
    ]
    if settings.sandbox.enabled:
        lines += [
            f"  Sandbox phone:        {settings.http.public_url}/#/phone",
            "",
            "  Demo sign-ins (the code comes by SMS to the sandbox phone):",
            *(f"    {person.name:<16} {person.phone:<16} {person.about}" for person in PEOPLE),
            "",
            f"  A terminal feature phone:  hub phone {PEOPLE[1].phone}"
            f"  (dial {settings.africas_talking.service_code})",
        ]
    return "\n".join([*lines, ""])
