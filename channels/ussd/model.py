"""What a USSD conversation is made of: where a person is, what is shown, what may follow.

All of it is frozen and free of I/O, so that a conversation is a fold over its inputs and can be
replayed. What screens may have to know is in ``facts``; here are

* **Actions**, the few things a conversation can do to the hub; each but the PIN check and the
  language carries a draft, the idempotency key minted when its screen was first shown.
* **Moves**, what a choice leads to.

No Struct that is stored (``State`` and what it holds) has a place for a PIN.
"""

from typing import Literal, TypeAlias

import msgspec

from channels.ussd.facts import Place, Question, Saved
from hub.money import Money

__all__ = [
    "Act",
    "Action",
    "Ask",
    "Back",
    "Caller",
    "CheckPin",
    "Do",
    "End",
    "Enter",
    "Go",
    "Home",
    "Invest",
    "Move",
    "Option",
    "Pin",
    "Reply",
    "ResumeSaved",
    "Screen",
    "SetLanguage",
    "Speak",
    "State",
    "View",
    "Wrong",
]


# Where a person is -----------------------------------------------------------------------------


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
