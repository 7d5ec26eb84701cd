"""What investing refuses, and why."""

from hub.errors import Invalid, NotFound, Refused

__all__ = [
    "BelowMinimum",
    "BusinessNotFound",
    "OfferingClosed",
    "OfferingInvalid",
    "OfferingNotFound",
    "OwnBusinessInvestment",
    "WrongCurrency",
]


class OfferingNotFound(NotFound):
    """There is no such offering."""

    kind = "offering_not_found"


class BusinessNotFound(NotFound):
    """There is no such business, or it is not yours to look into."""

    kind = "business_not_found"


class OfferingInvalid(Invalid):
    """The terms of a new offering do not fit together."""

    kind = "offering_invalid"


class WrongCurrency(Invalid):
    """An offering takes money in its own currency only; ``currency`` is that one."""

    kind = "wrong_currency"


class BelowMinimum(Refused):
    """An investment in this offering must be at least ``minimum`` minor units."""

    kind = "below_minimum"


class OwnBusinessInvestment(Refused):
    """Who answers for a business may not invest in it: it would only look like demand."""

    kind = "own_business_investment"


class OfferingClosed(Refused):
    """The offering takes no more money: it was funded, it failed, or its time is over."""

    kind = "offering_closed"
