"""The same session over plain ASGI messages, for servers that cannot hand a socket over.

One task reads, one writes; what the peer does not read is bounded by 1 MiB, then 3008.
"""

import asyncio
from contextlib import suppress
from typing import Any

from litestar.connection import WebSocket
from litestar.exceptions import WebSocketDisconnect

from channels.websocket.frames import MOST_BYTES
from channels.websocket.outbox import Outbox
from hub.realtime import SLOW, WRONG_PROTOCOL, Encoding, Node

__all__ = ["serve"]

_CLOSE_SECONDS = 1.0


async def serve(
    socket: "WebSocket[Any, Any, Any]", node: Node, encoding: Encoding, address: str = ""
) -> None:
    """Runs a session on an accepted socket until either side ends it."""
    outbox = Outbox()
    session = node.open(outbox, encoding, address=address)
    binary = encoding.codec.binary

    async def read() -> None:
        while True:
            await outbox.may_read()
            message: dict[str, Any] = dict(await socket.receive())
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            frame: bytes = text.encode() if text is not None else message.get("bytes") or b""
            if len(frame) > MOST_BYTES:
                outbox.close(1009, "message too big")
                return
            if binary is (text is not None):
                session.close(WRONG_PROTOCOL)
                return
            session.receive(frame)

    async def write() -> None:
        while True:
            await outbox.wait()
            while (message := outbox.take()) is not None:
                if binary:
                    await socket.send_data(message, mode="binary")
                else:
                    await socket.send_data(message.decode(), mode="text")
            if outbox.closed is not None:
                return

    reader, writer = asyncio.ensure_future(read()), asyncio.ensure_future(write())
    ended = asyncio.ensure_future(outbox.ended.wait())
    tasks = (reader, writer, ended)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if outbox.overflowed:
            session.close(SLOW)
        elif outbox.closed is not None:
            await asyncio.wait([writer], timeout=_CLOSE_SECONDS)
    finally:
        session.lost()
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for fault in results:
        if isinstance(fault, Exception) and not isinstance(fault, WebSocketDisconnect | OSError):
            raise fault
    if outbox.closed is not None:
        code, reason = outbox.closed
        with suppress(TimeoutError):  # who reads nothing does not let us say goodbye either
            await asyncio.wait_for(socket.close(code=code, reason=reason), _CLOSE_SECONDS)
