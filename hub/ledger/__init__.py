"""The ledger: double entry in whole minor units, and nothing else.

Every posting sums to zero per currency, no balance falls below its account's floor, a reference
posts once, entries are never changed. It knows nobody above it: what a posting means is the
business of the capability that posts, which also appends the event whose ``evidence`` is the
posting's digest.
"""

from hub.ledger.accounts import account, balance, open_account, statement
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
from hub.ledger.post import Columns, lock_accounts, post, post_many

__all__ = [
    "Account",
    "AccountRef",
    "Balance",
    "Columns",
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
    "account",
    "balance",
    "lock_accounts",
    "open_account",
    "post",
    "post_many",
    "statement",
]
