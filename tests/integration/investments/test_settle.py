"""The end of an offering: released or refunded, to the last minor unit, once."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from hub.ids import OfferingId, new_id
from hub.investments import (
    Offering,
    OfferingNotFound,
    fail_expired,
    investments_of,
    release_funded,
    settle_offerings,
)
from hub.ledger import AccountRef

if TYPE_CHECKING:
    from conftest import Town


def wallet_of(person_id: object) -> AccountRef:
    return AccountRef(f"person:{person_id}", "wallet", "KES")


def business_wallet(offering: Offering) -> AccountRef:
    return AccountRef(f"business:{offering.business_id}", "wallet", "KES")


def escrow(offering: Offering) -> AccountRef:
    return AccountRef(f"offering:{offering.id}", "escrow", "KES")


async def test_reaching_the_target_releases_escrow_to_the_business_at_once(town: "Town") -> None:
    ada, ben = await town.person("Ada", 80_000), await town.person("Ben", 80_000)
    owner = await town.person("Otieno")
    offering = await town.offering(owner, target=100_001, maximum=200_000)
    await town.invest(ada, offering, 33_333)
    await town.invest(ben, offering, 66_670)
    assert await town.has(escrow(offering)) == 0
    assert await town.has(business_wallet(offering)) == 100_003
    after = await town.look(offering)
    assert (after.state, after.raised.amount, after.investors) == ("funded", 100_003, 2)
    (funded,) = await town.events("offering.funded")
    assert funded["raised"] == {"amount": 100_003, "currency": "KES"}
    assert await town.recipients("offering.funded") == {ada.id, ben.id, owner.id}
    (released,) = await town.events("escrow.released")
    assert released["wallet_balance"] == {"amount": 100_003, "currency": "KES"}
    assert await town.recipients("escrow.released") == {owner.id}
    refused = await town.invest(ada, offering, 1_000)
    assert refused.status == 422


async def test_releasing_twice_pays_once(town: "Town") -> None:
    ada = await town.person("Ada", 100_000)
    offering = await town.offering(await town.person("Otieno"))
    await town.invest(ada, offering, 100_000)
    done = await asyncio.gather(
        *(release_funded(town.database, town.clock, offering.id) for _ in range(5))
    )
    assert not any(done)  # the investment itself did it
    assert await town.has(business_wallet(offering)) == 100_000


async def test_below_the_target_nothing_is_released(town: "Town") -> None:
    ada = await town.person("Ada", 100_000)
    offering = await town.offering(await town.person("Otieno"))
    await town.invest(ada, offering, 99_999)
    assert not await release_funded(town.database, town.clock, offering.id)
    assert not await fail_expired(town.database, town.clock, offering.id)
    settled = await settle_offerings(town.database, town.clock)
    assert (settled.funded, settled.failed) == ([], [])
    assert await town.has(escrow(offering)) == 99_999


async def test_what_a_crash_left_at_its_target_is_released_by_the_next_run(town: "Town") -> None:
    ada = await town.person("Ada", 200_000)
    offering = await town.offering(await town.person("Otieno"), target=100_000, maximum=150_000)
    await town.invest(ada, offering, 90_000)
    async with town.database.connection() as connection:  # as if the target had been lower
        await connection.execute("UPDATE offerings SET target = 80000 WHERE id = $1", offering.id)
    settled = await settle_offerings(town.database, town.clock)
    assert settled.funded == [offering.id]
    assert await town.has(business_wallet(offering)) == 90_000


async def test_an_offering_that_misses_its_target_gives_everything_back(town: "Town") -> None:
    crowd = await town.people(250, funds=1_000)
    owner = await town.person("Otieno")
    offering = await town.offering(owner, target=1_000_000)
    await asyncio.gather(*(town.invest(person, offering, 333) for person in crowd))
    await asyncio.gather(*(town.invest(person, offering, 101) for person in crowd[:50]))
    assert await town.has(escrow(offering)) == 250 * 333 + 50 * 101
    town.clock.advance(timedelta(days=31))
    settled = await settle_offerings(town.database, town.clock)
    assert (settled.funded, settled.failed) == ([], [offering.id])
    assert await town.has(escrow(offering)) == 0
    assert {await town.has(wallet_of(person.id)) for person in crowd} == {1_000}
    after = await town.look(offering)
    assert (after.state, after.raised.amount) == ("failed", 250 * 333 + 50 * 101)
    refunds = await town.events("investment.refunded")
    assert len(refunds) == 300
    assert max(refund["wallet_balance"]["amount"] for refund in refunds) == 1_000
    assert len(await town.events("offering.failed")) == 1
    again = await settle_offerings(town.database, town.clock)
    assert (again.funded, again.failed) == ([], [])
    async with town.database.connection() as connection:
        mine = await investments_of(connection, crowd[0].id)
    assert {investment.state for investment in mine} == {"refunded"}


async def test_refunds_asked_for_at_once_pay_once(town: "Town") -> None:
    crowd = await town.people(30, funds=1_000)
    offering = await town.offering(await town.person("Otieno"), target=1_000_000)
    await asyncio.gather(*(town.invest(person, offering, 900) for person in crowd))
    town.clock.advance(timedelta(days=31))
    await asyncio.gather(*(fail_expired(town.database, town.clock, offering.id) for _ in range(4)))
    assert {await town.has(wallet_of(person.id)) for person in crowd} == {1_000}


async def test_investing_while_the_offering_is_released_loses_nothing(town: "Town") -> None:
    """Whoever is in is paid out to the business; whoever is late keeps their money."""
    crowd = await town.people(200, funds=1_000)
    offering = await town.offering(await town.person("Otieno"), target=50_000, maximum=10_000_000)
    answers = await asyncio.gather(*(town.invest(person, offering, 1_000) for person in crowd))
    taken = sum(answer.status == 201 for answer in answers)
    await settle_offerings(town.database, town.clock)
    assert taken >= 50
    assert await town.has(escrow(offering)) == 0
    assert await town.has(business_wallet(offering)) == taken * 1_000
    left = sum([await town.has(wallet_of(person.id)) for person in crowd])
    assert left == (200 - taken) * 1_000


async def test_an_offering_that_does_not_exist_is_said_so(town: "Town") -> None:
    nowhere = OfferingId(new_id(town.clock.now()))
    for settle in (release_funded, fail_expired):
        with pytest.raises(OfferingNotFound):
            await settle(town.database, town.clock, nowhere)


async def test_a_refund_gives_back_what_the_investment_took_from_the_limits(town: "Town") -> None:
    ada = await town.person("Ada", 50_000)
    offering = await town.offering(await town.person("Otieno"), target=1_000_000)
    await town.invest(ada, offering, 20_000)

    async def counters() -> dict[str, int]:
        async with town.database.connection() as connection:
            rows = await connection.fetch("SELECT key, used FROM guard_counters")
        return {row["key"].split(":")[0]: row["used"] for row in rows}

    taken = await counters()
    assert taken["investor_daily"] == 20_000
    town.clock.advance(timedelta(days=31))
    await settle_offerings(town.database, town.clock)
    assert await counters() == dict.fromkeys(taken, 0) | {"offering": 20_000}
