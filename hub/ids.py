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


def parse_id(text: str) -> UUID:
    """The UUID in ``text``. Raises ``Invalid`` where there is none."""
    try:
        return UUID(text)
    except ValueError:
        raise Invalid("This is not a valid id.", id=text[:64]) from None
