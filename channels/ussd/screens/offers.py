"""3 Offers: look, choose an amount, confirm once.

The confirm screen has a draft of its own from the moment the amount is accepted. Whatever drops
afterwards (the network, the session, this process), confirming again is the same request, and a
draft that has an outcome shows it instead of asking again.
"""

from channels.ussd.facts import (
    DraftOutcome,
    NewDraft,
    OfferDetails,
    Offers,
    Outcome,
    Place,
)
from channels.ussd.gsm import clip
from channels.ussd.model import (
    Act,
    Back,
    Go,
    Invest,
    Move,
    Option,
    View,
    Wrong,
)
from channels.ussd.screens.base import Look, ScreenKind
from hub.errors import Invalid
from hub.money import Money, parse_amount

__all__ = ["screens"]

_TITLE = 40
_LISTED = 30


class OffersScreen(ScreenKind):
    name = "offers"

    def show(self, place: Place, look: Look) -> View:
        offers = look.need(Offers())
        if not offers:
            return View(look.say("offers.none"))
        options = tuple(
            Option(
                look.say(
                    "offers.item",
                    title=clip(offer.title, _LISTED),
                    business=offer.business_name,
                ),
                Go(Place("offer", (offer.id,))),
            )
            for offer in offers
        )
        return View(look.say("offers.head"), options)


class OfferScreen(ScreenKind):
    """``args``: offering id."""

    name = "offer"
    resumes = True

    def show(self, place: Place, look: Look) -> View:
        offer = look.need(OfferDetails(place.args[0]))
        if offer is None:
            return View(look.say("offers.gone"))
        head = look.say(
            "offers.details",
            title=clip(offer.title, _TITLE),
            business=clip(offer.business_name, _LISTED),
            raised=look.money(offer.raised),
            target=look.money(offer.target),
            rate=offer.rate_percent,
            months=offer.term_months,
            closes=offer.closes_on,
        )
        return View(head, (Option(look.say("offers.invest"), Go(Place("amount", place.args))),))


class AmountScreen(ScreenKind):
    """``args``: offering id."""

    name = "amount"
    resumes = True

    def show(self, place: Place, look: Look) -> View:
        offer = look.need(OfferDetails(place.args[0]))
        if offer is None:
            return View(look.say("offers.gone"), entry="line")
        head = look.say(
            "offers.amount",
            title=clip(offer.title, _TITLE),
            currency=offer.target.currency,
            minimum=look.money(offer.minimum),
            maximum=look.money(offer.maximum),
        )
        return View(head, entry="line")

    def take(self, place: Place, typed: str, look: Look) -> Move:
        offer = look.need(OfferDetails(place.args[0]))
        if offer is None:
            return Go(Place("notice", (look.say("offers.gone"),)), fresh=True)
        try:
            amount = parse_amount(typed, offer.target.currency)
        except Invalid:
            return Wrong(look.say("hint.amount"))
        if not offer.minimum.amount <= amount.amount <= offer.maximum.amount:
            minimum, maximum = look.money(offer.minimum), look.money(offer.maximum)
            return Wrong(look.say("hint.between", minimum=minimum, maximum=maximum))
        draft = look.need(NewDraft())
        args = (offer.id, offer.title, str(amount.amount), amount.currency, draft)
        return Go(Place("confirm_investment", args))


class ConfirmScreen(ScreenKind):
    """``args``: offering id and title, amount in minor units, currency, draft id."""

    name = "confirm_investment"
    resumes = True

    def show(self, place: Place, look: Look) -> View:
        action = _action(place)
        outcome = look.need(DraftOutcome(action.draft))
        if outcome is not None:
            return View(_result(action, outcome, look))
        head = look.say(
            "offers.confirm",
            amount=look.money(action.amount),
            title=clip(action.offering_title, _TITLE),
        )
        return View(
            head,
            (
                Option(look.say("offers.yes"), Act(action)),
                Option(look.say("offers.no"), Back()),
            ),
        )

    def done(self, place: Place, outcome: Outcome, look: Look) -> Move:
        return Go(Place("notice", (_result(_action(place), outcome, look),)), fresh=True)


def _action(place: Place) -> Invest:
    offering, title, amount, currency, draft = place.args
    return Invest(offering, title, Money(int(amount), currency), draft)


def _result(action: Invest, outcome: Outcome, look: Look) -> str:
    if outcome.kind:
        return look.say("offers.refused", reason=look.reason(outcome))
    return look.say(
        "offers.done",
        amount=look.money(action.amount),
        title=clip(action.offering_title, _TITLE),
    )


screens = (OffersScreen(), OfferScreen(), AmountScreen(), ConfirmScreen())
