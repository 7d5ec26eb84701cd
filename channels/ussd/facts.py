"""What a screen may have to know, asked as questions whose type says what the answer is.

A screen that lacks a fact makes its step end in ``Ask``; the driver fetches the answer and steps
again with one fact more. Names and texts are as people wrote them: screens turn them into letters
that a phone can show.
"""

from typing import Generic, TypeVar, cast

import msgspec

from hub.money import Money

__all__ = [
    "Backing",
    "Business",
    "Businesses",
    "Conversation",
    "Conversations",
    "DraftOutcome",
    "Facts",
    "Holding",
    "InvestmentsIn",
    "Line",
    "Missing",
    "MyInvestments",
    "NewDraft",
    "Offer",
    "OfferDetails",
    "Offers",
    "Outcome",
    "Place",
    "Question",
    "Saved",
    "SavedPlace",
    "Thread",
    "Wallet",
    "Wallets",
]

T = TypeVar("T")


class Place(msgspec.Struct, frozen=True):
    """A screen by name, with the few words that tell which offer, amount or draft it is about."""

    screen: str
    args: tuple[str, ...] = ()


class Saved(msgspec.Struct, frozen=True):
    """Where a dropped session stopped."""

    here: Place
    trail: tuple[Place, ...] = ()


class Wallet(msgspec.Struct, frozen=True):
    """``owner`` is a business's name, or empty for the person's own wallet."""

    owner: str
    available: Money
    held: Money


class Holding(msgspec.Struct, frozen=True):
    """One of the person's own investments."""

    offering_title: str
    business_name: str
    amount: Money
    raised: Money
    target: Money


class Business(msgspec.Struct, frozen=True):
    id: str
    name: str


class Backing(msgspec.Struct, frozen=True):
    """An investment in a business, as its owner sees it."""

    investor_name: str
    offering_title: str
    amount: Money
    raised: Money
    target: Money


class Offer(msgspec.Struct, frozen=True):
    """An offering; ``rate_percent`` and ``closes_on`` (ISO date) are as they are shown.

    ``maximum`` is the most that one may still invest.
    """

    id: str
    title: str
    business_name: str
    minimum: Money
    maximum: Money
    raised: Money
    target: Money
    rate_percent: str
    term_months: int
    closes_on: str


class Line(msgspec.Struct, frozen=True):
    """One message; ``mine`` if the person wrote it."""

    sender_name: str
    text: str
    mine: bool


class Conversation(msgspec.Struct, frozen=True):
    id: str
    with_name: str
    subject: str
    unread: bool


class Outcome(msgspec.Struct, frozen=True):
    """How an action ended: ``kind`` is empty when it was done, else the error's kind.

    ``detail`` is the error's plain English sentence (for the language, the one now set);
    ``number`` its one figure worth showing (tries left, seconds to wait).
    """

    kind: str = ""
    detail: str = ""
    number: int = 0


class Question(msgspec.Struct, Generic[T], frozen=True):
    """Something a screen must know; ``T`` is the type of the answer."""


class Wallets(Question[tuple[Wallet, ...]], frozen=True):
    """The person's wallets and those of the businesses they own."""


class MyInvestments(Question[tuple[Holding, ...]], frozen=True):
    """What the person has invested, newest first."""


class Businesses(Question[tuple[Business, ...]], frozen=True):
    """Businesses the person owns."""


class InvestmentsIn(Question[tuple[Backing, ...]], frozen=True):
    """Who invested in a business the person owns."""

    business: str


class Offers(Question[tuple[Offer, ...]], frozen=True):
    """Offerings that are open now."""


class OfferDetails(Question["Offer | None"], frozen=True):
    """One open offering; None when it is gone."""

    offering: str


class Conversations(Question[tuple[Conversation, ...]], frozen=True):
    """The person's conversations, the latest first."""


class Thread(Question[tuple[Line, ...]], frozen=True):
    """The last messages of a conversation, newest first."""

    conversation: str


class NewDraft(Question[str], frozen=True):
    """A fresh id for something about to be confirmed."""


class DraftOutcome(Question["Outcome | None"], frozen=True):
    """How the action of a draft ended; None if it was never begun."""

    draft: str


class SavedPlace(Question["Saved | None"], frozen=True):
    """Where the person's last session was dropped, if less than ten minutes ago."""


class Missing(Exception):
    """A screen needs an answer that is not among the facts yet."""

    def __init__(self, question: "Question[object]") -> None:
        super().__init__(question)
        self.question = question


class Facts:
    """Answers known so far in a turn; never changed, only added to."""

    __slots__ = ("_known",)

    def __init__(self, known: "dict[Question[object], object] | None" = None) -> None:
        self._known = known or {}

    def need(self, question: Question[T]) -> T:
        """The answer. Raises ``Missing``."""
        key = cast("Question[object]", question)
        if key not in self._known:
            raise Missing(key)
        return cast("T", self._known[key])

    def with_answer(self, question: Question[T], answer: T) -> "Facts":
        return Facts({**self._known, cast("Question[object]", question): answer})
