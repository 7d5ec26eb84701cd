"""nginx with nchan as a peer: one worker, memory store, no Redis."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fanout_peer import Absent, Server, free_port, installed, on_core, wait_for_port
from fanout_wire import CHANNEL, PAYLOAD_BYTES, Step, channel_digits, handshake, payload

__all__ = ["running_nchan"]

_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")


@contextmanager
def running_nchan(folder: Path) -> Iterator[Server]:
    """Runs nginx; the process measured is its worker. Raises ``Absent``."""
    nginx = installed("nginx", "nginx", "libnginx-mod-nchan", needs=_MODULE)
    if os.getuid() != 0:
        raise Absent("starting nginx with its module needs root here")
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(_config(folder, port))
    with on_core(0):
        process = subprocess.Popen([nginx, "-c", str(config), "-p", str(folder)])
    try:
        wait_for_port(port, "nginx")
        yield Server(
            name="nchan",
            version=_version(nginx),
            pid=int(
                Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
            ),
            port=port,
            opening=_opening,
            publisher=str(port),
            publication=(
                f"POST /pub?id={CHANNEL} HTTP/1.1\r\nHost: bench\r\n"
                f"Content-Length: {PAYLOAD_BYTES}\r\n\r\n"
            ).encode()
            + payload(),
            greeting=[],
            burst=8,
        )
    finally:
        process.terminate()
        process.wait(10)


def _opening(session: int, channel: int) -> list[Step]:
    return [handshake(f"/sub?id={channel_digits(channel)}")]


def _version(nginx: str) -> str:
    done = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True)
    return done.stderr.rpartition("/")[2].strip()


def _config(folder: Path, port: int) -> str:
    return f"""
load_module {_MODULE};
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
user root;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    nchan_max_reserved_memory 256M;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        keepalive_requests 100000000;
        location = /sub {{
            nchan_subscriber websocket;
            nchan_channel_id $arg_id;
            nchan_subscriber_first_message newest;
        }}
        location = /pub {{
            nchan_publisher;
            nchan_channel_id $arg_id;
            nchan_store_messages off;
            nchan_message_timeout 60s;
        }}
    }}
}}
"""
