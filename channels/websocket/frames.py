"""WebSocket frames from a client, cut out of bytes (RFC 6455, section 5). No I/O here.

Only what a client without extensions may send is accepted: masked frames, no reserved bits,
control frames whole and short, text in UTF-8, messages of at most 64 KiB. The rest is a
``FrameFault`` with the close code that the RFC gives it.
"""

from enum import IntEnum

__all__ = [
    "MOST_BYTES",
    "FrameFault",
    "FrameReader",
    "Opcode",
    "close_code",
    "close_frame",
    "pong_frame",
]

MOST_BYTES = 65_536


class Opcode(IntEnum):
    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


_OPCODES = frozenset(Opcode)
# What a peer may close with (RFC 6455, section 7.4, and the registry it opened)
_CLOSE_CODES = frozenset((1000, 1001, 1002, 1003, *range(1007, 1015)))


class FrameFault(Exception):
    """The peer broke the WebSocket protocol; close with ``code``."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class FrameReader:
    """Collects bytes and gives out whole messages. Between messages it holds nothing."""

    __slots__ = ("_buffer", "_opcode", "_parts")

    def __init__(self) -> None:
        self._buffer: bytes = b""
        self._parts: bytearray | None = None
        self._opcode = Opcode.TEXT

    def feed(self, data: bytes) -> list[tuple[Opcode, bytes]]:
        """The messages that ``data`` completes; control frames come as they arrive.

        Raises ``FrameFault``; what completed before the fault is lost with the connection.
        """
        buffer = self._buffer + data if self._buffer else data
        messages: list[tuple[Opcode, bytes]] = []
        place = 0
        while (frame := self._frame(buffer, place)) is not None:
            first, payload, place = frame
            message = self._message(first, payload)
            if message is not None:
                messages.append(message)
        self._buffer = buffer[place:]
        return messages

    def _frame(self, buffer: bytes, start: int) -> tuple[int, bytes, int] | None:
        """First byte, unmasked payload and end of the frame at ``start``; None if incomplete."""
        have = len(buffer) - start
        if have < 2:
            return None
        first, second = buffer[start], buffer[start + 1]
        self._check_opcode(first)
        if not second & 0x80:
            raise FrameFault(1002, "unmasked frame")
        size, head = second & 0x7F, 2
        if first & 0x08 and (size > 125 or not first & 0x80):
            raise FrameFault(1002, "control frame too long or fragmented")
        if size >= 126:
            head = 4 if size == 126 else 10
            if have < head:
                return None
            size = int.from_bytes(buffer[start + 2 : start + head], "big")
            if size < 126 or (head == 10 and not 65_536 <= size < 2**63):
                raise FrameFault(1002, "length not in its shortest form")
        if size + len(self._parts or b"") > MOST_BYTES:
            raise FrameFault(1009, "message too big")
        if have < head + 4 + size:
            return None
        body = start + head + 4
        mask = buffer[start + head : body]
        return first, _unmask(buffer[body : body + size], mask), body + size

    def _check_opcode(self, first: int) -> None:
        if first & 0x70:
            raise FrameFault(1002, "reserved bits")
        opcode = first & 0x0F
        if opcode not in _OPCODES:
            raise FrameFault(1002, "unknown opcode")
        if opcode < Opcode.CLOSE and (opcode == Opcode.CONTINUATION) is (self._parts is None):
            raise FrameFault(1002, "fragments out of order")

    def _message(self, first: int, payload: bytes) -> tuple[Opcode, bytes] | None:
        opcode = Opcode(first & 0x0F)
        if opcode >= Opcode.CLOSE:
            return opcode, payload
        if opcode is not Opcode.CONTINUATION:
            self._opcode = opcode
        if not first & 0x80:
            self._parts = self._parts or bytearray()
            self._parts += payload
            return None
        if self._parts is not None:
            payload = bytes(self._parts) + payload
            self._parts = None
        if self._opcode is Opcode.TEXT and not payload.isascii():
            try:
                payload.decode()
            except UnicodeDecodeError:
                raise FrameFault(1007, "text is not UTF-8") from None
        return self._opcode, payload


def close_code(payload: bytes) -> int:
    """The code in a peer's close frame; 1000 where it gave none. Raises ``FrameFault``."""
    if not payload:
        return 1000
    code = int.from_bytes(payload[:2], "big")
    if len(payload) < 2 or not (code in _CLOSE_CODES or 3000 <= code <= 4999):
        raise FrameFault(1002, "bad close code")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise FrameFault(1007, "close reason is not UTF-8") from None
    return code


def close_frame(code: int, reason: str) -> bytes:
    """A close frame; the reason is cut to what a control frame holds."""
    payload = code.to_bytes(2, "big") + reason.encode()[:123]
    return bytes((0x88, len(payload))) + payload


def pong_frame(payload: bytes) -> bytes:
    return bytes((0x8A, len(payload))) + payload


def _unmask(data: bytes, mask: bytes) -> bytes:
    """XOR with the repeated mask, as one big number: no loop over bytes."""
    size = len(data)
    repeated = (mask * (size // 4 + 1))[:size]
    mixed = int.from_bytes(data, "little") ^ int.from_bytes(repeated, "little")
    return mixed.to_bytes(size, "little")
