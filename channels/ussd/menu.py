"""The menu engine: one pure step.

``step(state, given, facts)`` gives a ``Screen`` to show, an ``Ask`` for a fact it lacks, or a
``Do`` for something the hub must do. ``given`` is what was typed, the ``Outcome`` of the last
``Do``, or None to show the present screen. No clock, no database, no randomness: the same inputs
and facts give the same screens, so a conversation can be replayed and tested as a transcript.

Everywhere after the PIN: ``0`` goes back (a page, a screen, out), ``00`` goes home, ``98`` shows
more. The third wrong input in a row ends the session politely.
"""

from typing import TypeAlias, assert_never

import msgspec

from channels.ussd import layout
from channels.ussd.facts import (
    Facts,
    Missing,
    Outcome,
    Place,
    SavedPlace,
)
from channels.ussd.model import (
    Act,
    Ask,
    Back,
    Caller,
    Do,
    End,
    Enter,
    Go,
    Home,
    Move,
    ResumeSaved,
    Screen,
    Speak,
    State,
    View,
    Wrong,
)
from channels.ussd.screens import Look, screen_kind
from channels.ussd.wording import say

__all__ = ["Result", "start", "step", "takes_everything"]

Result: TypeAlias = Screen | Ask | Do

_HOME = Place("home")
_TRAIL = 8
_WRONGS = 3
_PENDING = 6


def start(caller: Caller, dialled: list[str]) -> State:
    """The state of a new session, before the PIN.

    ``dialled`` is what followed the service code. Only menu choices (one or two digits) are kept
    for after the PIN: anything longer may be a PIN typed ahead and must not be stored.
    """
    pending: list[str] = []
    for word in dialled[:_PENDING]:
        if not (word.isascii() and word.isdigit() and len(word) <= 2):
            break
        pending.append(word)
    return State(caller.person, caller.name, caller.language, pending=tuple(pending))


def takes_everything(state: State) -> bool:
    """Whether what is typed here is free text, in which a star is a star."""
    return state.here.screen == "reply"


def step(state: State, given: str | Outcome | None, facts: Facts) -> Result:
    """One step; see the module."""
    try:
        return _step(state, given, facts)
    except Missing as missing:
        return Ask(missing.question)


def _step(state: State, given: str | Outcome | None, facts: Facts) -> Result:
    if given is None:
        return _screen(state, facts)
    look = Look(state, facts)
    move: Move | State
    if isinstance(given, Outcome):
        move = screen_kind(state.here.screen).done(state.here, given, look)
    else:
        move = _choose(state, given.strip(), look)
    return _follow(state, move, facts)


def _choose(state: State, typed: str, look: Look) -> Move | State:
    """The move that ``typed`` means here; a ``State`` where only the page turns."""
    kind = screen_kind(state.here.screen)
    view = kind.show(state.here, look)
    if state.signed_in:
        if typed == "0":
            return Back()
        if typed == "00":
            return Home()
        if typed == layout.MORE and _page(state, view).more:
            return msgspec.structs.replace(state, page=state.page + 1, wrong=0, hint="")
    if view.entry != "choice":
        return kind.take(state.here, typed, look)
    if typed.isascii() and typed.isdigit() and len(typed) <= 2:
        number = int(typed)
        if 1 <= number <= len(view.options):
            return view.options[number - 1].move
    return Wrong(look.say("hint.choice"))


def _follow(state: State, move: Move | State, facts: Facts) -> Result:
    replace = msgspec.structs.replace
    calm = replace(state, page=0, wrong=0, hint="")
    match move:
        case State():
            return _screen(move, facts)
        case Act(action):
            return Do(state, action)
        case End(text):
            return Screen(state, layout.closing(text), more=False)
        case Wrong(hint):
            if state.wrong + 1 >= _WRONGS:
                return Screen(state, say(state.language, "end.wrong"), more=False)
            return _screen(replace(state, wrong=state.wrong + 1, hint=hint), facts)
        case Go(place, fresh):
            trail = (_HOME,) if fresh else (*state.trail, state.here)[-_TRAIL:]
            return _screen(replace(calm, here=place, trail=trail), facts)
        case Back():
            if state.page > 0:
                return _screen(replace(calm, page=state.page - 1), facts)
            if state.here.screen == "home":
                return Screen(state, say(state.language, "end.goodbye"), more=False)
            trail = state.trail or (_HOME,)
            return _screen(replace(calm, here=trail[-1], trail=trail[:-1]), facts)
        case Home():
            return _screen(replace(calm, here=_HOME, trail=()), facts)
        case Speak(language):
            return _screen(replace(calm, here=_HOME, trail=(), language=language), facts)
        case Enter():
            inside = replace(calm, here=_HOME, trail=(), signed_in=True)
            saved = None if state.pending else facts.need(SavedPlace())
            if saved is not None:
                inside = replace(inside, here=Place("resume"), saved=saved)
            return _screen(inside, facts)
        case ResumeSaved():
            if state.saved is None:
                return _screen(replace(calm, here=_HOME, trail=()), facts)
            back = replace(calm, here=state.saved.here, trail=state.saved.trail, saved=None)
            return _screen(back, facts)
        case _:
            assert_never(move)


def _screen(state: State, facts: Facts) -> Screen:
    look = Look(state, facts)
    view = screen_kind(state.here.screen).show(state.here, look)
    text = layout.render(_page(state, view), _footer(state, view), state.hint)
    return Screen(state, text)


def _page(state: State, view: View) -> layout.Page:
    """The page the state is on; the last one if the content has shrunk since."""
    found = layout.pages(view, _footer(state, view))
    return found[min(state.page, len(found) - 1)]


def _footer(state: State, view: View) -> layout.Footer:
    if view.footer == "none":
        return layout.Footer("", layout.MORE)
    words = f"footer.{view.footer}"
    return layout.Footer(say(state.language, words), say(state.language, f"{words}_more"))
