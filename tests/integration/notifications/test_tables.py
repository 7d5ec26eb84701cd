"""What the tables keep, whoever writes to them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from channels.base import Cost, Sent
from hub.clock import ManualClock
from hub.database import Connection, Database
from hub.events import personal_stream
from hub.events.numbering import NumberedRecipient
from hub.identity import Person
from hub.ids import EventId, new_id
from hub.notifications import Acks, schedule

After = Callable[..., Awaitable[int]]


async def test_costs_are_kept_with_the_attempt(
    line: Any, owner: Person, sms: Any, after: After
) -> None:
    cost = Cost(Decimal("0.8000"), "KES")
    sms.outcomes = [Sent(provider_id="x", reports=True, parts=1, cost=cost)]
    event_id = await line.paid(owner.id)
    await after(seconds=30)
    sent = (await line.timeline(event_id, owner)).steps[-1]
    assert (sent.step, sent.number, sent.parts, sent.cost) == ("sent", 1, 1, cost)


async def test_an_escalation_ends_once(
    line: Any, owner: Person, database: Database, clock: ManualClock
) -> None:
    await line.paid(owner.id)
    await Acks(database, clock).delivered(str(owner.id), None, personal_stream(owner.id), 1)
    async with database.connection() as c:
        with pytest.raises(Exception, match="ends once"):
            await c.execute(
                "UPDATE escalations SET state = 'expired', reached_how = NULL, ended_at = now()"
            )


async def test_numbering_the_same_event_again_opens_nothing_new(
    line: Any, owner: Person, database: Database, clock: ManualClock
) -> None:
    recipient = NumberedRecipient(
        event_id=EventId(new_id(clock.now())),
        kind="payment.settled",
        person_id=owner.id,
        stream=personal_stream(owner.id),
        offset=1,
        recorded_at=clock.now() - timedelta(hours=1),
    )

    async def work(tx: Connection) -> None:
        await schedule(tx, [recipient], at=clock.now(), wait_percent=10)
        await schedule(tx, [recipient], at=clock.now(), wait_percent=10)

    await database.transaction(work)
    async with database.connection() as c:
        rows = await c.fetch("SELECT due_at, expires_at FROM escalations")
    # Waits count from the publication, even an hour late, and are scaled; expiry is not.
    assert [row["due_at"] for row in rows] == [clock.now() + timedelta(seconds=3)]
    assert rows[0]["expires_at"] == clock.now() + timedelta(hours=23)
