"""Patches between publications, in the delta format of the Fossil version control system.

A patch is the target's length, commands that copy from the source or insert, and a checksum of
the target; numbers are base 64. Successive states of one thing mostly differ in the middle, so
what they begin and end with is found first and costs no loop; only what is left between is
searched for blocks of 16 bytes known from the source. Pieces are never cut within a UTF-8
character, so that a patch between texts is a text.
"""

import struct

__all__ = ["patch_between"]

_DIGITS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"
_BLOCK = 16
_WORTH_COPYING = 8  # a copy command takes about as much
_LONGEST_CHARACTER = 4
_MOST_SEARCHED = 8 * 1024  # bytes of a target; searching is a loop, and others wait


def patch_between(source: bytes, target: bytes) -> bytes | None:
    """A patch that makes ``target`` of ``source``; None where it would not be smaller."""
    parts = [_number(len(target)), b"\n"]
    size = len(target)
    head = _whole(target, _common_start(source, target))
    if head < _WORTH_COPYING:
        head = 0
    rest = min(len(source), size) - head
    tail = _common_end(source[len(source) - rest :], target[size - rest :])
    tail = size - _next_whole(target, size - tail)
    if tail < _WORTH_COPYING:
        tail = 0
    if head:
        parts.append(_copy(0, head))
    parts += _middle(source, target, head, size - tail)
    if tail:
        parts.append(_copy(len(source) - tail, tail))
    parts += (_number(_checksum(target)), b";")
    patch = b"".join(parts)
    return patch if len(patch) < size else None


def _middle(source: bytes, target: bytes, start: int, end: int) -> list[bytes]:
    """Commands for ``target[start:end]``."""
    if end - start < 2 * _BLOCK or end - start > _MOST_SEARCHED:
        return _insert(target[start:end])
    blocks = {source[at : at + _BLOCK]: at for at in range(0, len(source) - _BLOCK + 1, _BLOCK)}
    parts: list[bytes] = []
    place = pending = start  # what lies between them is not found in the source
    while place <= end - _BLOCK:
        found = blocks.get(target[place : place + _BLOCK])
        if found is None:
            place += 1
            continue
        known, wanted = place - pending, end - place
        before = _common_end(source[max(0, found - known) : found], target[pending:place])
        after = _common_start(source[found : found + wanted], target[place:end])
        first, last = _next_whole(target, place - before), _whole(target, place + after)
        if last - first >= _WORTH_COPYING:
            parts += _insert(target[pending:first])
            parts.append(_copy(found - (place - first), last - first))
            pending = last
        place = max(place + 1, last)
    return parts + _insert(target[pending:end])


def _whole(data: bytes, at: int) -> int:
    """``at``, or the start of the UTF-8 character that it would cut."""
    for start in range(at, max(at - _LONGEST_CHARACTER, -1), -1):
        if start == len(data) or data[start] & 0xC0 != 0x80:
            return start
    return at  # no text


def _next_whole(data: bytes, at: int) -> int:
    """``at``, or the end of the UTF-8 character that it would cut."""
    for end in range(at, min(at + _LONGEST_CHARACTER, len(data))):
        if data[end] & 0xC0 != 0x80:
            return end
    return at


def _common_start(one: bytes, other: bytes) -> int:
    """How many bytes both begin with. By halves: comparing slices costs no loop over bytes."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_end(one: bytes, other: bytes) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[len(one) - middle : len(one) - low] == other[len(other) - middle : len(other) - low]:
            low = middle
        else:
            high = middle - 1
    return low


def _copy(start: int, count: int) -> bytes:
    return b"%b@%b," % (_number(count), _number(start))


def _insert(data: bytes) -> list[bytes]:
    return [_number(len(data)), b":", data] if data else []


def _number(value: int) -> bytes:
    digits = bytearray()
    while True:
        digits.append(_DIGITS[value & 63])
        value >>= 6
        if not value:
            return bytes(reversed(digits))


def _checksum(data: bytes) -> int:
    """The sum of big-endian words of 32 bits; the last is filled up with zeros."""
    words = (len(data) + 3) // 4
    padded = data.ljust(words * 4, b"\0")
    total: int = sum(struct.unpack(f">{words}I", padded))
    return total & 0xFFFFFFFF
