"""Refusals by rule; each names the rule, the figure and what would help."""

from hub.errors import Refused

__all__ = ["KycRequired", "OverTransactionLimit"]


class KycRequired(Refused):
    """The person's KYC level may not do this; ``level`` is the one they have."""

    kind = "kyc_required"


class OverTransactionLimit(Refused):
    """One transaction may not be this large at the person's KYC level."""

    kind = "over_transaction_limit"
