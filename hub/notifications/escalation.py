"""Decides what happens next to a notice that is not acknowledged yet. Pure: no clock, no I/O.

A notice goes through the channels of its ``Reach`` in order. Each channel has its turn until it is
acknowledged, fails at every address, or ``wait`` has passed since it was handed over; the last one
has until the notice expires. ``next_step`` is asked again after every change and whenever the time
it named has come. Each answer carries its reason in plain words, for the timeline.

Guarantees: never a ``Send`` once acknowledged or expired, never two for one (channel, address,
try), at most ``MAX_TRIES`` tries for an address, every ``Wait`` ends in the future and no later
than the expiry, and after finitely many steps there is a ``Stop``.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import msgspec

from hub.notifications.model import Urgency

__all__ = [
    "IN_DOUBT",
    "MAX_TRIES",
    "Attempt",
    "MoveOn",
    "Send",
    "Situation",
    "Skip",
    "Step",
    "Stop",
    "Target",
    "Wait",
    "label",
    "next_step",
]

IN_DOUBT = timedelta(seconds=120)
"""How long a send without an outcome may still turn out well, by a delivery report."""

MAX_TRIES = 5

_LABELS = {"push": "push", "sms": "SMS", "email": "email"}
_ABSENT = {"push": "no device", "sms": "no phone number", "email": "no address"}

AttemptState: TypeAlias = Literal["sending", "sent", "delivered", "failed", "retry", "unknown"]


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try at one address. ``ended_at`` is when the send had an outcome."""

    channel: str
    address: bytes
    number: int
    state: AttemptState
    started_at: datetime
    ended_at: datetime | None = None
    retry_at: datetime | None = None
    reason: str = ""


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a decision rests on.

    ``position`` is the index in ``order`` of the channel whose turn it is. ``addresses`` are the
    usable ones (blind indexes) by channel; a channel that the hub does not have is not in it.
    ``quiet_until`` and ``capped_until`` lie in the future or are absent.
    """

    now: datetime
    urgency: Urgency
    stop_at: Literal["delivered", "seen"]
    order: tuple[str, ...]
    wait: timedelta
    starts_at: datetime
    expires_at: datetime
    position: int
    acknowledged: Literal["no", "delivered", "seen"]
    attempts: tuple[Attempt, ...] = ()
    addresses: Mapping[str, tuple[bytes, ...]] = {}
    switched_off: frozenset[str] = frozenset()
    quiet_until: datetime | None = None
    capped_until: Mapping[str, datetime] = {}


class Stop(msgspec.Struct, frozen=True):
    """The end. ``how`` is ``session`` or the channel by which the person was reached."""

    outcome: Literal["reached", "exhausted", "expired"]
    how: str | None
    reason: str


class Target(msgspec.Struct, frozen=True):
    """An address and the number of the try."""

    address: bytes
    number: int


class Send(msgspec.Struct, frozen=True):
    """Send by ``channel`` to all targets now; at ``deadline`` the next channel has its turn."""

    channel: str
    targets: tuple[Target, ...]
    deadline: datetime
    reason: str


class Skip(msgspec.Struct, frozen=True):
    """``channel`` cannot be used and was not tried; the next has its turn at once."""

    channel: str
    reason: str


class MoveOn(msgspec.Struct, frozen=True):
    """``channel`` was tried and did not do; the next has its turn at once."""

    channel: str
    reason: str


class Wait(msgspec.Struct, frozen=True):
    """Nothing to do before ``until``; ``notable`` where the timeline should say so."""

    until: datetime
    reason: str
    notable: bool = False


Step: TypeAlias = Stop | Send | Skip | MoveOn | Wait


def label(channel: str) -> str:
    """A channel's name in a sentence."""
    return _LABELS.get(channel, channel)


def next_step(s: Situation) -> Step:
    """The one thing to do now."""
    if s.acknowledged == "seen" or s.acknowledged == s.stop_at:
        word = "seen" if s.acknowledged == "seen" else "acknowledged"
        return Stop("reached", "session", f"{word} in a live session")
    delivered = next((a.channel for a in s.attempts if a.state == "delivered"), None)
    if delivered and s.stop_at == "delivered":
        return Stop("reached", delivered, f"{label(delivered)} delivered")
    if s.now >= s.expires_at:
        return _at_expiry(s, delivered)
    if s.now < s.starts_at:
        return Wait(min(s.starts_at, s.expires_at), "live sessions have the first chance")
    if s.position >= len(s.order):
        return _after_last(s, delivered)
    channel = s.order[s.position]
    tried = [a for a in s.attempts if a.channel == channel]
    return _again(s, channel, tried) if tried else _first(s, channel)


def _at_expiry(s: Situation, delivered: str | None) -> Stop:
    if delivered:
        return Stop(
            "reached", delivered, f"{label(delivered)} delivered; expired before it was seen"
        )
    handed = [label(a.channel) for a in s.attempts if a.state == "sent"]
    if handed:
        names = " and ".join(dict.fromkeys(handed))
        return Stop("expired", None, f"handed over by {names}, but no word of it before it expired")
    return Stop("expired", None, "its time ran out before it could be sent")


def _after_last(s: Situation, delivered: str | None) -> Step:
    if delivered:
        reason = f"{label(delivered)} delivered; no channel is left that could tell if it was seen"
        return Stop("reached", delivered, reason)
    if any(a.state == "sent" for a in s.attempts):
        return Wait(s.expires_at, "handed over; waiting for a report or an acknowledgement")
    if any(a.state == "unknown" for a in s.attempts):
        return Stop("exhausted", None, "no channel is left; one message may have arrived or not")
    if s.attempts:
        return Stop("exhausted", None, "every channel failed")
    return Stop("exhausted", None, "there is no channel by which this person can be reached")


def _first(s: Situation, channel: str) -> Step:
    """The first try of a channel, at every address the person has there."""
    if channel in s.switched_off and s.urgency != "critical":
        return Skip(channel, f"skipped {label(channel)}: switched off by the person")
    if channel not in s.addresses:
        return Skip(channel, f"skipped {label(channel)}: not set up")
    addresses = s.addresses[channel]
    if not addresses:
        absent = _ABSENT.get(channel, "no address")
        return Skip(channel, f"skipped {label(channel)}: {absent}")
    held = _held_back(s, channel)
    if held:
        return held
    targets = tuple(Target(address, 1) for address in addresses)
    return Send(channel, targets, s.now + s.wait, f"{_upper(channel)} because {_why_now(s)}")


def _again(s: Situation, channel: str, tried: list[Attempt]) -> Step:
    """A channel that was tried: once more, wait, or on to the next."""
    latest = {a.address: a for a in sorted(tried, key=lambda a: a.number)}
    handed = [a.ended_at or a.started_at for a in latest.values() if _handed_over(a)]
    since = max([min(a.started_at for a in tried), *handed])
    last = s.position == len(s.order) - 1
    deadline = s.expires_at if last and not handed else min(since + s.wait, s.expires_at)

    again: list[Target] = []
    moments: list[datetime] = []
    busy = waiting = False
    for a in latest.values():
        usable = _usable(s, channel, a)
        if a.state == "sending" and s.now < a.started_at + IN_DOUBT:
            busy = True
            moments.append(a.started_at + IN_DOUBT)
        elif a.state in ("sending", "unknown"):
            doubts = sum(
                o.address == a.address and o.state in ("sending", "unknown") for o in tried
            )
            if s.urgency == "critical" and doubts == 1 and usable:
                again.append(Target(a.address, a.number + 1))
        elif a.state == "retry" and usable:
            waiting = True
            if a.retry_at is None or a.retry_at <= s.now:
                again.append(Target(a.address, a.number + 1))
            else:
                moments.append(a.retry_at)
    if again and (s.now < deadline or s.urgency == "critical"):
        held = _held_back(s, channel)
        if not held:
            number = max(target.number for target in again)
            return Send(
                channel, tuple(again), s.now + s.wait, f"{_upper(channel)} again, try {number}"
            )
        waiting = True
        moments.append(held.until)
    if busy:
        return Wait(min(*moments, s.expires_at), f"{label(channel)} is being sent")
    if not handed and not waiting:
        reasons = ", ".join(dict.fromkeys(a.reason for a in latest.values() if a.reason))
        return MoveOn(channel, f"{label(channel)} failed" + (f": {reasons}" if reasons else ""))
    if s.now >= deadline:
        why = f"not acknowledged within {_span(s.wait)}" if handed else "not taken in time"
        return MoveOn(channel, f"{label(channel)} {why}")
    return Wait(
        min(deadline, *moments, s.expires_at), f"waiting for an answer to the {label(channel)}"
    )


def _handed_over(a: Attempt) -> bool:
    return a.state in ("sent", "delivered")


def _usable(s: Situation, channel: str, a: Attempt) -> bool:
    """Whether another try at the address of ``a`` is allowed at all."""
    allowed = s.urgency == "critical" or channel not in s.switched_off
    return allowed and a.number < MAX_TRIES and a.address in s.addresses.get(channel, ())


def _held_back(s: Situation, channel: str) -> Wait | None:
    """Quiet hours hold back promotions; the cap per minute and country holds back everything."""
    if s.urgency == "promotional" and s.quiet_until:
        return Wait(min(s.quiet_until, s.expires_at), "quiet hours where the person lives", True)
    if channel in s.capped_until:
        reason = f"too many {label(channel)} notices in this country this minute"
        return Wait(min(s.capped_until[channel], s.expires_at), reason, True)
    return None


def _why_now(s: Situation) -> str:
    before = s.order[s.position - 1] if s.position else None
    tried = [a for a in s.attempts if a.channel == before]
    if tried and not any(_handed_over(a) for a in tried):
        return f"{label(tried[0].channel)} did not go through"
    return f"not acknowledged within {_span(s.wait)}"


def _upper(channel: str) -> str:
    name = label(channel)
    return name[0].upper() + name[1:]


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    if seconds >= 120 and seconds % 60 == 0:
        return f"{seconds // 60:.0f} min"
    return f"{seconds:.3g} s"
