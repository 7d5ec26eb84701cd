"""2 Investments: what a person has invested, and who has invested in their businesses."""

from channels.ussd.facts import (
    Businesses,
    InvestmentsIn,
    MyInvestments,
    Place,
)
from channels.ussd.model import (
    Go,
    Option,
    View,
)
from channels.ussd.screens.base import Look, ScreenKind

__all__ = ["screens"]


class Investments(ScreenKind):
    """Shows at once what there is, and asks only those who have both kinds or several shops."""

    name = "investments"

    def show(self, place: Place, look: Look) -> View:
        businesses = look.need(Businesses())
        if not businesses:
            return _mine(look)
        if len(businesses) == 1 and not look.need(MyInvestments()):
            return _in_business(businesses[0].id, businesses[0].name, look)
        options = [
            Option(business.name, Go(Place("business", (business.id, business.name))))
            for business in businesses
        ]
        options.append(Option(look.say("investments.mine"), Go(Place("my_investments"))))
        return View(look.say("investments.head"), tuple(options))


class MyInvestmentsScreen(ScreenKind):
    name = "my_investments"

    def show(self, place: Place, look: Look) -> View:
        return _mine(look)


class BusinessScreen(ScreenKind):
    """``args``: business id and name."""

    name = "business"

    def show(self, place: Place, look: Look) -> View:
        business, name = place.args
        return _in_business(business, name, look)


def _in_business(business: str, name: str, look: Look) -> View:
    """First how far each offering is, then who invested in it, the newest first."""
    backings = look.need(InvestmentsIn(business))
    lines = [look.say("investments.in_head", business=name)]
    if not backings:
        lines.append(look.say("investments.in_none"))
    for title in dict.fromkeys(backing.offering_title for backing in backings):
        those = [backing for backing in backings if backing.offering_title == title]
        lines.append(
            look.say(
                "investments.in_total",
                title=title,
                raised=look.money(those[0].raised),
                target=look.money(those[0].target),
            )
        )
        lines += [
            look.say(
                "investments.in_line",
                investor=backing.investor_name,
                amount=look.money(backing.amount),
            )
            for backing in those
        ]
    return View("\n".join(lines))


def _mine(look: Look) -> View:
    holdings = look.need(MyInvestments())
    if not holdings:
        return View(look.say("investments.none"))
    lines = [
        look.say(
            "investments.line",
            title=holding.offering_title,
            business=holding.business_name,
            amount=look.money(holding.amount),
            raised=look.money(holding.raised),
            target=look.money(holding.target),
        )
        for holding in holdings
    ]
    return View("\n".join([look.say("investments.head"), *lines]))


screens = (Investments(), MyInvestmentsScreen(), BusinessScreen())
