"""The JSON of answers and events, prepared once per offering.

A hot offering is asked for thousands of times a second, and its answers and events differ in a few
fields only. They are encoded once with stand-ins, by the same encoder as everywhere, and cut there;
an investment then fills the gaps. Each text stops before the amount of its last field, which only
the locks reveal.
"""

from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from hub.errors import Refused
from hub.events import Event, encode_event
from hub.ids import EventId, InvestmentId, PersonId, parse_id
from hub.investments.errors import OfferingClosed
from hub.investments.events import InvestmentConfirmed, InvestmentMade
from hub.investments.model import Terms
from hub.ledger import GuardRefused, InsufficientFunds
from hub.money import Money
from hub.problems import problem

__all__ = ["Made", "Texts", "closed_body", "funds_tail", "head", "limit_tail", "texts"]

_ID = "00000000-0000-7000-8000-000000000000"
_AT = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.json.Encoder().encode


class Made(msgspec.Struct, frozen=True):
    """The body of a 201. ``wallet_balance`` must stay the last field."""

    id: InvestmentId
    offering_id: str
    offering_title: str
    business_name: str
    amount: Money
    state: str
    made_at: datetime
    wallet_balance: Money


class Texts(msgspec.Struct, frozen=True):
    """Texts of one offering with gaps for ``%``: ``answer`` (the investment's id, amount, time as
    JSON), ``made`` (event id, Unix ms, investment id, investor's id, name as JSON, amount) and
    ``confirmed`` (event id, Unix ms, investment id, amount)."""

    answer: str
    made: str
    confirmed: str


def texts(terms: Terms) -> Texts:
    """The texts of investments in an offering."""
    zero = Money(0, terms.currency)
    investment_id, event_id = InvestmentId(parse_id(_ID)), EventId(parse_id(_ID))
    answer = Made(
        id=investment_id,
        offering_id=str(terms.id),
        offering_title=terms.title,
        business_name=terms.business_name,
        amount=zero,
        state="confirmed",
        made_at=_AT,
        wallet_balance=zero,
    )
    made = InvestmentMade(
        investment_id=investment_id,
        offering_id=terms.id,
        offering_title=terms.title,
        business_name=terms.business_name,
        investor_id=PersonId(parse_id(_ID)),
        investor_name="",
        amount=zero,
        target=Money(terms.target, terms.currency),
        raised=zero,
    )
    confirmed = InvestmentConfirmed(
        investment_id=investment_id,
        offering_id=terms.id,
        offering_title=terms.title,
        amount=zero,
        wallet_balance=zero,
    )
    amount, one = ('"amount":{"amount":', "0", "%d"), f'"{_ID}"'
    when = ('"made_at":', _encode(_AT).decode(), "%s")
    return Texts(
        _gaps(_encode(answer), terms.currency, ('"id":', one, '"%s"'), amount, when),
        _event(
            made, event_id, terms.currency,
            ('"investment_id":', one, '"%s"'), ('"investor_id":', one, '"%s"'),
            ('"investor_name":', '""', "%s"), amount,
        ),
        _event(confirmed, event_id, terms.currency, ('"investment_id":', one, '"%s"'), amount),
    )  # fmt: skip


def _event(event: Event, event_id: EventId, currency: str, *gaps: tuple[str, str, str]) -> str:
    own = (('"id":', f'"{_ID}"', '"%s"'), ('"at":', "0", "%d"))
    return _gaps(encode_event(event, event_id, _AT), currency, *own, *gaps)


def _gaps(data: bytes, currency: str, *gaps: tuple[str, str, str]) -> str:
    """The head of ``data`` with a gap for each field given as (name, stand-in, gap), in the order
    of the fields. No title can be taken for a field: within a string a quote is escaped."""
    text, end = head(data, currency).replace("%", "%%"), 0
    for name, stand_in, gap in gaps:
        start = text.index(name + stand_in, end) + len(name)
        text, end = text[:start] + gap + text[start + len(stand_in) :], start
    return text


def head(data: bytes, currency: str) -> str:
    """JSON text up to the amount of its last field, which must be zero ``currency``."""
    tail = f'0,"currency":"{currency}"}}}}'
    text = data.decode()
    assert text.endswith(tail)
    return text[: -len(tail)]


def _after_figure(refusal: Refused, fact: str) -> str:
    """The text behind the figure that a refusal begins with."""
    text = problem(refusal).decode()
    start = f'{{"{fact}":0'
    assert text.startswith(start)
    return text[len(start) :]


@lru_cache(4096)
def limit_tail(rule: str, ceiling: int) -> str:
    """A limit's refusal behind what is used."""
    return _after_figure(GuardRefused(rule=rule, ceiling=ceiling, used=0), "used")


@lru_cache(256)
def funds_tail(currency: str) -> str:
    """The refusal for want of money behind what is available."""
    return _after_figure(InsufficientFunds(available=0, currency=currency), "available")


@lru_cache(1)
def closed_body() -> str:
    """The refusal of an offering that takes no more money."""
    return problem(OfferingClosed("This offering takes no more money.")).decode()
