"""Rules about who may move how much: the figures of ``hub.countries`` as guards on postings.

A limit is not checked before the money moves but with it: ``limits`` turns a country's figures into
``Guard``s that the ledger counts in the same transaction, so two requests at once cannot both fit
under a limit that has room for one.
"""

from hub.compliance.errors import KycRequired, OverTransactionLimit
from hub.compliance.limits import investment_guards, issuer_guards, refund_guards, top_up_guards

__all__ = [
    "KycRequired",
    "OverTransactionLimit",
    "investment_guards",
    "issuer_guards",
    "refund_guards",
    "top_up_guards",
]
