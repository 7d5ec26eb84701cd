"""What the pure core promises, by example and by playing random lives of a notice."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.notifications.escalation import (
    IN_DOUBT,
    MAX_TRIES,
    Attempt,
    MoveOn,
    Send,
    Situation,
    Skip,
    Stop,
    Target,
    Wait,
    next_step,
)

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
WAIT = timedelta(seconds=30)
PHONE, DEVICE = b"phone", b"device"


def situation(**changes: Any) -> Situation:
    base = Situation(
        now=START + WAIT,
        urgency="normal",
        stop_at="delivered",
        order=("push", "sms"),
        wait=WAIT,
        starts_at=START + WAIT,
        expires_at=START + timedelta(hours=24),
        position=0,
        acknowledged="no",
        addresses={"push": (DEVICE,), "sms": (PHONE,)},
    )
    return msgspec.structs.replace(base, **changes)


def attempt(**changes: Any) -> Attempt:
    base = Attempt(
        channel="push",
        address=DEVICE,
        number=1,
        state="sent",
        started_at=START + WAIT,
        ended_at=START + WAIT,
    )
    return msgspec.structs.replace(base, **changes)


SMS = {"channel": "sms", "address": PHONE}


def test_live_sessions_have_the_first_chance() -> None:
    step = next_step(situation(now=START))
    assert isinstance(step, Wait)
    assert step.until == START + WAIT


def test_an_acknowledged_notice_is_never_sent() -> None:
    assert next_step(situation(acknowledged="delivered")) == Stop(
        "reached", "session", "acknowledged in a live session"
    )


def test_delivered_is_not_enough_where_it_must_be_seen() -> None:
    assert isinstance(next_step(situation(acknowledged="delivered", stop_at="seen")), Send)
    assert isinstance(next_step(situation(acknowledged="seen", stop_at="seen")), Stop)


def test_without_a_device_push_is_skipped_and_not_failed() -> None:
    addresses = {"push": (), "sms": (PHONE,)}
    step = next_step(situation(addresses=addresses))
    assert step == Skip("push", "skipped push: no device")
    step = next_step(situation(addresses=addresses, position=1))
    assert isinstance(step, Send)
    assert step.reason == "SMS because not acknowledged within 30 s"


def test_a_channel_the_hub_does_not_have_is_skipped() -> None:
    step = next_step(situation(addresses={"sms": (PHONE,)}))
    assert step == Skip("push", "skipped push: not set up")


def test_push_goes_to_every_device_at_once() -> None:
    step = next_step(situation(addresses={"push": (b"a", b"b"), "sms": (PHONE,)}))
    assert isinstance(step, Send)
    assert step.targets == (Target(b"a", 1), Target(b"b", 1))


def test_push_that_nobody_acknowledges_gives_way_to_sms() -> None:
    pushed = (attempt(),)
    waiting = next_step(situation(attempts=pushed, now=START + WAIT * 2 - timedelta(seconds=1)))
    assert isinstance(waiting, Wait)
    assert waiting.until == START + WAIT * 2
    step = next_step(situation(attempts=pushed, now=START + WAIT * 2))
    assert step == MoveOn("push", "push not acknowledged within 30 s")


def test_a_dead_device_gives_way_at_once() -> None:
    dead = (attempt(state="failed", reason="the app was removed"),)
    assert next_step(situation(attempts=dead)) == MoveOn("push", "push failed: the app was removed")
    step = next_step(situation(attempts=dead, position=1))
    assert isinstance(step, Send)
    assert step.reason == "SMS because push did not go through"


def test_a_delivered_sms_is_the_end() -> None:
    step = next_step(situation(position=1, attempts=(attempt(**SMS, state="delivered"),)))
    assert step == Stop("reached", "sms", "SMS delivered")


def test_an_sms_handed_over_waits_for_its_report_until_the_notice_expires() -> None:
    sent = (attempt(**SMS),)
    now = START + timedelta(hours=1)
    assert isinstance(next_step(situation(position=1, attempts=sent, now=now)), MoveOn)
    step = next_step(situation(position=2, attempts=sent, now=now))
    assert isinstance(step, Wait)
    assert step.until == START + timedelta(hours=24)
    ended = next_step(situation(position=2, attempts=sent, now=START + timedelta(hours=24)))
    assert isinstance(ended, Stop)
    assert ended.outcome == "expired"


def test_where_it_must_be_seen_a_delivered_sms_ends_it_once_nothing_else_is_left() -> None:
    delivered = (attempt(**SMS, state="delivered"),)
    step = next_step(situation(position=1, stop_at="seen", attempts=delivered))
    assert isinstance(step, Wait)
    step = next_step(situation(position=2, stop_at="seen", attempts=delivered))
    assert isinstance(step, Stop)
    assert (step.outcome, step.how) == ("reached", "sms")


def test_a_busy_provider_is_tried_again_when_it_said_so() -> None:
    again_at = START + timedelta(minutes=5)
    busy = (attempt(**SMS, state="retry", retry_at=again_at),)
    step = next_step(situation(position=1, attempts=busy, now=START + timedelta(minutes=1)))
    assert isinstance(step, Wait)
    assert step.until == again_at
    step = next_step(situation(position=1, attempts=busy, now=again_at))
    assert isinstance(step, Send)
    assert step.targets == (Target(PHONE, 2),)


def test_a_busy_push_does_not_hold_up_the_sms() -> None:
    busy = (attempt(state="retry", retry_at=START + timedelta(hours=1)),)
    step = next_step(situation(attempts=busy))
    assert isinstance(step, Wait)
    assert step.until == START + WAIT * 2
    assert isinstance(next_step(situation(attempts=busy, now=START + WAIT * 2)), MoveOn)


def test_an_address_is_tried_no_more_than_so_often() -> None:
    tried = (attempt(**SMS, number=MAX_TRIES, state="retry", retry_at=START),)
    assert isinstance(next_step(situation(position=1, attempts=tried)), MoveOn)


def test_in_doubt_a_critical_notice_is_sent_once_more_and_others_are_not() -> None:
    doubt = (attempt(**SMS, state="unknown"),)
    after = START + WAIT + IN_DOUBT
    critical = situation(position=1, attempts=doubt, now=after, urgency="critical")
    step = next_step(critical)
    assert isinstance(step, Send)
    assert step.targets == (Target(PHONE, 2),)
    normal = msgspec.structs.replace(critical, urgency="normal")
    assert isinstance(next_step(normal), MoveOn)
    twice = (*doubt, attempt(**SMS, number=2, state="unknown"))
    assert isinstance(next_step(msgspec.structs.replace(critical, attempts=twice)), MoveOn)
    ended = next_step(msgspec.structs.replace(normal, position=2))
    assert isinstance(ended, Stop)
    assert ended.outcome == "exhausted"


def test_a_channel_switched_off_is_used_for_critical_notices_only() -> None:
    off = situation(switched_off=frozenset({"push"}))
    assert next_step(off) == Skip("push", "skipped push: switched off by the person")
    assert isinstance(next_step(msgspec.structs.replace(off, urgency="critical")), Send)


def test_quiet_hours_hold_back_promotions_only() -> None:
    morning = START + timedelta(hours=9)
    night = situation(quiet_until=morning)
    assert isinstance(next_step(night), Send)
    held = next_step(msgspec.structs.replace(night, urgency="promotional"))
    assert isinstance(held, Wait)
    assert held.until == morning


def test_the_cap_of_a_country_holds_back_sms_and_says_so() -> None:
    later = START + timedelta(minutes=2)
    step = next_step(situation(position=1, capped_until={"sms": later}))
    assert step == Wait(later, "too many SMS notices in this country this minute", notable=True)


# --- random lives -------------------------------------------------------------------------------


@dataclass
class World:
    """A provider, a person and a worker that may die, as a notice meets them."""

    data: st.DataObject
    now: datetime
    situation: Situation
    sends: list[tuple[datetime, str, bytes, int]] = field(default_factory=list)

    def live(self) -> Stop:
        for _ in range(2_000):
            step = next_step(self.situation)
            match step:
                case Stop():
                    return step
                case Skip() | MoveOn():
                    self._set(position=self.situation.position + 1)
                case Wait(until):
                    assert self.now < until <= self.situation.expires_at
                    self._pass(until)
                case Send():
                    self._send(step)
        raise AssertionError("no end")

    def _set(self, **changes: Any) -> None:
        self.situation = msgspec.structs.replace(self.situation, **changes)

    def _send(self, step: Send) -> None:
        s = self.situation
        assert s.acknowledged not in ("seen", s.stop_at)
        assert s.now < s.expires_at
        assert step.targets
        if s.urgency != "critical":
            assert step.channel not in s.switched_off
        assert not (s.urgency == "promotional" and s.quiet_until)
        for target in step.targets:
            assert target.address in s.addresses[step.channel]
            self.sends.append((self.now, step.channel, target.address, target.number))
            state = self.data.draw(
                st.sampled_from(["sent", "sent", "delivered", "failed", "retry", "sending"])
            )
            retry_at = self.now + timedelta(seconds=self.data.draw(st.integers(1, 4_000)))
            made = Attempt(
                channel=step.channel,
                address=target.address,
                number=target.number,
                state=state,
                started_at=self.now,
                ended_at=None if state == "sending" else self.now,
                retry_at=retry_at if state == "retry" else None,
            )
            self._set(attempts=(*self.situation.attempts, made))

    def _pass(self, until: datetime) -> None:
        """Time passes to ``until``, or to something that happens before."""
        if self.data.draw(st.booleans()):
            seconds = (until - self.now).total_seconds()
            self.now += timedelta(seconds=self.data.draw(st.floats(0.001, max(seconds, 0.002))))
            self.now = min(self.now, until)
            acknowledged = self.data.draw(st.sampled_from(["no", "no", "delivered", "seen"]))
            if self.situation.acknowledged == "no":
                self._set(acknowledged=acknowledged)
        else:
            self.now = until
        attempts = []
        for made in self.situation.attempts:
            if made.state == "sending" and self.now >= made.started_at + IN_DOUBT:
                made = msgspec.structs.replace(made, state="unknown", ended_at=self.now)
            elif made.state == "sent" and self.data.draw(st.integers(0, 9)) == 0:
                state = self.data.draw(st.sampled_from(["delivered", "failed"]))
                made = msgspec.structs.replace(made, state=state)
            attempts.append(made)
        quiet = self.situation.quiet_until
        capped = {c: t for c, t in self.situation.capped_until.items() if t > self.now}
        self._set(
            now=self.now,
            attempts=tuple(attempts),
            quiet_until=quiet if quiet and quiet > self.now else None,
            capped_until=capped,
        )


CHANNELS = ("push", "sms", "email")


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    wait = timedelta(seconds=draw(st.integers(0, 600)))
    soon = st.none() | st.integers(1, 40_000).map(lambda s: START + timedelta(seconds=s))
    addresses = {
        channel: tuple(bytes([i]) for i in range(draw(st.integers(0, 3))))
        for channel in draw(st.sets(st.sampled_from(CHANNELS)))
    }
    capped = draw(soon)
    return Situation(
        now=START,
        urgency=draw(st.sampled_from(["critical", "normal", "promotional"])),
        stop_at=draw(st.sampled_from(["delivered", "seen"])),
        order=tuple(draw(st.lists(st.sampled_from(CHANNELS), unique=True))),
        wait=wait,
        starts_at=START + wait,
        expires_at=START + timedelta(seconds=draw(st.integers(1, 90_000))),
        position=0,
        acknowledged="no",
        addresses=addresses,
        switched_off=frozenset(draw(st.sets(st.sampled_from(CHANNELS)))),
        quiet_until=draw(soon),
        capped_until={"sms": capped} if capped else {},
    )


@settings(max_examples=300, deadline=None)
@given(situations(), st.data())
def test_every_life_of_a_notice_ends_and_no_try_is_made_twice(
    first: Situation, data: st.DataObject
) -> None:
    world = World(data, first.now, first)
    stop = world.live()
    tries = [(channel, address, number) for _, channel, address, number in world.sends]
    assert len(tries) == len(set(tries))
    assert all(1 <= number <= MAX_TRIES for *_, number in tries)
    assert all(earlier[0] <= later[0] for earlier, later in pairwise(world.sends))
    final = world.situation
    if final.acknowledged in ("seen", final.stop_at):
        assert (stop.outcome, stop.how) == ("reached", "session")
    if stop.outcome == "reached" and stop.how != "session":
        assert any(a.state == "delivered" and a.channel == stop.how for a in final.attempts)
    if stop.outcome == "exhausted":
        assert not any(a.state in ("sent", "delivered") for a in final.attempts)
    assert stop.reason


@settings(max_examples=200, deadline=None)
@given(situations(), st.data())
def test_a_decision_depends_on_nothing_but_the_situation(
    first: Situation, data: st.DataObject
) -> None:
    world = World(data, first.now, first)
    world.live()
    assert next_step(world.situation) == next_step(world.situation)
