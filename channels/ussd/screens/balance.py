"""1 Balance: the person's wallets and those of their businesses."""

from channels.ussd.facts import (
    Place,
    Wallets,
)
from channels.ussd.model import (
    View,
)
from channels.ussd.screens.base import Look, ScreenKind

__all__ = ["screens"]


class Balance(ScreenKind):
    name = "balance"

    def show(self, place: Place, look: Look) -> View:
        lines = []
        for wallet in look.need(Wallets()):
            available = look.money(wallet.available)
            if wallet.owner:
                line = look.say("balance.other", owner=wallet.owner, available=available)
            else:
                line = look.say("balance.own", available=available)
            if wallet.held.amount:
                line += " " + look.say("balance.held", held=look.money(wallet.held))
            lines.append(line)
        if not lines:
            return View(look.say("balance.none"))
        return View("\n".join([look.say("balance.head"), *lines]))


screens = (Balance(),)
