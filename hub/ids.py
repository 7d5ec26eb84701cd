"""Identifiers: UUID version 7 (RFC 9562, section 5.7), so that keys sort by time of birth."""

import os
import threading
from datetime import datetime
from typing import NewType
from uuid import UUID

from hub.clock import milliseconds
from hub.errors import Invalid

__all__ = [
    "AccountId",
    "BusinessId",
    "ConversationId",
    "DeviceId",
    "EventId",
    "HoldId",
    "InvestmentId",
    "MessageId",
    "OfferingId",
    "PaymentId",
    "PersonId",
    "PostingId",
    "new_id",
    "new_id_texts",
    "parse_id",
]

PersonId = NewType("PersonId", UUID)
DeviceId = NewType("DeviceId", UUID)
EventId = NewType("EventId", UUID)
AccountId = NewType("AccountId", UUID)
PostingId = NewType("PostingId", UUID)
HoldId = NewType("HoldId", UUID)
PaymentId = NewType("PaymentId", UUID)
BusinessId = NewType("BusinessId", UUID)
OfferingId = NewType("OfferingId", UUID)
InvestmentId = NewType("InvestmentId", UUID)
ConversationId = NewType("ConversationId", UUID)
MessageId = NewType("MessageId", UUID)

_lock = threading.Lock()
_48_BITS = 2**48 - 1
_last: tuple[int, int] = (0, 0)
_BORROWED = 1_000
"""Milliseconds by which ids may run ahead of the clock, when it stands still or steps back."""


def new_id(now: datetime) -> UUID:
    """A UUIDv7 born at ``now``; ids of one process and millisecond still ascend.

    The 12 bits of ``rand_a`` are a counter that starts at a random value below 1024 each
    millisecond (RFC 9562, section 6.2, method 1); the last 62 bits are random.
    """
    global _last
    stamp = milliseconds(now)
    with _lock:
        last_stamp, counter = _last
        if stamp <= last_stamp < stamp + _BORROWED:
            stamp, counter = last_stamp, counter + 1
        else:
            counter = int.from_bytes(os.urandom(2)) & 0x3FF
        if counter > 0xFFF:  # 3,000 ids in one millisecond: borrow the next one
            stamp, counter = stamp + 1, 0
        _last = (stamp, counter)
    random = int.from_bytes(os.urandom(8)) >> 2
    return UUID(int=(stamp & _48_BITS) << 80 | 7 << 76 | counter << 64 | 2 << 62 | random)


def new_id_texts(now: datetime, count: int) -> list[str]:
    """``count`` ids as ``new_id`` makes them, as text and for a fifth of the time: for batches."""
    global _last
    given = milliseconds(now)
    random = os.urandom(8 * count + 2)
    digits = random.hex()
    texts: list[str] = []
    with _lock:
        stamp, counter = _last
        if not given <= stamp < given + _BORROWED:
            stamp, counter = given, int.from_bytes(random[-2:]) & 0x3FF
        head = _head(stamp)
        for at in range(0, 16 * count, 16):
            counter += 1
            if counter > 0xFFF:
                stamp, counter = stamp + 1, 0
                head = _head(stamp)
            variant = _VARIANT[digits[at]]
            texts.append(
                f"{head}{counter:03x}-{variant}{digits[at + 1 : at + 4]}-{digits[at + 4 : at + 16]}"
            )
        _last = (stamp, counter)
    return texts


_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def _head(stamp: int) -> str:
    """The first 52 bits as text: the time and the version."""
    digits = f"{stamp & _48_BITS:012x}"
    return f"{digits[:8]}-{digits[8:]}-7"


def parse_id(text: str) -> UUID:
    """The UUID in ``text``. Raises ``Invalid`` where there is none."""
    try:
        return UUID(text)
    except ValueError:
        raise Invalid("This is not a valid id.", id=text[:64]) from None
