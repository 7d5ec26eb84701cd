"""A batch of investments as the arguments of ``invest_batch``, and its answers.

Everything that needs no lock is made here before the locks are taken: ids, digests, the JSON of
answers, refusals and events. Where a text holds a figure that only the locks reveal, the figure is
its last field (or a refusal's first), so that the database can put it in.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeAlias

import asyncpg
import msgspec

from hub.errors import HubError, Refused
from hub.events import Event, encode_event, offering_stream, outbox_rows
from hub.idempotency import Answer, KeyInFlight, KeyReused, Scope
from hub.identity import Person
from hub.ids import AccountId, EventId, InvestmentId, OfferingId, PersonId, PostingId, new_id
from hub.investments.errors import OfferingClosed
from hub.investments.events import InvestmentConfirmed, InvestmentMade
from hub.investments.model import Terms
from hub.ledger import Columns, Guard, GuardRefused, InsufficientFunds, Leg, Posting
from hub.money import Money
from hub.problems import problem

__all__ = ["Batch", "Done", "Made", "Order", "outcomes"]

_EPOCH = datetime.fromtimestamp(0, UTC)
_encode = msgspec.json.Encoder().encode


Rows: TypeAlias = tuple[tuple[int, bool, str, str], ...]
"""Where an event goes: shard, whether that row leads, streams and people, both space-separated."""


class Order(msgspec.Struct, frozen=True):
    """One investment on its way into a batch; ``refusal`` if a rule has said no already."""

    investor: Person
    terms: Terms
    amount: Money
    scope: Scope
    hashed: bytes
    guards: tuple[Guard, ...]
    refusal: Refused | None


class Done(msgspec.Struct, frozen=True):
    """The answer, and what was in escrow after a new investment (0 for any other answer)."""

    answer: Answer
    raised: int


class Made(msgspec.Struct, frozen=True):
    """The body of a 201. ``wallet_balance`` must stay the last field."""

    id: InvestmentId
    offering_id: OfferingId
    offering_title: str
    business_name: str
    amount: Money
    state: str
    made_at: datetime
    wallet_balance: Money


class Batch:
    """Collects orders at the moment ``now``; then ``arguments`` and ``outcomes``."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._columns = Columns(now)
        self._items: list[tuple[object, ...]] = []
        self._events: list[tuple[EventId, str, int]] = []
        self._places: dict[str, int] = {}
        self._place_rows = [1]
        self._rows: list[tuple[int, bool, str, str]] = []
        self._tails: dict[str, int] = {}
        self._guard_tails: list[int] = []

    def add(self, order: Order, wallet: AccountId) -> None:
        """``wallet`` is the investor's, in the order's currency."""
        now, terms, amount = self._now, order.terms, order.amount
        investment_id = InvestmentId(new_id(now))
        actor = f"person:{order.investor.id}"
        guards = () if order.refusal is not None else order.guards
        self._columns.add(
            Posting(
                id=PostingId(investment_id),  # they are one and the same event
                reference=f"investment:{investment_id}",
                legs=(
                    Leg(wallet, -amount.amount, amount.currency),
                    Leg(terms.escrow_id, amount.amount, amount.currency),
                ),
                guards=guards,
                effective_at=now,
            )
        )
        for guard in guards:
            self._guard_tails.append(self._tail(_guard_tail(guard.rule, guard.ceiling)))
        self._items.append(
            (
                order.scope.principal,
                order.scope.route,
                order.scope.key,
                order.scope.lock_key(),
                order.hashed,
                investment_id,
                order.investor.id,
                terms.id,
                amount.amount,
                amount.currency,
                self._answer(order, investment_id),
                problem(order.refusal).decode() if order.refusal is not None else None,
                actor,
                self._tail(_funds_tail(amount.currency)),
            )
        )
        self._tell(order, investment_id, actor)

    def _answer(self, order: Order, investment_id: InvestmentId) -> str:
        made = Made(
            investment_id,
            order.terms.id,
            order.terms.title,
            order.terms.business_name,
            order.amount,
            "confirmed",
            self._now,
            Money(0, order.amount.currency),
        )
        return _head(_encode(made), order.amount.currency)

    def _tell(self, order: Order, investment_id: InvestmentId, actor: str) -> None:
        terms, amount, zero = order.terms, order.amount, Money(0, order.amount.currency)
        made = InvestmentMade(
            investment_id=investment_id,
            offering_id=terms.id,
            offering_title=terms.title,
            business_name=terms.business_name,
            investor_id=order.investor.id,
            investor_name=order.investor.display_name,
            amount=amount,
            target=Money(terms.target, amount.currency),
            raised=zero,
        )
        confirmed = InvestmentConfirmed(
            investment_id=investment_id,
            offering_id=terms.id,
            offering_title=terms.title,
            amount=amount,
            wallet_balance=zero,
        )
        if terms.counter not in self._places:
            watchers = _rows(terms.owner_id, (offering_stream(terms.id),))
            self._add_place(terms.counter, watchers)
        if actor not in self._places:
            self._add_place(actor, _rows(order.investor.id, ()))
        self._event(made, terms.counter, amount.currency)
        self._event(confirmed, actor, amount.currency)

    def _event(self, event: Event, place: str, currency: str) -> None:
        event_id = EventId(new_id(self._now))
        data = _head(encode_event(event, event_id, self._now), currency)
        self._events.append((event_id, data, self._places[place]))

    def _add_place(self, name: str, rows: Rows) -> None:
        self._places[name] = len(self._places) + 1
        self._rows.extend(rows)
        self._place_rows.append(len(self._rows) + 1)

    def _tail(self, text: str) -> int:
        return self._tails.setdefault(text, len(self._tails) + 1)

    def arguments(self) -> list[object]:
        """The arguments of ``invest_batch``, in order."""
        *items, funds_tails = _columns(self._items)
        return [
            *self._columns.arguments(),
            *items,
            _closed_body(),
            list(self._tails),
            funds_tails,
            self._guard_tails,
            [InvestmentMade.kind, InvestmentConfirmed.kind],
            *_columns(self._events),
            self._place_rows,
            *_columns(self._rows),
        ]


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def outcomes(row: asyncpg.Record) -> list[Done | HubError]:
    """What ``invest_batch`` returned, as each caller's outcome."""
    found: list[Done | HubError] = []
    for status, body, raised in zip(row["o_status"], row["o_body"], row["o_raised"], strict=True):
        if status == 1:
            found.append(
                KeyInFlight("The first request with this Idempotency-Key is still running.")
            )
        elif status == 2:
            found.append(KeyReused("This Idempotency-Key was used before with another body."))
        else:
            found.append(Done(Answer(status, body.encode()), raised))
    return found


@lru_cache(50_000)
def _rows(to: PersonId, topics: tuple[str, ...]) -> Rows:
    """The rows that ``outbox_rows`` makes of any event to this person and these topics."""
    return tuple(
        (row.shard, row.lead, " ".join(row.streams), " ".join(map(str, row.recipients)))
        for row in outbox_rows(Event(), at=_EPOCH, actor="", to=(to,), topics=topics)
    )


def _head(data: bytes, currency: str) -> str:
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
def _guard_tail(rule: str, ceiling: int) -> str:
    return _after_figure(GuardRefused(rule=rule, ceiling=ceiling, used=0), "used")


@lru_cache(256)
def _funds_tail(currency: str) -> str:
    return _after_figure(InsufficientFunds(available=0, currency=currency), "available")


@lru_cache(1)
def _closed_body() -> str:
    return problem(OfferingClosed("This offering takes no more money.")).decode()
