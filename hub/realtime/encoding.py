"""An encoding: a codec together with the form its frames take on a transport.

Sessions of the same encoding share each frame of a fan-out: it is built once and the same bytes
are written to all of them.
"""

from collections.abc import Callable, Iterable

from hub.realtime.codec import JSON, Codec

__all__ = ["JSON_FRAMES", "JSON_MESSAGES", "Encoding", "text_frame"]


def text_frame(payload: bytes) -> bytes:
    """A whole, unmasked WebSocket text frame (RFC 6455, section 5.2), as servers send them."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


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


JSON_FRAMES = Encoding(JSON, text_frame)
JSON_MESSAGES = Encoding(JSON, _unchanged)
