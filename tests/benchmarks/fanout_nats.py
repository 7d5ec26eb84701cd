"""nats-server as a peer: core NATS, subscribers over WebSocket, the publisher over plain TCP."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fanout_peer import Server, free_port, installed, on_core, wait_for_port
from fanout_wire import CHANNEL, PAYLOAD_BYTES, Step, channel_digits, frame, handshake, payload

__all__ = ["running_nats"]

_CONNECT = b'CONNECT {"verbose":false,"pedantic":false,"tls_required":false,"protocol":1}\r\n'


@contextmanager
def running_nats(folder: Path) -> Iterator[Server]:
    """Runs nats-server without persistence. Raises ``Absent``."""
    program = installed("nats-server", "nats-server")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    port, plain = free_port(), free_port()
    config = folder / "nats.conf"
    config.write_text(
        f"listen: 127.0.0.1:{plain}\n"
        f'log_file: "{folder}/nats.log"\n'
        "max_connections: 32768\n"
        'ping_interval: "1h"\n'
        f"websocket {{ listen: 127.0.0.1:{port}, no_tls: true, compression: false }}\n"
    )
    with on_core(0):
        process = subprocess.Popen([program, "-c", str(config)])
    try:
        wait_for_port(port, "nats-server")
        yield Server(
            name="nats",
            version=version.stdout.split()[-1].lstrip("v"),
            pid=process.pid,
            port=port,
            opening=_opening,
            publisher=str(plain),
            publication=f"PUB {CHANNEL} {PAYLOAD_BYTES}\r\n".encode() + payload() + b"\r\n",
            greeting=[Step(_CONNECT + b"PING\r\n", b"PONG")],
        )
    finally:
        process.terminate()
        process.wait(10)


def _opening(session: int, channel: int) -> list[Step]:
    subscribe = _CONNECT + f"SUB {channel_digits(channel)} 1\r\nPING\r\n".encode()
    return [handshake("/", expect=b"INFO "), Step(frame(subscribe, binary=True), b"PONG")]
