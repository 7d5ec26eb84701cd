"""What a USSD conversation is made of: where a person is, what is shown, what may follow.

All of it is frozen and free of I/O, so that a conversation is a fold over its inputs and can be
replayed. Three families meet here:

* **Questions** are facts a screen may need; the answer's type is the question's parameter.
* **Actions** are the few things a conversation can do to the hub; each but the PIN check and the
  language carries a draft, the idempotency key minted when its screen was first shown.
* **Moves** are what a choice leads to.

No Struct that is stored (``State`` and what it holds) has a place for a PIN.
"""

from typing import Generic, Literal, TypeAlias, TypeVar, cast

import msgspec

from hub.money import Money

__all__ = [
    "Act",
    "Action",
    "Ask",
    "Back",
    "Backing",
    "Business",
    "Businesses",
    "Caller",
    "CheckPin",
    "Conversation",
    "Conversations",
    "Do",
    "DraftOutcome",
    "End",
    "Enter",
    "Facts",
    "Go",
    "Holding",
    "Home",
    "Invest",
    "InvestmentsIn",
    "Line",
    "Missing",
    "Move",
    "MyInvestments",
    "NewDraft",
    "Offer",
    "OfferDetails",
    "Offers",
    "Option",
    "Outcome",
    "Pin",
    "Place",
    "Question",
    "Reply",
    "ResumeSaved",
    "Saved",
    "SavedPlace",
    "Screen",
    "SetLanguage",
    "Speak",
    "State",
    "Thread",
    "View",
    "Wallet",
    "Wallets",
    "Wrong",
]

T = TypeVar("T")


# Where a person is -----------------------------------------------------------------------------


class Place(msgspec.Struct, frozen=True):
    """A screen by name, with the few words that tell which offer, amount or draft it is about."""

    screen: str
    args: tuple[str, ...] = ()


class Saved(msgspec.Struct, frozen=True):
    """Where a dropped session stopped."""

    here: Place
    trail: tuple[Place, ...] = ()


class State(msgspec.Struct, frozen=True):
    """One session: kept sealed between turns.

    ``pending`` is the rest of a path dialled before the PIN was asked (``*384*7*2#``); ``hint`` is
    the short line above a screen that got a wrong input, ``wrong`` how many there were in a row.
    """

    person: str
    name: str
    language: str
    here: Place = Place("sign_in")
    trail: tuple[Place, ...] = ()
    page: int = 0
    wrong: int = 0
    hint: str = ""
    signed_in: bool = False
    pending: tuple[str, ...] = ()
    saved: Saved | None = None


class Caller(msgspec.Struct, frozen=True):
    """The person behind a phone number, as far as a session must know before the PIN."""

    person: str
    name: str
    language: str


# Facts ------------------------------------------------------------------------------------------


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


# Actions ----------------------------------------------------------------------------------------


class Pin:
    """A PIN on its way to be checked; it shows itself nowhere."""

    __slots__ = ("_digits",)

    def __init__(self, digits: str) -> None:
        self._digits = digits

    def reveal(self) -> str:
        return self._digits

    def __repr__(self) -> str:
        return "Pin(…)"


class CheckPin(msgspec.Struct, frozen=True):
    pin: Pin


class Invest(msgspec.Struct, frozen=True):
    offering: str
    offering_title: str
    amount: Money
    draft: str


class Reply(msgspec.Struct, frozen=True):
    conversation: str
    to_name: str
    text: str
    draft: str


class SetLanguage(msgspec.Struct, frozen=True):
    language: str


Action: TypeAlias = CheckPin | Invest | Reply | SetLanguage


# Moves ------------------------------------------------------------------------------------------


class Go(msgspec.Struct, frozen=True):
    """To another place; ``fresh`` forgets the way there, so that going back leads home."""

    place: Place
    fresh: bool = False


class Back(msgspec.Struct, frozen=True):
    """A page or a screen back; from home it ends."""


class Home(msgspec.Struct, frozen=True):
    """To the main menu."""


class Enter(msgspec.Struct, frozen=True):
    """The PIN was right."""


class ResumeSaved(msgspec.Struct, frozen=True):
    """On to where the dropped session stopped."""


class Speak(msgspec.Struct, frozen=True):
    """Home, in another language."""

    language: str


class Wrong(msgspec.Struct, frozen=True):
    """The same screen with a short hint; the third in a row ends the session."""

    hint: str


class End(msgspec.Struct, frozen=True):
    """The last screen."""

    text: str


class Act(msgspec.Struct, frozen=True):
    """Something is to be done; the screen hears how it ended."""

    action: Action


Move: TypeAlias = Go | Back | Home | Enter | ResumeSaved | Speak | Wrong | End | Act


class Option(msgspec.Struct, frozen=True):
    label: str
    move: Move


class View(msgspec.Struct, frozen=True):
    """What a screen shows, before it is cut into pages.

    ``entry``: ``choice`` takes the number of an option, ``line`` one typed word (an amount, a
    PIN), ``text`` everything typed, stars included.
    """

    head: str
    options: tuple[Option, ...] = ()
    entry: Literal["choice", "line", "text"] = "choice"
    footer: Literal["none", "exit", "back"] = "back"


# What a step gives ------------------------------------------------------------------------------


class Screen(msgspec.Struct, frozen=True):
    """Show ``text`` (within the budget); ``more`` tells CON from END."""

    state: State
    text: str
    more: bool = True


class Ask(msgspec.Struct, frozen=True):
    """A fact is missing: answer ``question`` and step again."""

    question: "Question[object]"


class Do(msgspec.Struct, frozen=True):
    """Perform ``action`` and step again from ``state`` with its outcome."""

    state: State
    action: Action
