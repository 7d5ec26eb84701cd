"""What the benchmarks of the real-time server say on the wire, as bytes: frames, scripts, payloads.

A script is how one session enters: what to send, and what must be heard before the next step.
Placeholders of fixed width stand for what only the load generator knows, so that no length in
front of them changes: the channel, the number in it, and the moment.
"""

import base64
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "BASE",
    "CHANNEL",
    "PAYLOAD_BYTES",
    "Script",
    "Step",
    "channel_digits",
    "frame",
    "handshake",
    "payload",
    "write_scripts",
]

BASE = 1_000_000_000  # the number of a channel's last publication before the first measured one
CHANNEL = "777777"
NUMBER = "1111111111"
MOMENT = "5555555555555555"
PAYLOAD_BYTES = 128


class Step(NamedTuple):
    send: bytes
    wait: bytes


class Script(NamedTuple):
    """One session's way in. ``channel`` and ``person`` are indices."""

    channel: int
    person: int
    steps: list[Step]


def channel_digits(index: int) -> str:
    """A channel's name in every server: the same width for all."""
    return f"{index:06d}"


def payload(kind: int = 0) -> bytes:
    """128 bytes of JSON with the moment of publishing, the number, and the mark that is counted."""
    head = f'{{"t":{MOMENT},"n":{NUMBER},"k":{kind},"m":"~","pad":"'.encode()
    return head + b"x" * (PAYLOAD_BYTES - len(head) - 2) + b'"}'


def frame(message: bytes, *, binary: bool = False) -> bytes:
    """A masked frame; the mask is zero, so that placeholders stay readable."""
    size, first = len(message), 0x82 if binary else 0x81
    head = bytes((first, 0x80 | size)) if size < 126 else bytes((first, 0xFE, *size.to_bytes(2)))
    return head + b"\0\0\0\0" + message


def handshake(path: str, *, expect: bytes = b"\r\n\r\n") -> Step:
    key = base64.b64encode(os.urandom(16)).decode()
    request = (
        f"GET {path} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    return Step(request.encode(), expect)


def write_scripts(path: Path, scripts: Iterable[Script]) -> Path:
    """Writes what the load generator's ``open`` reads."""
    with path.open("wb") as file:
        for script in scripts:
            file.write(f"{script.channel} {script.person} {len(script.steps)}\n".encode())
            for send, wait in script.steps:
                file.write(f"{len(send)} {len(wait)}\n".encode() + send + wait)
    return path
