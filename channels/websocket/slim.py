"""A connection after its handshake: one small protocol between socket and session.

No task, no queue, no ASGI scope. Frames that a fan-out built once are written as they are. What
the peer does not read is bounded: past 1 MiB in the transport's buffer, with a short grace for
the kernel to take it, the session ends with 3008.
"""

import asyncio
from typing import Protocol

from channels.websocket.frames import (
    FrameFault,
    FrameReader,
    Opcode,
    close_code,
    close_frame,
    pong_frame,
)
from hub.realtime import SLOW, WRONG_PROTOCOL, Encoding, Node, Session

__all__ = ["SlimProtocol"]

_MOST_UNREAD = 1024 * 1024
_SLOW_SECONDS = 0.1
_CLOSE_SECONDS = 5.0
_FAULT_SECONDS = 0.5


class Connections(Protocol):
    """uvicorn's set of open connections, on whose end its shutdown waits."""

    def add(self, connection: "SlimProtocol", /) -> object: ...

    def discard(self, connection: "SlimProtocol", /) -> None: ...


class SlimProtocol(asyncio.Protocol):
    """Implements ``hub.realtime.Transport`` on a raw socket. ``write`` is the transport's own."""

    __slots__ = (
        "_closing",
        "_connections",
        "_failed",
        "_opcode",
        "_reader",
        "_session",
        "_transport",
        "write",
    )

    def __init__(
        self,
        node: Node,
        encoding: Encoding,
        transport: asyncio.Transport,
        connections: Connections,
        address: str = "",
    ) -> None:
        self._transport = transport
        self._connections = connections
        self._opcode = Opcode.BINARY if encoding.codec.binary else Opcode.TEXT
        self._reader = FrameReader()
        self._closing = self._failed = False
        self.write = transport.write
        transport.set_write_buffer_limits(high=_MOST_UNREAD)
        connections.add(self)
        self._session: Session = node.open(self, encoding, address=address)

    # From the socket

    def data_received(self, data: bytes) -> None:
        if self._failed:
            return
        try:
            messages = self._reader.feed(data)
        except FrameFault as fault:
            self._fail(fault)
            return
        for opcode, payload in messages:
            if opcode is self._opcode:
                self._session.receive(payload)
            elif opcode is Opcode.TEXT or opcode is Opcode.BINARY:
                self._session.close(WRONG_PROTOCOL)
            elif opcode is Opcode.PING and not self._closing:
                self._transport.write(pong_frame(payload))
            elif opcode is Opcode.CLOSE:
                self._answer_close(payload)
                return

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._session.lost()
        self._connections.discard(self)

    def pause_writing(self) -> None:
        # The buffer is counted before the kernel is offered it, so look again in a moment. It
        # must not be now: this is called in the middle of a fan-out.
        asyncio.get_running_loop().call_later(_SLOW_SECONDS, self._judge_slow)

    def resume_writing(self) -> None:
        pass

    # From the server

    def shutdown(self) -> None:
        """uvicorn stops: the client is asked to come back."""
        if self._closing:
            self._transport.abort()
        self._session.node.drain(self._session)

    # From the session

    def close(self, code: int, reason: str) -> None:
        """Sends a close frame and waits 5 s for the peer's, then drops the connection."""
        if self._closing:
            return
        self._closing = True
        if not self._transport.is_closing():
            self._transport.write(close_frame(code, reason))
            self._transport.resume_reading()
            asyncio.get_running_loop().call_later(_CLOSE_SECONDS, self._transport.abort)

    def hold_reading(self, hold: bool) -> None:
        if self._transport.is_closing():
            return
        if hold:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _answer_close(self, payload: bytes) -> None:
        try:
            code = close_code(payload)
        except FrameFault as fault:
            self._fail(fault)
            return
        if not self._closing:
            self._closing = True
            self._transport.write(close_frame(code, ""))
        self._session.lost()
        self._transport.close()

    def _fail(self, fault: FrameFault) -> None:
        self._failed = True
        if not self._closing:
            self._closing = True
            self._transport.write(close_frame(fault.code, fault.reason))
            # The rest of what it sent is read and thrown away for a moment: closing with unread
            # bytes would reset the connection, and the peer would never see why.
            asyncio.get_running_loop().call_later(_FAULT_SECONDS, self._transport.close)
        self._session.lost()

    def _judge_slow(self) -> None:
        unread = self._transport.get_write_buffer_size()
        if unread > _MOST_UNREAD // 2 and not self._transport.is_closing():
            self._session.close(SLOW)
