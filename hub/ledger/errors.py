"""What the ledger refuses, and why."""

from hub.errors import Conflict, Invalid, NotFound, Refused
from hub.ids import HoldId, PostingId

__all__ = [
    "DuplicateReference",
    "GuardRefused",
    "HoldClosed",
    "InsufficientFunds",
    "Unbalanced",
    "UnknownAccount",
    "UnknownHold",
]


class Unbalanced(Invalid):
    """The legs of a posting do not sum to zero in each currency, or are not legs at all."""

    kind = "unbalanced_posting"


class UnknownAccount(NotFound):
    """A leg or a hold names an account that does not exist, or in another currency."""

    kind = "unknown_account"


class InsufficientFunds(Refused):
    """The debited account would fall below its floor; ``available`` is in minor units."""

    kind = "insufficient_funds"

    def __init__(self, *, available: int, currency: str) -> None:
        super().__init__(
            "There is not enough money in the account.", available=available, currency=currency
        )
        self.available = available
        self.currency = currency


class GuardRefused(Refused):
    """A limit would be exceeded: ``used`` + the asked amount is above ``ceiling``.

    ``rule`` names the limit; all figures are in what the counter counts, mostly minor units.
    """

    kind = "limit_reached"

    def __init__(self, *, rule: str, ceiling: int, used: int) -> None:
        # ``used`` stays the first fact: investments splice it into answers made ahead of time.
        super().__init__("This would go over a limit.", used=used, rule=rule, ceiling=ceiling)
        self.rule = rule
        self.ceiling = ceiling
        self.used = used


class DuplicateReference(Conflict):
    """The reference was used before; ``posting_id`` is that posting (or, for a hold, that hold)."""

    kind = "duplicate_reference"

    def __init__(self, *, reference: str, posting_id: PostingId) -> None:
        super().__init__("This was posted before.", reference=reference)
        self.reference = reference
        self.posting_id = posting_id


class UnknownHold(NotFound):
    """There is no such hold."""

    kind = "unknown_hold"


class HoldClosed(Conflict):
    """The hold was captured, released or has expired already; ``state`` says which."""

    kind = "hold_closed"

    def __init__(self, *, hold_id: HoldId, state: str) -> None:
        super().__init__("This hold is closed.", hold=str(hold_id), state=state)
        self.state = state
