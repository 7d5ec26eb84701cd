"""The ledger: double entry in whole minor units, and nothing else.

Every posting sums to zero per currency, no balance falls below its account's floor, a reference
posts once, entries are never changed. It knows nobody above it: what a posting means is the
business of the capability that posts, which also appends the event whose ``evidence`` is the
posting's digest.
"""

from hub.ledger.accounts import account, accounts_of, balance, open_account, statement, used
from hub.ledger.batcher import Batcher
from hub.ledger.errors import (
    DuplicateReference,
    GuardRefused,
    HoldClosed,
    InsufficientFunds,
    Unbalanced,
    UnknownAccount,
    UnknownHold,
)
from hub.ledger.holds import capture_hold, expire_holds, place_hold, release_hold
from hub.ledger.model import (
    Account,
    AccountRef,
    Balance,
    Guard,
    Hold,
    Holding,
    Leg,
    Posted,
    Posting,
    StatementLine,
    posting_digest,
)
from hub.ledger.post import Guards, lock_accounts, post, post_many
from hub.ledger.verify import LedgerReport, verify_ledger

__all__ = [
    "Account",
    "AccountRef",
    "Balance",
    "Batcher",
    "DuplicateReference",
    "Guard",
    "GuardRefused",
    "Guards",
    "Hold",
    "HoldClosed",
    "Holding",
    "InsufficientFunds",
    "LedgerReport",
    "Leg",
    "Posted",
    "Posting",
    "StatementLine",
    "Unbalanced",
    "UnknownAccount",
    "UnknownHold",
    "account",
    "accounts_of",
    "balance",
    "capture_hold",
    "expire_holds",
    "lock_accounts",
    "open_account",
    "place_hold",
    "post",
    "post_many",
    "posting_digest",
    "release_hold",
    "statement",
    "used",
    "verify_ledger",
]
