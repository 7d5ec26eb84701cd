"""What a USSD session tells afterwards, when its screen could not wait.

The screen promised an SMS, so nobody's live session is waited for. ``subject`` is what the request
was about: the offering's title, or the name of the one who was written to.
"""

from hub.events import Event, Reach

__all__ = ["RequestDone", "RequestFailed"]

_BY_SMS = Reach(urgency="critical", wait_ms=0, order=("sms",), stop_at="delivered")


class RequestDone(Event, frozen=True, kw_only=True):
    """What was confirmed on a screen has been done."""

    kind = "ussd.request_done"
    reach = _BY_SMS

    subject: str


class RequestFailed(Event, frozen=True, kw_only=True):
    """What was confirmed on a screen was refused, or never happened and now never will."""

    kind = "ussd.request_failed"
    reach = _BY_SMS

    subject: str
