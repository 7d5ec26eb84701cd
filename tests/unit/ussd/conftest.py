"""A phone without a network: typed words in, screens out, by the pure engine alone."""

from collections.abc import Callable
from typing import Any

import pytest

from channels.ussd import menu
from channels.ussd.facts import (
    Backing,
    Business,
    Businesses,
    Conversation,
    Conversations,
    DraftOutcome,
    Facts,
    Holding,
    InvestmentsIn,
    Line,
    MyInvestments,
    NewDraft,
    Offer,
    OfferDetails,
    Offers,
    Outcome,
    SavedPlace,
    Thread,
    Wallet,
    Wallets,
)
from channels.ussd.gsm import is_gsm, septets
from channels.ussd.model import (
    Action,
    Ask,
    Caller,
    CheckPin,
    Do,
    Invest,
    Screen,
    SetLanguage,
)
from hub.money import Money


def kes(amount: int) -> Money:
    return Money(amount * 100, "KES")


STORE = Offer(
    id="o1",
    title="Cold store",
    business_name="Ziwa Fish",
    minimum=kes(500),
    maximum=kes(50_000),
    raised=kes(110_000),
    target=kes(120_000),
    rate_percent="14",
    term_months=18,
    closes_on="2027-01-23",
)


class World:
    """What the facts are, and what was done."""

    def __init__(self) -> None:
        self.pin = "2580"
        self.wrong_pins = 0
        self.done: list[Action] = []
        self.outcomes: dict[str, Outcome] = {}
        self.refusal = ""
        self.drafts = 0
        self.answers: dict[Any, Any] = {
            Wallets(): (Wallet("", kes(5_000), kes(0)), Wallet("Ziwa Fish", kes(120_000), kes(20))),
            MyInvestments(): (
                Holding("Oven", "Zawadi Bakery", kes(1_000), kes(4_000), kes(40_000)),
            ),
            Businesses(): (Business("b1", "Ziwa Fish"),),
            InvestmentsIn("b1"): (
                Backing("Ada Obi", "Cold store", kes(25_000), kes(110_000), kes(120_000)),
                Backing("Kwame", "Cold store", kes(85_000), kes(110_000), kes(120_000)),
            ),
            Offers(): (STORE,),
            OfferDetails("o1"): STORE,
            Conversations(): (Conversation("c1", "Ada Obi", "Ziwa Fish", unread=True),),
            Thread("c1"): (Line("Ada Obi", "How is the catch?", mine=False),),
            SavedPlace(): None,
        }

    def answer(self, question: Any) -> Any:
        match question:
            case NewDraft():
                self.drafts += 1
                return f"d{self.drafts}"
            case DraftOutcome(draft):
                return self.outcomes.get(draft)
            case _:
                return self.answers[question]

    def perform(self, action: Action) -> Outcome:
        if isinstance(action, CheckPin):
            if action.pin.reveal() == self.pin:
                return Outcome()
            self.wrong_pins += 1
            if self.wrong_pins >= 5:
                return Outcome("pin_locked", number=60)
            return Outcome("pin_wrong", number=5 - self.wrong_pins)
        self.done.append(action)
        if isinstance(action, SetLanguage):
            return Outcome(detail=action.language)
        outcome = Outcome(self.refusal)
        self.outcomes[action.draft] = outcome
        if isinstance(action, Invest) and not self.refusal:
            self.answers[Wallets()] = (Wallet("", kes(5_000) - action.amount, kes(0)),)
        return outcome


class Keypad:
    """A conversation by the engine alone."""

    def __init__(self, world: World, language: str = "en", dialled: tuple[str, ...] = ()) -> None:
        self.world = world
        self.state = menu.start(Caller("p1", "Otieno", language), list(dialled))
        self.more = True
        self.text = self.type(None)

    def type(self, given: str | None) -> str:
        assert self.more, "the session is over"
        heard: str | Outcome | None = given
        facts = Facts()
        while True:
            match menu.step(self.state, heard, facts):
                case Screen(state, text, more):
                    self.state, self.text, self.more = state, text, more
                    assert is_gsm(text)
                    assert septets(text) + len("CON ") <= 160
                    return text
                case Ask(question):
                    facts = facts.with_answer(question, self.world.answer(question))
                case Do(state, action):
                    self.state, heard, facts = state, self.world.perform(action), Facts()

    def types(self, *given: str) -> str:
        for word in given:
            self.type(word)
        return self.text


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def dial(world: World) -> Callable[..., Keypad]:
    def dialling(language: str = "en", *dialled: str) -> Keypad:
        return Keypad(world, language, dialled)

    return dialling
