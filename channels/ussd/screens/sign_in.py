"""The door: the PIN, and the offer to go on where a dropped session stopped."""

from channels.ussd.facts import (
    Outcome,
    Place,
)
from channels.ussd.model import (
    Act,
    CheckPin,
    End,
    Enter,
    Home,
    Move,
    Option,
    Pin,
    ResumeSaved,
    View,
    Wrong,
)
from channels.ussd.screens.base import Look, ScreenKind

__all__ = ["screens"]

_NAME = 24


class SignIn(ScreenKind):
    """Asks the PIN. Locking after wrong ones is the hub's rule, not this session's."""

    name = "sign_in"

    def show(self, place: Place, look: Look) -> View:
        head = look.say("sign_in.head", name=look.state.name[:_NAME])
        return View(head, entry="line", footer="none")

    def take(self, place: Place, typed: str, look: Look) -> Move:
        if typed.isascii() and typed.isdigit() and 4 <= len(typed) <= 6:
            return Act(CheckPin(Pin(typed)))
        return Wrong(look.say("hint.pin"))

    def done(self, place: Place, outcome: Outcome, look: Look) -> Move:
        match outcome.kind:
            case "":
                return Enter()
            case "pin_wrong":
                return Wrong(look.say("hint.pin_wrong", number=outcome.number))
            case "pin_locked":
                minutes = max(1, -(-outcome.number // 60))
                return End(look.say("end.pin_locked", minutes=minutes))
            case "pin_missing" | "pin_not_set":
                return End(look.say("end.pin_missing"))
            case _:
                return End(look.reason(outcome))


class Resume(ScreenKind):
    """Offers the place where the last session was dropped."""

    name = "resume"
    resumes = True

    def show(self, place: Place, look: Look) -> View:
        return View(
            look.say("resume.head"),
            (
                Option(look.say("resume.continue"), ResumeSaved()),
                Option(look.say("resume.menu"), Home()),
            ),
            footer="none",
        )


screens = (SignIn(), Resume())
