"""A notice on its way to a person, with the real tables and channels that do as they are told."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec
import pytest

from channels.base import Dead, Retry, SendInDoubt
from hub.clock import ManualClock
from hub.database import Connection, Database
from hub.events import Event, Reach, personal_stream
from hub.identity import Person
from hub.messaging import send_message, start_conversation
from hub.money import Money
from hub.notifications import Acks, Report, address_hash, record_report, switch_channel
from hub.notifications.model import Address
from hub.sealing import Keyring
from workers.deliver import Deliver, deliver_due

After = Callable[..., Awaitable[int]]


class Planned(Event, frozen=True, kw_only=True):
    """Promotional or critical, as its class says."""

    amount: Money


def urgent() -> Event:
    """Its class is made within a test: at import it would enter every other test's catalogue."""

    class Urgent(Planned, frozen=True, kw_only=True):
        kind: ClassVar[str] = "payment.failed"  # has wording and, outside these tests, no Reach
        reach: ClassVar[Reach | None] = Reach(urgency="critical", stop_at="seen", order=("sms",))

    return Urgent(amount=Money(100, "KES"))


@pytest.fixture(autouse=True)
def _restored_catalogue() -> Any:
    """A test that gives an event a Reach gives it back."""
    from hub.events.base import _catalogue

    kept = dict(_catalogue)
    yield
    _catalogue.clear()
    _catalogue.update(kept)


def reports(keyring: Keyring, provider_id: str, outcome: Any = "delivered") -> Report:
    return Report(
        provider="told-sms",
        provider_id=provider_id,
        address_hash=address_hash(keyring, Address("+254700000001")),
        outcome=outcome,
        final=outcome != "sent",
        status="Success" if outcome == "delivered" else "Failed",
    )


async def tell(database: Database, report: Report, at: datetime) -> bool:
    async def work(tx: Connection) -> bool:
        return await record_report(tx, report, at)

    return await database.transaction(work)


async def states(database: Database) -> list[str]:
    async with database.connection() as c:
        rows = await c.fetch("SELECT state FROM delivery_attempts ORDER BY started_at, try")
    return [row["state"] for row in rows]


def words(timeline: Any) -> list[str]:
    return [step.step for step in timeline.steps]


async def test_nobody_acknowledges_so_an_sms_goes_out_in_the_persons_language(
    line: Any, owner: Person, sms: Any, after: After
) -> None:
    event_id = await line.paid(owner.id)
    await after(seconds=29)
    assert sms.sent == []
    await after(seconds=1)
    assert [notice.text for notice in sms.sent] == [
        "Malipo yako ya KES 1,250 yamefika. Salio: KES 5,000."
    ]
    found = await line.timeline(event_id, owner)
    assert [step.reason for step in found.steps[1:3]] == [
        "skipped push: no device",
        "SMS because not acknowledged within 30 s",
    ]


async def test_an_acknowledgement_in_time_means_no_sms(
    line: Any, owner: Person, sms: Any, after: After, database: Database, clock: ManualClock
) -> None:
    event_id = await line.paid(owner.id)
    acks = Acks(database, clock)
    await acks.delivered(str(owner.id), "device-1", personal_stream(owner.id), 1)
    await after(hours=25)
    assert sms.sent == []
    found = await line.timeline(event_id, owner)
    assert (found.state, found.reached_how) == ("reached", "session")
    assert words(found) == ["scheduled", "reached"]


async def test_who_went_offline_is_not_waited_for(
    line: Any, owner: Person, sms: Any, after: After, database: Database, clock: ManualClock
) -> None:
    event_id = await line.paid(owner.id)
    await after(seconds=5)
    await Acks(database, clock).departed([str(owner.id), "not a person"])
    await after(seconds=1)
    assert len(sms.sent) == 1
    found = await line.timeline(event_id, owner)
    assert "went offline before acknowledging" in [step.reason for step in found.steps]


async def test_an_acknowledgement_of_an_earlier_event_says_nothing_of_a_later_one(
    line: Any, owner: Person, sms: Any, after: After, database: Database, clock: ManualClock
) -> None:
    await line.paid(owner.id)
    await line.paid(owner.id)
    acks = Acks(database, clock)
    await acks.delivered(str(owner.id), None, personal_stream(owner.id), 1)
    await acks.delivered(str(owner.id), None, "offering:1", 99)
    await acks.delivered("nobody", None, personal_stream(owner.id), 99)
    await after(seconds=30)
    assert len(sms.sent) == 1


async def test_what_must_be_seen_is_not_reached_by_delivery_to_a_device(
    line: Any, owner: Person, sms: Any, after: After, database: Database, clock: ManualClock
) -> None:
    event_id = await line.say(urgent(), owner.id)
    acks = Acks(database, clock)
    await acks.delivered(str(owner.id), None, personal_stream(owner.id), 1)
    assert (await line.timeline(event_id, owner)).state == "pending"
    await after(seconds=30)
    assert len(sms.sent) == 1
    await acks.seen(str(owner.id), None, personal_stream(owner.id), 1)
    assert (await line.timeline(event_id, owner)).reached_how == "session"


async def test_push_first_and_sms_when_it_is_not_acknowledged(
    line: Any, owner: Person, sms: Any, push: Any, after: After
) -> None:
    push.devices[owner.id] = ["token-a", "token-b"]
    await line.paid(owner.id)
    await after(seconds=30)
    assert sorted(notice.address.value for notice in push.sent) == ["token-a", "token-b"]
    assert push.sent[0].title == "KES 1,250 zimefika"
    await after(seconds=29)
    assert sms.sent == []
    await after(seconds=1)
    assert (len(push.sent), len(sms.sent)) == (2, 1)


async def test_a_dead_token_is_retired_and_the_next_channel_has_its_turn_at_once(
    line: Any, owner: Person, sms: Any, push: Any, after: After
) -> None:
    push.devices[owner.id] = ["token-a"]
    push.outcomes = [Dead("the app was removed from the device", retire=True)]
    await line.paid(owner.id)
    await after(seconds=30)
    assert push.retired == ["token-a"]
    assert len(sms.sent) == 1


async def test_a_delivery_report_ends_it(
    line: Any,
    owner: Person,
    after: After,
    database: Database,
    keyring: Keyring,
    clock: ManualClock,
) -> None:
    event_id = await line.paid(owner.id)
    await after(seconds=30)
    assert await tell(database, reports(keyring, "sms-1", "sent"), clock.now())
    assert await tell(database, reports(keyring, "sms-1"), clock.now())
    assert not await tell(database, reports(keyring, "sms-1"), clock.now())  # repeated
    assert not await tell(database, reports(keyring, "sms-1", "failed"), clock.now())  # too late
    await after(seconds=1)
    found = await line.timeline(event_id, owner)
    assert (found.state, found.reached_how) == ("reached", "sms")
    assert words(found)[-3:] == ["sent", "delivered", "reached"]


async def test_a_report_before_its_send_is_recorded_is_kept_and_matched(
    line: Any,
    owner: Person,
    after: After,
    database: Database,
    keyring: Keyring,
    clock: ManualClock,
) -> None:
    await tell(database, reports(keyring, "sms-1"), clock.now())
    event_id = await line.paid(owner.id)
    await after(seconds=30)
    assert (await line.timeline(event_id, owner)).reached_how == "sms"


async def test_a_report_for_another_number_changes_nothing(
    line: Any,
    owner: Person,
    after: After,
    database: Database,
    keyring: Keyring,
    clock: ManualClock,
) -> None:
    await line.paid(owner.id)
    await after(seconds=30)
    forged = msgspec.structs.replace(reports(keyring, "sms-1"), address_hash=b"other")
    assert not await tell(database, forged, clock.now())
    assert await states(database) == ["sent"]


async def test_no_report_ends_as_expired_and_a_failed_one_as_exhausted(
    line: Any,
    owner: Person,
    after: After,
    database: Database,
    keyring: Keyring,
    clock: ManualClock,
) -> None:
    silent = await line.paid(owner.id)
    await after(seconds=30)
    failing = await line.paid(owner.id)
    await after(seconds=30)
    await tell(database, reports(keyring, "sms-2", "failed"), clock.now())
    await after(seconds=1)
    assert (await line.timeline(failing, owner)).state == "exhausted"
    await after(hours=25)
    assert (await line.timeline(silent, owner)).state == "expired"
    late = await tell(database, reports(keyring, "sms-1"), clock.now())
    await after(seconds=1)
    found = await line.timeline(silent, owner)
    assert late
    assert (found.state, words(found)[-1]) == ("expired", "delivered")


async def test_a_busy_provider_is_tried_again_when_it_said(
    line: Any, owner: Person, sms: Any, after: After, database: Database
) -> None:
    sms.outcomes = [Retry(45, "busy")]
    await line.paid(owner.id)
    await after(seconds=30)
    assert len(sms.sent) == 1
    await after(seconds=44)
    assert len(sms.sent) == 1
    await after(seconds=1)
    assert [notice.number for notice in sms.sent] == [1, 2]
    assert await states(database) == ["failed", "sent"]


async def test_a_provider_that_stays_busy_is_given_up_on(
    line: Any, owner: Person, sms: Any, after: After
) -> None:
    sms.outcomes = [Retry(60, "busy")] * 10
    event_id = await line.paid(owner.id)
    await after(seconds=30)
    for _ in range(10):
        await after(seconds=60)
    assert [notice.number for notice in sms.sent] == [1, 2, 3, 4, 5]
    assert (await line.timeline(event_id, owner)).state == "exhausted"


async def test_killed_between_attempt_and_completion_nothing_is_sent_twice(
    line: Any, owner: Person, sms: Any, after: After, parts: Deliver, clock: ManualClock
) -> None:
    sms.outcomes = [asyncio.CancelledError()]
    event_id = await line.paid(owner.id)
    clock.advance(timedelta(seconds=30))
    with pytest.raises(asyncio.CancelledError):
        await deliver_due(parts)
    await after(seconds=119)
    assert len(sms.sent) == 1
    await after(seconds=1)
    assert len(sms.sent) == 1
    found = await line.timeline(event_id, owner)
    assert found.state == "exhausted"
    assert words(found)[-3:] == ["unknown", "moved_on", "exhausted"]


async def test_a_worker_told_to_stop_finishes_what_it_has_begun(
    line: Any, owner: Person, sms: Any, parts: Deliver, clock: ManualClock, database: Database
) -> None:
    handed = asyncio.Event()
    send = sms.send

    async def slowly(notice: Any) -> Any:
        handed.set()
        await asyncio.sleep(0.1)
        return await send(notice)

    sms.send = slowly
    await line.paid(owner.id)
    clock.advance(timedelta(seconds=30))
    working = asyncio.ensure_future(deliver_due(parts))
    await handed.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert await states(database) == ["sent"]


async def test_killed_while_sending_a_critical_notice_sends_it_once_more(
    line: Any, owner: Person, sms: Any, after: After
) -> None:
    sms.outcomes = [SendInDoubt("no answer"), SendInDoubt("no answer")]
    event_id = await line.say(urgent(), owner.id)
    await after(seconds=30)
    await after(seconds=120)
    assert [notice.number for notice in sms.sent] == [1, 2]
    await after(seconds=120)
    await after(hours=1)
    assert len(sms.sent) == 2
    assert (await line.timeline(event_id, owner)).state == "exhausted"


async def test_a_report_tells_that_a_send_in_doubt_had_left(
    line: Any,
    owner: Person,
    sms: Any,
    after: After,
    database: Database,
    keyring: Keyring,
    clock: ManualClock,
) -> None:
    sms.outcomes = [SendInDoubt("no answer")]
    event_id = await line.paid(owner.id)
    await after(seconds=30)
    clock.advance(timedelta(seconds=5))
    await tell(database, reports(keyring, "never-seen-id"), clock.now())
    await after(seconds=115)
    found = await line.timeline(event_id, owner)
    assert (found.state, found.reached_how) == ("reached", "sms")
    assert len(sms.sent) == 1


async def test_a_provider_that_failed_but_sent_is_found_out_by_the_report(
    line: Any,
    owner: Person,
    sms: Any,
    after: After,
    database: Database,
    keyring: Keyring,
    clock: ManualClock,
) -> None:
    sms.outcomes = [Retry(60, "answered 503")]
    await line.paid(owner.id)
    await after(seconds=30)
    clock.advance(timedelta(seconds=5))
    await tell(database, reports(keyring, "never-seen-id"), clock.now())
    await after(seconds=55)
    assert len(sms.sent) == 1
    assert await states(database) == ["delivered"]


async def test_two_workers_never_send_one_try_twice(
    line: Any, register: Any, sms: Any, parts: Deliver, clock: ManualClock, database: Database
) -> None:
    people = [await register(f"+2547000000{n:02}") for n in range(10, 30)]
    for _ in range(3):
        await line.paid(*[person.id for person in people])
    clock.advance(timedelta(seconds=30))
    await asyncio.gather(*[deliver_due(parts, limit=7) for _ in range(12)])
    while await deliver_due(parts):
        pass
    sent = [(notice.event_id, notice.person_id) for notice in sms.sent]
    assert len(sent) == len(set(sent)) == 60
    assert await states(database) == ["sent"] * 60


async def test_a_channel_switched_off_is_not_used(
    line: Any, owner: Person, sms: Any, after: After, database: Database, clock: ManualClock
) -> None:
    async def work(tx: Connection) -> None:
        await switch_channel(tx, owner.id, "sms", False, clock.now())

    await database.transaction(work)
    event_id = await line.paid(owner.id)
    await after(seconds=30)
    assert sms.sent == []
    assert (await line.timeline(event_id, owner)).state == "exhausted"
    await line.say(urgent(), owner.id)
    await after(seconds=30)
    assert len(sms.sent) == 1


async def test_promotions_wait_for_the_morning_where_the_person_lives(
    line: Any, owner: Person, sms: Any, after: After, clock: ManualClock
) -> None:
    class Offer(Planned, frozen=True, kw_only=True):
        kind: ClassVar[str] = "payment.failed"
        reach: ClassVar[Reach | None] = Reach(urgency="promotional", order=("sms",))

    clock.advance(timedelta(hours=10))  # 22:00 in Nairobi
    event_id = await line.say(Offer(amount=Money(100, "KES")), owner.id)
    await after(minutes=1)
    assert sms.sent == []
    assert words(await line.timeline(event_id, owner)) == ["scheduled", "waiting"]
    await after(hours=10)
    assert len(sms.sent) == 1


async def test_after_an_outage_sms_leave_at_the_pace_of_the_cap(
    line: Any, register: Any, sms: Any, parts: Deliver, clock: ManualClock, after: After
) -> None:
    slow = msgspec.structs.replace(parts, sms_per_minute=5)
    people = [await register(f"+2547000000{n:02}") for n in range(10, 22)]
    abroad = await register("+2348030000001", country="NG", language="en")
    await line.paid(*[person.id for person in people], abroad.id)
    clock.advance(timedelta(hours=1))

    async def drain() -> None:
        while await deliver_due(slow):
            pass

    await drain()
    assert len(sms.sent) == 6  # five in Kenya, one in Nigeria
    clock.advance(timedelta(seconds=61))
    await drain()
    assert len(sms.sent) == 11
    clock.advance(timedelta(seconds=61))
    await drain()
    assert len(sms.sent) == 13


async def test_an_erased_person_is_not_written_to(
    line: Any, owner: Person, sms: Any, after: After, database: Database, clock: ManualClock
) -> None:
    from hub.identity import erase_person

    event_id = await line.paid(owner.id)

    async def work(tx: Connection) -> None:
        await erase_person(tx, clock, owner.id, actor="system")

    await database.transaction(work)
    await after(seconds=30)
    assert sms.sent == []
    assert (await line.timeline(event_id, owner)).state == "exhausted"


async def test_a_message_comes_by_sms_with_its_text(
    line: Any,
    register: Any,
    owner: Person,
    sms: Any,
    push: Any,
    after: After,
    database: Database,
    keyring: Keyring,
    clock: ManualClock,
) -> None:
    ada = await register("+2348030000001", display_name="Ada", country="NG", language="en")

    async def work(tx: Connection) -> None:
        talk = await start_conversation(
            tx, keyring, clock, members=[ada.id, owner.id], subject="Your shop"
        )
        await send_message(
            tx,
            keyring,
            clock,
            conversation_id=talk.id,
            sender_id=ada.id,
            text="How is {business} going?",
            via="app",
        )

    await database.transaction(work)
    await line.number()
    push.devices[owner.id] = ["token"]
    await after(seconds=30)
    assert (push.sent[0].title, push.sent[0].text) == ("Ada", "Una ujumbe mpya.")
    await after(seconds=30)
    assert sms.sent[0].text == "Ada: How is {business} going?\nJibu SMS hii kumjibu."
    assert sms.sent[0].verbatim
