"""Messages in one frame, each behind its length: an unsigned varint, base 128, low digits first."""

from collections.abc import Iterator

__all__ = ["cut", "delimited", "varint"]

_LONGEST_VARINT = 5  # no frame is longer than 2**35


def varint(number: int) -> bytes:
    """A number that is not negative."""
    if number < 0x80:
        return bytes((number,))
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def delimited(message: bytes) -> bytes:
    """A message as a member of a frame."""
    return varint(len(message)) + message


def cut(frame: bytes) -> Iterator[bytes]:
    """The messages of a frame. Raises ``ValueError`` where it ends within one, or too early."""
    place = 0
    while place < len(frame):
        size = shift = 0
        for digit in frame[place : place + _LONGEST_VARINT]:
            place += 1
            size |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                break
        else:
            raise ValueError("a length without an end")
        if size > len(frame) - place:
            raise ValueError("a message that is longer than its frame")
        yield frame[place : place + size]
        place += size
