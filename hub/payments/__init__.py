"""Payments: money from gateways into wallets, counted once.

``collect`` opens a checkout, ``receive`` and ``settle_inbox`` take webhooks in and work on them,
``reconcile_pending`` asks about those that never came, ``settle_payment`` moves the money. A new
gateway is one file in ``gateways/``.
"""

from hub.payments.collect import PaymentView, TopUp, collect
from hub.payments.errors import GatewayDown, GatewayRefused
from hub.payments.events import PaymentFailed, PaymentMismatch, PaymentSettled
from hub.payments.gateways import Gateway, Gateways, open_gateways
from hub.payments.model import Payment, PaymentState
from hub.payments.reconcile import reconcile_pending
from hub.payments.settle import settle_payment
from hub.payments.wallets import Wallet, open_wallet, wallet_of, wallets_of
from hub.payments.webhooks import receive, settle_inbox

__all__ = [
    "Gateway",
    "GatewayDown",
    "GatewayRefused",
    "Gateways",
    "Payment",
    "PaymentFailed",
    "PaymentMismatch",
    "PaymentSettled",
    "PaymentState",
    "PaymentView",
    "TopUp",
    "Wallet",
    "collect",
    "open_gateways",
    "open_wallet",
    "receive",
    "reconcile_pending",
    "settle_inbox",
    "settle_payment",
    "wallet_of",
    "wallets_of",
]
