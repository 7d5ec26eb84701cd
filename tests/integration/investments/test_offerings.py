"""Businesses and offerings are made on terms that fit together."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hub.database import Connection
from hub.errors import Invalid
from hub.ids import BusinessId, new_id
from hub.investments import (
    BusinessNotFound,
    Offering,
    OfferingInvalid,
    businesses_of,
    create_business,
    create_offering,
    list_open_offerings,
)
from hub.ledger import AccountRef
from hub.money import Money

if TYPE_CHECKING:
    from conftest import Town


async def create(town: "Town", business: BusinessId, **changed: Any) -> Offering:
    terms: dict[str, Any] = {
        "title": "A cold store",
        "summary": "Cold.",
        "target": Money(100, "KES"),
        "minimum": Money(10, "KES"),
        "maximum": Money(200, "KES"),
        "closes_at": town.clock.now() + timedelta(days=1),
        "rate_percent": 12,
        "term_months": 18,
    }

    async def make(tx: Connection) -> Offering:
        return await create_offering(tx, town.clock, business=business, **{**terms, **changed})

    return await town.database.transaction(make)


async def test_terms_that_do_not_fit_together_are_refused(town: "Town") -> None:
    business = (await town.offering(await town.person("Otieno"))).business_id
    for wrong in (
        {"minimum": Money(0, "KES")},
        {"minimum": Money(101, "KES")},
        {"maximum": Money(99, "KES")},
        {"maximum": Money(200, "NGN")},
        {"title": " "},
        {"title": "x" * 121},
        {"closes_at": town.clock.now()},
        {"term_months": 0},
    ):
        with pytest.raises(OfferingInvalid):
            await create(town, business, **wrong)
    with pytest.raises(Invalid):
        await create(town, business, target=Money(0, "KES"))
    with pytest.raises(BusinessNotFound):
        await create(town, BusinessId(new_id(town.clock.now())))


async def test_a_business_has_an_owner_a_wallet_and_a_country_we_work_in(town: "Town") -> None:
    owner = await town.person("Otieno")
    business = await town.database.transaction(
        lambda tx: create_business(
            tx, town.clock, owner=owner.id, name=" Ziwa ", sector="Food", country="KE"
        )
    )
    async with town.database.connection() as connection:
        assert await businesses_of(connection, owner.id) == [business]
        assert await connection.fetchval(
            "SELECT count(*) FROM accounts WHERE owner = $1", f"business:{business.id}"
        )
    assert business.name == "Ziwa"
    assert await town.has(AccountRef(f"business:{business.id}", "wallet", "KES")) == 0
    for wrong in ({"name": "", "country": "KE"}, {"name": "Ziwa", "country": "XX"}):
        with pytest.raises(Invalid):
            await town.database.transaction(
                lambda tx, wrong=wrong: create_business(
                    tx, town.clock, owner=owner.id, sector="Food", **wrong
                )
            )


async def test_open_offerings_come_in_pages(town: "Town") -> None:
    owner = await town.person("Otieno")
    made = [(await town.offering(owner)).id for _ in range(3)]
    async with town.database.connection() as connection:
        first = await list_open_offerings(connection, 2)
        rest = await list_open_offerings(connection, 2, first[-1].id)
    assert [offering.id for offering in (*first, *rest)] == made
