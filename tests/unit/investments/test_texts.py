"""A text prepared per offering and filled in is what encoding the whole thing would have given."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from hub.events import encode_event
from hub.ids import AccountId, BusinessId, EventId, InvestmentId, OfferingId, PersonId
from hub.investments.events import InvestmentConfirmed, InvestmentMade
from hub.investments.model import Terms
from hub.investments.texts import Made, texts
from hub.money import Money

NOW = datetime(2026, 11, 24, 9, 30, 1, 123456, tzinfo=UTC)
AT = 1795512601123
INVESTMENT = InvestmentId(UUID(int=7))
EVENT = EventId(UUID(int=8))
PERSON = PersonId(UUID(int=9))


@pytest.mark.parametrize(
    "title",
    [
        "A cold store",
        'It is 100 % "safe" \\ %s',
        "00000000-0000-7000-8000-000000000000",
        '"amount":{"amount":0,"investor_name":""',
        "Ujenzi wa ghala – Kisumu",
    ],
)
def test_filled_gaps_give_the_encoders_own_text(title: str) -> None:
    terms = Terms(
        OfferingId(UUID(int=1)), title, BusinessId(UUID(int=2)), f"{title} Ltd", "KE",
        PersonId(UUID(int=3)), "KES", 500, 1, 500, AccountId(UUID(int=4)), "offering:1",
    )  # fmt: skip
    prepared, end = texts(terms), '12,"currency":"KES"}}'
    twelve, amount, name = Money(12, "KES"), Money(250, "KES"), 'Wanjiku "W" 5 %'
    answer = Made(
        INVESTMENT, str(terms.id), title, terms.business_name, amount, "confirmed", NOW, twelve
    )
    stamp = msgspec.json.encode(NOW).decode()
    filled = prepared.answer % (str(INVESTMENT), 250, stamp) + end
    assert filled.encode() == msgspec.json.encode(answer)
    made = InvestmentMade(
        investment_id=INVESTMENT, offering_id=terms.id, offering_title=title,
        business_name=terms.business_name, investor_id=PERSON, investor_name=name, amount=amount,
        target=Money(500, "KES"), raised=twelve,
    )  # fmt: skip
    quoted = msgspec.json.encode(name).decode()
    filled = prepared.made % (EVENT, AT, INVESTMENT, PERSON, quoted, 250) + end
    assert filled.encode() == encode_event(made, EVENT, NOW)
    confirmed = InvestmentConfirmed(
        investment_id=INVESTMENT, offering_id=terms.id, offering_title=title, amount=amount,
        wallet_balance=twelve,
    )  # fmt: skip
    filled = prepared.confirmed % (EVENT, AT, INVESTMENT, 250) + end
    assert filled.encode() == encode_event(confirmed, EVENT, NOW)
