"""What docs/realtime.md shows a mobile team works against the product."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from hub.identity import Person
from hub.ids import OfferingId
from hub.investments.events import EscrowReleased, InvestmentRefunded
from hub.money import Money
from tests.sdk.document import examples, running
from tests.sdk.gateway import Gateway, Road

MONEY = Money(100, "KES")
PAST_RECOVERY = 2_001


def released() -> EscrowReleased:
    return EscrowReleased(
        offering_id=OfferingId(uuid4()),
        offering_title="Cold store",
        business_name="Otieno Fresh",
        amount=MONEY,
        wallet_balance=MONEY,
    )


def refunded() -> InvestmentRefunded:
    return InvestmentRefunded(
        investment_id=uuid4(),  # type: ignore[arg-type]
        offering_id=OfferingId(uuid4()),
        offering_title="Cold store",
        business_name="Otieno Fresh",
        amount=MONEY,
        wallet_balance=MONEY,
    )


@pytest.mark.parametrize("name", ["follow.mjs", "follow.py"])
async def test_an_example_follows_its_person_and_says_what_was_seen(
    name: str,
    hub: Gateway,
    road: Road,
    access: str,
    person: Person,
    tell: Any,
    reached: Any,
    tmp_path: Path,
) -> None:
    road.leads_to = hub.port
    environment = {"HUB_URL": road.url("", "http").rstrip("/"), "ACCESS_TOKEN": access}
    if name.endswith("mjs"):
        environment["OFFERING"] = str(uuid4())
    async with running(examples(tmp_path)[name], **environment) as example:
        await example.until(f"following personal:#{person.id}")
        if name.endswith("mjs"):
            await example.until("watching offering:")
        await tell(released())
        assert (await example.until("escrow.released")).endswith(" 1")
        await reached("escrow.released", "reached")
        road.open = False
        road.drop()
        await tell(*(refunded() for _ in range(PAST_RECOVERY)))
        road.open = True
        await example.until("investment.refunded", f" {PAST_RECOVERY + 1}")
