"""The ledger: double entry in whole minor units, and nothing else.

Every posting sums to zero per currency, no balance falls below its account's floor, a reference
posts once, entries are never changed. It knows nobody above it: what a posting means is the
business of the capability that posts, which also appends the event whose ``evidence`` is the
posting's digest.
"""

from hub.ledger.errors import (
    DuplicateReference,
    GuardRefused,
    HoldClosed,
    InsufficientFunds,
    Unbalanced,
    UnknownAccount,
    UnknownHold,
)
from hub.ledger.model import (
    Account,
    AccountRef,
    Balance,
    Guard,
    Hold,
    Leg,
    Posted,
    Posting,
    StatementLine,
)

__all__ = [
    "Account",
    "AccountRef",
    "Balance",
    "DuplicateReference",
    "Guard",
    "GuardRefused",
    "Hold",
    "HoldClosed",
    "InsufficientFunds",
    "Leg",
    "Posted",
    "Posting",
    "StatementLine",
    "Unbalanced",
    "UnknownAccount",
    "UnknownHold",
]
