"""An encoding: a codec together with the form its frames take on a transport.

Sessions of the same encoding share each frame of a fan-out: it is built once and the same bytes
are written to all of them.
"""

from collections.abc import Callable, Iterable

from hub.realtime.codec import JSON, Codec
from hub.realtime.codec_protobuf import PROTOBUF
from hub.realtime.wire import DisconnectPush, Push

__all__ = [
    "JSON_FRAMES",
    "JSON_MESSAGES",
    "PROTOBUF_FRAMES",
    "PROTOBUF_MESSAGES",
    "Encoding",
    "binary_frame",
    "text_frame",
]

_TEXT, _BINARY = 0x81, 0x82  # whole messages


def text_frame(payload: bytes) -> bytes:
    """A whole, unmasked WebSocket text frame (RFC 6455, section 5.2), as servers send them."""
    return _head(_TEXT, len(payload)) + payload


def binary_frame(payload: bytes) -> bytes:
    """The same with the opcode of binary data."""
    return _head(_BINARY, len(payload)) + payload


def _head(first: int, size: int) -> bytes:
    if size < 126:
        return bytes((first, size))
    if size < 65536:
        return bytes((first, 126)) + size.to_bytes(2, "big")
    return bytes((first, 127)) + size.to_bytes(8, "big")


def _unchanged(payload: bytes) -> bytes:
    return payload


class Encoding:
    """``frame`` turns encoded messages into what ``Transport.write`` takes; ``ping`` is ready."""

    def __init__(self, codec: Codec, wrap: Callable[[bytes], bytes]) -> None:
        self.codec = codec
        self._wrap = wrap
        self.ping = wrap(codec.ping)

    def frame(self, messages: Iterable[bytes]) -> bytes:
        return self._wrap(self.codec.join(messages))

    def goodbye(self, code: int, reason: str) -> bytes:
        """The last frame where a transport has no close frame to say it with."""
        returns = code % 1000 < 500  # 3000 and 4000 to ..499 ask the client to come back
        push = Push(disconnect=DisconnectPush(code, reason, reconnect=returns))
        return self.frame([self.codec.push(push)])


JSON_FRAMES = Encoding(JSON, text_frame)
JSON_MESSAGES = Encoding(JSON, _unchanged)
PROTOBUF_FRAMES = Encoding(PROTOBUF, binary_frame)
PROTOBUF_MESSAGES = Encoding(PROTOBUF, _unchanged)
