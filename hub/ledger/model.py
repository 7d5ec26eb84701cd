"""Accounts, postings and what guards them: pure values, no I/O.

A leg adds its signed ``amount`` to its account; the legs of a posting sum to zero per currency.
All amounts are whole minor units.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal
from zlib import crc32

import msgspec

from hub.ids import AccountId, HoldId, PostingId
from hub.ledger.errors import Unbalanced
from hub.money import MAX_AMOUNT, currency_exponent

__all__ = [
    "STRIPES",
    "Account",
    "AccountRef",
    "Balance",
    "Guard",
    "Hold",
    "HoldState",
    "Holding",
    "Leg",
    "Posted",
    "Posting",
    "StatementLine",
    "posting_digest",
]

STRIPES = 8
"""How many rows share an account that everyone touches, so that it is no hot row."""

_UNBOUNDED = ("gateway:", "platform:")
_encoder = msgspec.json.Encoder(order="sorted")


class AccountRef(msgspec.Struct, frozen=True):
    """An account by name: whose it is, what for, and in which currency.

    ``owner`` is ``person:<id>``, ``business:<id>``, ``offering:<id>``, ``gateway:<name>`` or
    ``platform``; ``purpose`` is ``wallet``, ``escrow``, ``clearing``, ``fees`` or ``suspense``.
    """

    owner: str
    purpose: str
    currency: str

    @property
    def floor(self) -> int | None:
        """The least its available balance may be; None for our own and the gateways' books."""
        return None if f"{self.owner}:".startswith(_UNBOUNDED) else 0

    def check(self) -> "AccountRef":
        """Itself. Raises ``Invalid`` for a currency that does not exist."""
        currency_exponent(self.currency)
        return self


class Account(msgspec.Struct, frozen=True):
    """An open account. One without a floor has several ``stripes``; its balance is their sum."""

    id: AccountId
    ref: AccountRef
    floor: int | None
    stripes: tuple[AccountId, ...]

    def stripe(self, reference: str) -> AccountId:
        """The stripe that a posting with this reference should touch."""
        return self.stripes[crc32(reference.encode()) % len(self.stripes)]


class Leg(msgspec.Struct, frozen=True, gc=False):
    """Adds ``amount`` (minor units, negative for a debit) to an account."""

    account_id: AccountId
    amount: int
    currency: str


class Guard(msgspec.Struct, frozen=True, gc=False):
    """A limit that holds at the moment of posting, however many post at once.

    The counter (``key``, ``window``) may not exceed ``ceiling`` after ``delta`` was added; the
    addition commits with the posting or not at all. ``window`` names the period, such as
    ``2026-11-24`` or ``life``. ``rule`` names the limit to the person who meets it.
    """

    rule: str
    key: str
    window: str
    delta: int
    ceiling: int


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of money. ``reference`` is unique for ever: the same one never posts twice."""

    id: PostingId
    reference: str
    legs: tuple[Leg, ...]
    guards: tuple[Guard, ...] = ()
    effective_at: datetime
    metadata: Mapping[str, str] = {}

    def check(self) -> "Posting":
        """Itself, if it balances. Raises ``Unbalanced``."""
        sums: dict[str, int] = defaultdict(int)
        for leg in self.legs:
            if not 0 < abs(leg.amount) <= MAX_AMOUNT:
                raise Unbalanced("A leg moves nothing, or too much.", amount=leg.amount)
            sums[leg.currency] += leg.amount
        if len(self.legs) < 2 or any(sums.values()):
            raise Unbalanced("A posting must sum to zero.", sums=dict(sums))
        return self

    def digest(self, recorded_at: datetime) -> bytes:
        """SHA-256 of the canonical form; the audit chain holds it as evidence."""
        return posting_digest(
            self.id,
            self.reference,
            self.effective_at,
            recorded_at,
            self.metadata,
            [(leg.account_id, leg.amount, leg.currency) for leg in self.legs],
        )


def posting_digest(
    posting_id: PostingId | str,
    reference: str,
    effective_at: datetime,
    recorded_at: datetime,
    metadata: Mapping[str, str],
    legs: list[tuple[AccountId, int, str]],
) -> bytes:
    """SHA-256 of one JSON array with sorted keys, times in UTC to the microsecond."""
    return sha256(
        _encoder.encode(
            (
                posting_id,
                reference,
                effective_at.astimezone(UTC),
                recorded_at.astimezone(UTC),
                metadata,
                legs,
            )
        )
    ).digest()


class Posted(msgspec.Struct, frozen=True):
    """A posting that stands. ``balances`` are the touched accounts' posted balances after it."""

    id: PostingId
    digest: bytes
    balances: dict[AccountId, int]


class Balance(msgspec.Struct, frozen=True):
    """What an account holds, in minor units: ``available`` = ``posted`` - ``held``."""

    posted: int
    held: int
    available: int
    currency: str


class Holding(msgspec.Struct, frozen=True):
    """An account of an owner and what it holds, in minor units."""

    id: AccountId
    currency: str
    posted: int
    held: int
    available: int


class StatementLine(msgspec.Struct, frozen=True):
    """One entry of an account; ``seq`` ascends, ``balance`` is what stood after it."""

    seq: int
    posting_id: PostingId
    reference: str
    amount: int
    balance: int
    effective_at: datetime
    recorded_at: datetime
    metadata: dict[str, str]


HoldState = Literal["open", "captured", "released", "expired"]


class Hold(msgspec.Struct, frozen=True):
    """Money set aside in an account until it is captured, released or expires."""

    id: HoldId
    account_id: AccountId
    reference: str
    amount: int
    state: HoldState
    expires_at: datetime
