"""What can go wrong between a committed event and a person's phone."""

from hub.errors import HubError, NotFound

__all__ = ["NoSuchNotice", "SendInDoubt", "WordingFault"]


class WordingFault(HubError):
    """The wording files do not fit the events; the hub does not start. ``message`` lists why."""

    kind = "wording"


class NoSuchNotice(NotFound):
    """This event did not have to reach this person, or it is not yours to see."""

    kind = "no_such_notice"


class SendInDoubt(HubError):
    """Nobody can say whether the provider took the notice: it may arrive or not.

    The attempt stays open for a delivery report; after two minutes it is ``unknown``.
    """

    kind = "send_in_doubt"
