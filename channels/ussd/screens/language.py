"""5 Language: each by its own name, so that it can be found from any other."""

from channels.ussd.facts import (
    Outcome,
    Place,
)
from channels.ussd.model import (
    Act,
    Go,
    Move,
    Option,
    SetLanguage,
    Speak,
    View,
)
from channels.ussd.screens.base import Look, ScreenKind
from channels.ussd.wording import LANGUAGES

__all__ = ["screens"]


class Language(ScreenKind):
    """The choice is taken as an action; its outcome names the language it was about."""

    name = "language"

    def show(self, place: Place, look: Look) -> View:
        options = tuple(Option(name, Act(SetLanguage(code))) for code, name in LANGUAGES.items())
        return View(look.say("language.head"), options)

    def done(self, place: Place, outcome: Outcome, look: Look) -> Move:
        if outcome.kind:
            return Go(Place("notice", (look.reason(outcome),)), fresh=True)
        return Speak(outcome.detail)


screens = (Language(),)
