"""4 Messages: the latest of each conversation, and a reply typed on the keypad."""

from channels.ussd.facts import (
    Conversations,
    DraftOutcome,
    NewDraft,
    Outcome,
    Place,
    Thread,
)
from channels.ussd.gsm import clip
from channels.ussd.model import (
    Act,
    Go,
    Move,
    Option,
    Reply,
    View,
    Wrong,
)
from channels.ussd.screens.base import Look, ScreenKind

__all__ = ["screens"]

_NAME = 30
_LONGEST = 1000


class Messages(ScreenKind):
    name = "messages"

    def show(self, place: Place, look: Look) -> View:
        conversations = look.need(Conversations())
        if not conversations:
            return View(look.say("messages.none"))
        options = tuple(
            Option(
                look.say(
                    "messages.unread" if conversation.unread else "messages.item",
                    name=clip(conversation.with_name, _NAME),
                    subject=conversation.subject,
                ),
                Go(Place("conversation", (conversation.id, conversation.with_name))),
            )
            for conversation in conversations
        )
        return View(look.say("messages.head"), options)


class ConversationScreen(ScreenKind):
    """``args``: conversation id and the other's name. The newest message stands first.

    The draft of a reply is minted here, so that the reply screen can be shown again and still be
    the same request.
    """

    name = "conversation"
    resumes = True

    def show(self, place: Place, look: Look) -> View:
        conversation, name = place.args
        lines = [
            look.say("messages.mine", text=_flat(line.text))
            if line.mine
            else look.say("messages.line", name=line.sender_name, text=_flat(line.text))
            for line in look.need(Thread(conversation))
        ]
        draft = look.need(NewDraft())
        reply = Go(Place("reply", (conversation, name, draft)))
        head = "\n".join(lines) or look.say("messages.none")
        return View(head, (Option(look.say("messages.reply"), reply),))


class ReplyScreen(ScreenKind):
    """``args``: conversation id, the other's name, draft id."""

    name = "reply"
    resumes = True

    def show(self, place: Place, look: Look) -> View:
        _, name, draft = place.args
        outcome = look.need(DraftOutcome(draft))
        if outcome is not None:
            return View(_result(outcome, look))
        return View(look.say("messages.type", name=clip(name, _NAME)), entry="text")

    def take(self, place: Place, typed: str, look: Look) -> Move:
        conversation, name, draft = place.args
        text = "".join(letter for letter in typed if letter.isprintable()).strip()
        if not text:
            return Wrong(look.say("hint.text"))
        return Act(Reply(conversation, name, text[:_LONGEST], draft))

    def done(self, place: Place, outcome: Outcome, look: Look) -> Move:
        return Go(Place("notice", (_result(outcome, look),)), fresh=True)


def _result(outcome: Outcome, look: Look) -> str:
    if outcome.kind:
        return look.say("messages.not_sent", reason=look.reason(outcome))
    return look.say("messages.sent")


def _flat(text: str) -> str:
    return " ".join(text.split())


screens = (Messages(), ConversationScreen(), ReplyScreen())
