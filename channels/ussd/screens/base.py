"""What a screen is, and what it may look at."""

from abc import ABC, abstractmethod
from typing import TypeVar

from channels.ussd.facts import (
    Facts,
    Outcome,
    Place,
    Question,
)
from channels.ussd.model import (
    Home,
    Move,
    State,
    View,
    Wrong,
)
from channels.ussd.wording import say, speak_money
from hub.money import Money

__all__ = ["Look", "ScreenKind"]

T = TypeVar("T")


class Look:
    """The state and the facts of a turn, and the person's language to speak in."""

    __slots__ = ("facts", "state")

    def __init__(self, state: State, facts: Facts) -> None:
        self.state = state
        self.facts = facts

    def need(self, question: Question[T]) -> T:
        """A fact. Raises ``Missing``, which makes the step ask for it."""
        return self.facts.need(question)

    def say(self, key: str, **fields: object) -> str:
        return say(self.state.language, key, **fields)

    def money(self, amount: Money) -> str:
        return speak_money(self.state.language, amount)

    def reason(self, outcome: Outcome) -> str:
        """Why something was not done, in the person's language."""
        return reason(self.state.language, outcome)


def reason(language: str, outcome: Outcome) -> str:
    """The sentence for an error's kind; the general one where a kind has none of its own.

    ``outcome.detail`` is not shown: it is English, and written for programs' owners.
    """
    return say(language, f"reason.{_REASONS.get(outcome.kind, 'other')}")


_REASONS = {
    "insufficient_funds": "insufficient_funds",
    "guard_refused": "guard_refused",
    "over_transaction_limit": "guard_refused",
    "kyc_required": "kyc_required",
    "offering_closed": "offering_closed",
    "below_minimum": "below_minimum",
    "idempotency_key_in_flight": "in_flight",
    "ussd_request_lost": "lost",
    "offering_not_found": "not_found",
    "conversation_unknown": "not_found",
    "not_found": "not_found",
    "rate_limited": "too_many",
    "too_many_requests": "too_many",
    "database_down": "unavailable",
    "unavailable": "unavailable",
}
"""Error kinds by the sentence that tells them; kinds are stable and public."""


class ScreenKind(ABC):
    """A screen. ``show`` is asked in every turn; the others only where a screen has such inputs.

    ``resumes`` says whether a session dropped here stopped in the middle of something, so that
    the person is offered to go on; one who hung up after reading is not asked.
    """

    name = ""
    resumes = False

    @abstractmethod
    def show(self, place: Place, look: Look) -> View:
        """What it shows, and what each choice leads to."""

    def take(self, place: Place, typed: str, look: Look) -> Move:
        """What typed words lead to, on a screen whose view says ``line`` or ``text``."""
        return Wrong(look.say("hint.choice"))

    def done(self, place: Place, outcome: Outcome, look: Look) -> Move:
        """What follows when an action begun here has ended."""
        return Home()
