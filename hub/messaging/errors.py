"""What can go wrong with a message.

NotFound
    ConversationUnknown   no such conversation, or not yours: nobody learns which
    MessageUnknown        no such message in it
Invalid
    TextRefused           empty, over 1,000 characters, or with control characters
Refused
    OwnBusiness           a conversation with a business needs two people
"""

from hub.errors import Invalid, NotFound, Refused

__all__ = ["ConversationUnknown", "MessageUnknown", "OwnBusiness", "TextRefused"]


class ConversationUnknown(NotFound):
    """No such conversation, or you are no member of it."""

    kind = "conversation_unknown"


class MessageUnknown(NotFound):
    """No such message."""

    kind = "message_unknown"


class TextRefused(Invalid):
    """The text is empty, too long, or has characters that nobody can see."""

    kind = "text_refused"


class OwnBusiness(Refused):
    """A business's owner cannot talk to it."""

    kind = "own_business"
