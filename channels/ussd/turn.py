"""One POST, one turn: from the path that was typed to the answer on the screen.

Guarantees: always an answer, in time for the network (eight seconds, eleven at the very worst);
nothing typed is logged, or stored as typed; a repeated hop gets the answer it had; whatever is
confirmed happens at most once. Fetching facts and performing actions is the business of a
``Desk``; what to show is the business of ``menu.step``.
"""

import asyncio
import logging
import traceback
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Protocol, TypeVar

import msgspec

from channels.ussd import menu
from channels.ussd.drafts import Promises
from channels.ussd.facts import (
    Facts,
    NewDraft,
    Outcome,
    Question,
    SavedPlace,
)
from channels.ussd.layout import closing
from channels.ussd.model import (
    Action,
    Ask,
    Caller,
    CheckPin,
    Do,
    Invest,
    Reply,
    Screen,
    State,
)
from channels.ussd.screens import screen_kind
from channels.ussd.screens.base import reason
from channels.ussd.session import Answer, Busy, Claim, Sessions
from channels.ussd.wording import language_of_region, say
from hub.clock import Clock
from hub.errors import HubError, TooManyRequests
from hub.ids import PersonId, new_id, parse_id
from hub.phone import Phone, region_of

__all__ = ["Desk", "Limiter", "Turn", "Ussd"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

_RATE_PER_MINUTE = 60
_BURST = 30
_LONGEST_PATH = 4_000
_ASKS = 40
_AT_LEAST = 0.2  # seconds to play in, where waiting for the session took nearly all of them
_FINISH_WITHIN = 3.0

_late: set["asyncio.Task[None]"] = set()
"""Keeps what goes on after its answer from being collected."""


class Turn(msgspec.Struct, frozen=True):
    """One hop: ``path`` is everything typed in the session so far, joined by stars."""

    session_id: str
    phone: Phone
    path: str


class Desk(Protocol):
    """What the rest of the hub knows and does for a session."""

    async def caller(self, phone: Phone) -> Caller | None:
        """Who has this number."""
        ...

    async def fetch(self, question: Question[T], person: PersonId) -> T:
        """The answer to a question about this person. Raises ``HubError``."""
        ...

    async def perform(self, action: Action, person: PersonId) -> Outcome:
        """Does it; a ``HubError`` comes back as an outcome."""
        ...


class Limiter(Protocol):
    """As ``hub.limits.Limits``."""

    async def take(
        self, key: str, *, rate_per_minute: float, burst: int, cost: int = 1
    ) -> None: ...


class _Work:
    """A turn under way: where it is, and what it is just doing."""

    __slots__ = ("acting", "state")

    def __init__(self, state: State) -> None:
        self.state = state
        self.acting: Action | None = None


class _Strange(Exception):
    """Nobody has this number."""


class Ussd:
    """The channel. ``address`` is where a stranger can join, ``patience`` in seconds."""

    def __init__(
        self,
        desk: Desk,
        sessions: Sessions,
        promises: Promises,
        limits: Limiter,
        clock: Clock,
        *,
        address: str,
        patience: float = 8.0,
    ) -> None:
        self._desk = desk
        self._sessions = sessions
        self._promises = promises
        self._limits = limits
        self._clock = clock
        self._address = address
        self._patience = patience

    async def turn(self, turn: Turn) -> Answer:
        """The answer to a hop. Raises nothing."""
        language = language_of_region(region_of(turn.phone))
        try:
            await self._limits.take(
                f"ussd:{self._sessions.phone_index(turn.phone).hex()}",
                rate_per_minute=_RATE_PER_MINUTE,
                burst=_BURST,
            )
            return await self._turn(turn, language)
        except TooManyRequests as limit:
            return _end(language, "end.busy", seconds=limit.retry_after)
        except HubError as fault:
            _tell(fault)
            return Answer(reason(language, Outcome(fault.kind)), more=False)
        except Exception as fault:
            _tell(fault)
            return _end(language, "end.error")

    async def _turn(self, turn: Turn, language: str) -> Answer:
        deadline = asyncio.get_running_loop().time() + self._patience
        claim = await self._claim(turn, deadline)
        if isinstance(claim, Answer):
            return claim
        if claim is None:
            return _end(language, "end.slow")
        kept = False
        try:
            if claim.foreign:
                return _end(language, "end.over")
            spoken = claim.state.language if claim.state else language
            if claim.ended or len(turn.path) > _LONGEST_PATH:
                return _end(spoken, "end.over")
            try:
                state, answer = await self._play(claim, turn, deadline)
            except _Strange:
                return _end(language, "end.stranger", address=self._address)
            except HubError as fault:
                _tell(fault)
                return Answer(reason(spoken, Outcome(fault.kind)), more=False)
            except Exception as fault:
                _tell(fault)
                return _end(spoken, "end.error")
            if state is None or answer is None:
                return _end(spoken, "end.slow")
            kept = True
            return await self._finish(claim, turn, state, answer)
        finally:
            if not kept:
                await self._sessions.release(claim)

    async def _claim(self, turn: Turn, deadline: float) -> Claim | Answer | None:
        """The session, or the answer this hop had; None if another turn does not end in time."""
        try:
            async with asyncio.timeout_at(deadline):
                while True:
                    claimed = await self._sessions.claim(turn.session_id, turn.phone, turn.path)
                    if not isinstance(claimed, Busy):
                        return claimed
                    await asyncio.sleep(0.1)
        except TimeoutError:
            return None

    async def _finish(self, claim: Claim, turn: Turn, state: State, answer: Answer) -> Answer:
        """Keeps state and answer. If that takes too long the answer goes out all the same: the
        next hop then plays this one's input again, which its draft makes harmless."""
        try:
            async with asyncio.timeout(_FINISH_WITHIN):
                return await self._sessions.finish(
                    claim, state, len(_segments(turn.path)), answer, resumable=_worth(state, answer)
                )
        except TimeoutError as fault:
            _tell(fault)
            return answer

    async def _play(
        self, claim: Claim, turn: Turn, deadline: float
    ) -> tuple[State | None, Answer | None]:
        """The state and the answer after this hop; neither if it took too long."""
        typed: Sequence[str] = _segments(turn.path)[claim.segments :]
        state = claim.state
        if state is None:
            try:
                async with asyncio.timeout_at(deadline):
                    caller = await self._desk.caller(turn.phone)
            except TimeoutError:
                return None, None
            if caller is None:
                raise _Strange
            state, typed = menu.start(caller, list(typed)), ()
        work = _Work(state)
        task = asyncio.create_task(self._inputs(work, typed, claim.session_id))
        left = deadline - asyncio.get_running_loop().time()
        done, _ = await asyncio.wait({task}, timeout=max(left, _AT_LEAST))
        if done:
            screen = task.result()
            return screen.state, Answer(screen.text, screen.more)
        match work.acting:
            case Invest(offering_title=subject, draft=draft) | Reply(to_name=subject, draft=draft):
                try:
                    await self._promises.promise(_person(work.state), draft, subject)
                finally:
                    _go_on(self._keep(task, draft))
                return work.state, _end(work.state.language, "end.promised")
            case _:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                return None, None

    async def _keep(self, task: "asyncio.Task[Screen]", draft: str) -> None:
        """Lets a late action end, then tells how by SMS. What fails here the worker makes good."""
        try:
            await task
        except Exception as fault:
            _tell(fault)
        try:
            await self._promises.keep(draft)
        except Exception as fault:
            _tell(fault)

    async def _inputs(self, work: _Work, typed: Sequence[str], session_id: str) -> Screen:
        """Plays what was typed, one input after the other, until one is wrong or the last."""
        queue = deque(typed)
        if not queue:
            return await self._step(work, None, session_id)
        while True:
            if menu.takes_everything(work.state):
                given = "*".join(queue)
                queue.clear()
            else:
                given = queue.popleft()
            outside = not work.state.signed_in
            screen = await self._step(work, given, session_id)
            if outside and work.state.signed_in:
                queue.extendleft(reversed(work.state.pending))
                work.state = msgspec.structs.replace(work.state, pending=())
                screen = msgspec.structs.replace(screen, state=work.state)
            if not queue or not screen.more or work.state.hint:
                return screen

    async def _step(self, work: _Work, given: str | None, session_id: str) -> Screen:
        facts = Facts()
        heard: str | Outcome | None = given
        person = _person(work.state)
        for _ in range(_ASKS):
            match menu.step(work.state, heard, facts):
                case Screen() as screen:
                    work.state = screen.state
                    return screen
                case Ask(NewDraft() as question):
                    facts = facts.with_answer(question, str(new_id(self._clock.now())))
                case Ask(SavedPlace() as question):
                    saved = await self._sessions.saved_place(person, session_id)
                    facts = facts.with_answer(question, saved)
                case Ask(question):
                    facts = facts.with_answer(question, await self._desk.fetch(question, person))
                case Do(state, action):
                    work.state = state
                    work.acting = None if isinstance(action, CheckPin) else action
                    heard = await self._desk.perform(action, person)
                    work.acting = None
                    facts = Facts()
        raise AssertionError(f"the screen {work.state.here.screen} asks without end")


def _segments(path: str) -> list[str]:
    return path.split("*") if path else []


def _person(state: State) -> PersonId:
    return PersonId(parse_id(state.person))


def _worth(state: State, answer: Answer) -> bool:
    """Whether a person who redials should be offered to go on from here."""
    if not state.signed_in or not screen_kind(state.here.screen).resumes:
        return False
    return answer.more or answer.text == _end(state.language, "end.promised").text


def _end(language: str, key: str, **fields: object) -> Answer:
    return Answer(closing(say(language, key, **fields)), more=False)


def _go_on(work: Coroutine[None, None, None]) -> None:
    task = asyncio.create_task(work)
    _late.add(task)
    task.add_done_callback(_late.discard)


def _tell(fault: Exception) -> None:
    """Logs where it failed, never what the error says: that may quote what a person typed."""
    where = "".join(traceback.format_tb(fault.__traceback__))
    _log.error("a USSD turn failed: %s\n%s", type(fault).__name__, where)
