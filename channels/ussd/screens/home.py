"""The main menu, and the plain notice that ends a branch."""

from channels.ussd.facts import (
    Place,
)
from channels.ussd.model import (
    Go,
    Option,
    View,
)
from channels.ussd.screens.base import Look, ScreenKind

__all__ = ["screens"]

_BRANCHES = ("balance", "investments", "offers", "messages", "language")
"""In the order of their numbers, which people learn by heart: append only."""


class Home(ScreenKind):
    name = "home"

    def show(self, place: Place, look: Look) -> View:
        options = tuple(
            Option(look.say(f"home.{branch}"), Go(Place(branch))) for branch in _BRANCHES
        )
        return View(look.say("home.head"), options, footer="exit")


class Notice(ScreenKind):
    """Shows the sentence in ``args``: what came of something.

    Resumable, because nobody knows whether it was read: redialling shows the outcome again.
    """

    name = "notice"
    resumes = True

    def show(self, place: Place, look: Look) -> View:
        return View(place.args[0] if place.args else "")


screens = (Home(), Notice())
