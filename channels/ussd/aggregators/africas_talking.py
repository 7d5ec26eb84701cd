"""Africa's Talking: a form with the whole path in, ``CON`` or ``END`` and the screen out.

https://developers.africastalking.com/docs/ussd/handle_sessions. Requests are unsigned; the path of
the callback holds an unguessable token instead. ``networkCode`` may be missing and is not used.
"""

from collections.abc import Mapping

from channels.ussd.session import Answer
from channels.ussd.turn import Turn
from hub.errors import Invalid
from hub.phone import parse_phone

__all__ = ["answer_text", "parse_turn"]

_LONGEST_ID = 128


def parse_turn(form: Mapping[str, object]) -> Turn:
    """The hop in a callback's form.

    Raises ``Invalid`` where ``sessionId`` or ``phoneNumber`` is missing or is none.
    """
    session_id = _field(form, "sessionId")
    if not (
        0 < len(session_id) <= _LONGEST_ID and session_id.isascii() and session_id.isprintable()
    ):
        raise Invalid("sessionId is missing or too long.", field="sessionId")
    number = _field(form, "phoneNumber")
    if not number:
        raise Invalid("phoneNumber is missing.", field="phoneNumber")
    return Turn(session_id, parse_phone(number), _field(form, "text"))


def answer_text(answer: Answer) -> str:
    """The body of the reply; a session goes on after ``CON`` only."""
    return f"{'CON' if answer.more else 'END'} {answer.text}"


def _field(form: Mapping[str, object], name: str) -> str:
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""
