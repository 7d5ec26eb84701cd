"""nginx with nchan as the peer of the fan-out benchmark: one worker, memory store, no Redis."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Absent", "running_nchan"]

_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")


class Absent(Exception):
    """There is no nchan here, and why."""


@contextmanager
def running_nchan(folder: Path) -> Iterator[tuple[int, int]]:
    """Runs nginx; yields its port and its worker's process id. Raises ``Absent``."""
    nginx = _find()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(
        f"""
load_module {_MODULE};
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
user root;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    nchan_max_reserved_memory 256M;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        keepalive_requests 100000000;
        location = /sub {{
            nchan_subscriber websocket;
            nchan_channel_id bench;
            nchan_subscriber_first_message newest;
        }}
        location = /pub {{
            nchan_publisher;
            nchan_channel_id bench;
            nchan_store_messages off;
            nchan_message_timeout 60s;
        }}
    }}
}}
"""
        if os.getuid() == 0
        else ""
    )
    if os.getuid() != 0:
        raise Absent("starting the peer needs root here")
    process = subprocess.Popen([nginx, "-c", str(config), "-p", str(folder)])
    try:
        yield port, _worker(process.pid, port)
    finally:
        process.terminate()
        process.wait(10)


def _find() -> str:
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    if Path(nginx).exists() and _MODULE.exists():
        return nginx
    if os.getuid() != 0 or not shutil.which("apt-get"):
        raise Absent("nginx with libnginx-mod-nchan is not installed")
    print("installing nginx and libnginx-mod-nchan", flush=True)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "timeout": 90}
    try:
        subprocess.run(["apt-get", "update", "-qq"], check=False, **quiet)  # type: ignore[call-overload]
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
        subprocess.run([*install, "nginx", "libnginx-mod-nchan"], check=True, **quiet)  # type: ignore[call-overload]
    except (subprocess.SubprocessError, OSError) as fault:
        raise Absent(f"nginx with libnginx-mod-nchan could not be installed: {fault}") from None
    return shutil.which("nginx") or "/usr/sbin/nginx"


def _worker(master: int, port: int) -> int:
    """The worker's process id, once it accepts."""
    for _ in range(200):
        children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        if children:
            with socket.socket() as probe:
                probe.settimeout(0.05)
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return int(children[0])
        subprocess.run(["sleep", "0.05"], check=False)
    raise Absent("nginx did not start")
