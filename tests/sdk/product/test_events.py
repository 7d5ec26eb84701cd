"""The product's own events, from the outbox to an SDK, and its word back to the escalation."""

from typing import Any

import pytest

from hub.clock import SystemClock
from hub.identity import Person
from hub.ids import OfferingId, PaymentId, new_id
from hub.investments.events import EscrowReleased
from hub.money import Money
from hub.payments.events import PaymentSettled
from hub.redis_client import RedisClient
from tests.sdk.client import Refused
from tests.sdk.gateway import Road

CLOCK = SystemClock()


def settled(minor_units: int) -> PaymentSettled:
    amount = Money(minor_units, "KES")
    payment = PaymentId(new_id(CLOCK.now()))
    return PaymentSettled(
        payment_id=payment, amount=amount, gateway="paystack", wallet_balance=amount
    )


def released() -> EscrowReleased:
    return EscrowReleased(
        offering_id=OfferingId(new_id(CLOCK.now())),
        offering_title="Cold store",
        business_name="Otieno Fresh",
        amount=Money(100, "KES"),
        wallet_balance=Money(100, "KES"),
    )


async def test_an_event_reaches_its_person_and_the_pong_ends_its_escalation(
    open_theirs: Any, person: Person, tell: Any, reached: Any
) -> None:
    client, own = await open_theirs(), f"personal:#{person.id}"
    assert (await client.until("subscribed", own))["recoverable"]
    await tell(settled(250_000))
    got = (await client.until("publication", own))["data"]
    assert got["event"] == "payment.settled"
    assert got["amount"] == {"amount": 250_000, "currency": "KES"}
    await reached("payment.settled", "reached")


async def test_a_critical_event_waits_until_it_was_seen(
    open_theirs: Any, person: Person, tell: Any, reached: Any
) -> None:
    client, own = await open_theirs(), f"personal:#{person.id}"
    await client.until("subscribed", own)
    await tell(released())
    offset = (await client.until("publication", own))["offset"]
    assert await client.rpc("ack", {"offset": offset}) is None
    await reached("escrow.released", "pending")
    assert await client.rpc("seen", {"offset": offset}) is None
    await reached("escrow.released", "reached")


async def test_sync_brings_what_recovery_cannot(
    open_theirs: Any, person: Person, redis: RedisClient, tell: Any
) -> None:
    client, own = await open_theirs(), f"personal:#{person.id}"
    await tell(*(settled(n) for n in range(1, 6)))
    await client.until("publication", own, count=5)
    await redis.flushall()
    page = await client.rpc("sync", {"after": 1, "limit": 3})
    found = [each["data"]["amount"]["amount"] for each in page["publications"]]
    assert (found, page["offset"]) == ([2, 3, 4], 5)
    with pytest.raises(Refused) as refused:
        await client.rpc("nothing", {})
    assert refused.value.code == 104


async def test_sync_brings_all_channels_of_a_person_in_one_answer(
    open_theirs: Any, person: Person, tell: Any
) -> None:
    client, own = await open_theirs(), f"personal:#{person.id}"
    offering = f"offering:{new_id(CLOCK.now())}"
    await client.subscribed(offering)
    await tell(settled(1), settled(2), topics=[offering])
    await tell(settled(3))
    await client.until("publication", own, count=3)
    pages = (await client.rpc("sync", {"since": {own: 1, offering: 0}, "limit": 3}))["channels"]
    offsets = {
        name: [each["offset"] for each in page["publications"]] for name, page in pages.items()
    }
    assert offsets == {own: [2, 3], offering: [1]}  # the limit is for all of them together
    assert pages[offering]["offset"] == 2
    with pytest.raises(Refused) as refused:
        await client.rpc("sync", {"since": {f"offering:{new_id(CLOCK.now())}": 0}})
    assert refused.value.code == 103


async def test_who_watches_an_offering_may_ask_for_patches_and_misses_nothing(
    open_theirs: Any, redis: RedisClient, road: Road, tell: Any
) -> None:
    """Also when what was missed comes from PostgreSQL."""
    client, offering = await open_theirs(), f"offering:{new_id(CLOCK.now())}"
    await client.subscribed(offering, delta="fossil")
    await tell(settled(1), settled(2), topics=[offering])
    await client.until("publication", offering, count=2)
    road.open = False
    road.drop()
    await client.until("connecting", count=2)
    await tell(settled(3), settled(4), topics=[offering])
    await redis.flushall()
    road.open = True
    assert (await client.until("subscribed", offering, count=2))["recovered"]
    await tell(settled(5), topics=[offering])
    await client.until("publication", offering, count=5)
    assert [each["amount"]["amount"] for each in client.data(offering)] == [1, 2, 3, 4, 5]
