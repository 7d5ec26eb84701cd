"""What can go wrong with a payment, and whose turn it is afterwards."""

from hub.errors import Conflict, Invalid, NotFound, Refused, Unauthenticated, Unavailable

__all__ = [
    "BadSignature",
    "BadWebhook",
    "CurrencyNotOffered",
    "GatewayDown",
    "GatewayRefused",
    "PaymentNotFound",
    "ReferenceUsed",
    "ReturnUrlNotAllowed",
    "UnknownGateway",
    "WalletNotFound",
]


class GatewayDown(Unavailable):
    """The gateway does not answer, or not sensibly. The same key may be tried again."""

    kind = "gateway_down"


class GatewayRefused(Refused):
    """The gateway understood the request and said no; nothing was charged."""

    kind = "gateway_refused"


class ReferenceUsed(Conflict):
    """The gateway knows this reference already: an earlier request arrived, its answer was lost.

    Never leaves this package: ``collect`` goes on under the payment's next reference.
    """

    kind = "gateway_reference_used"


class UnknownGateway(NotFound):
    """No gateway has this name."""

    kind = "gateway_not_found"


class CurrencyNotOffered(Invalid):
    """The gateway does not take this currency."""

    kind = "currency_not_offered"


class ReturnUrlNotAllowed(Invalid):
    """The page to return to is not one of ours; otherwise a checkout could send people anywhere."""

    kind = "return_url_not_allowed"


class PaymentNotFound(NotFound):
    """No such payment, or not yours."""

    kind = "payment_not_found"


class WalletNotFound(NotFound):
    """No such wallet, or not yours."""

    kind = "wallet_not_found"


class BadSignature(Unauthenticated):
    """The webhook was not signed with our key; nothing of it is kept."""

    kind = "bad_signature"


class BadWebhook(Invalid):
    """The webhook is signed, but not an event of this gateway's form."""

    kind = "bad_webhook"
