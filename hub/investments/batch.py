"""A batch of investments as the arguments of ``invest_batch``, and its answers.

Everything that needs no lock is made here before the locks are taken: ids, digests, the JSON of
answers, refusals and events (``texts``). What one item costs here, hundreds wait for: ids are made
by the batch, and as text, which is how they are written everywhere.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeAlias

import asyncpg
import msgspec

from hub.clock import milliseconds
from hub.errors import HubError, Refused
from hub.events import Event, offering_stream, outbox_rows
from hub.idempotency import Answer, KeyInFlight, KeyReused, Scope
from hub.identity import Person
from hub.ids import AccountId, PersonId, new_id_texts
from hub.investments.events import InvestmentConfirmed, InvestmentMade
from hub.investments.model import Terms
from hub.investments.texts import Texts, closed_body, funds_tail, limit_tail
from hub.ledger import Guard, Guards, posting_digest
from hub.money import Money
from hub.problems import problem

__all__ = ["Done", "Order", "arguments", "outcomes"]

_EPOCH = datetime.fromtimestamp(0, UTC)
_KINDS = [InvestmentMade.kind, InvestmentConfirmed.kind]
_encode = msgspec.json.Encoder().encode

Rows: TypeAlias = tuple[tuple[int, bool, str, str], ...]
"""Where an event goes: shard, whether that row leads, streams and people, both space-separated."""


class Order(msgspec.Struct, frozen=True):
    """One investment on its way into a batch; ``refusal`` if a rule has said no already."""

    investor: Person
    terms: Terms
    texts: Texts
    amount: Money
    scope: Scope
    hashed: bytes
    guards: Sequence[Guard]
    refusal: Refused | None


class Done(msgspec.Struct, frozen=True):
    """The answer, and what was in escrow after a new investment (0 for any other answer)."""

    answer: Answer
    raised: int


def arguments(
    now: datetime, orders: Sequence[Order], wallet_of: Callable[[Order], AccountId]
) -> list[object]:
    """The arguments of ``invest_batch``, in order, for ``orders`` at the moment ``now``."""
    ids = new_id_texts(now, 3 * len(orders))
    at, made_at = milliseconds(now), _encode(now).decode()
    wallets = [wallet_of(order) for order in orders]
    offerings = list({order.terms.id: order.terms for order in orders}.values())
    offer_numbers = {terms.id: n for n, terms in enumerate(offerings, 1)}
    currencies = dict(zip(wallets, (order.terms.currency for order in orders), strict=True))
    currencies.update((terms.escrow_id, terms.currency) for terms in offerings)
    accounts = sorted(currencies, key=_as_bytes)
    account_numbers = {account: n for n, account in enumerate(accounts, 1)}

    digests: list[bytes] = []
    leg_accounts: list[int] = []
    leg_amounts: list[int] = []
    guards = Guards()
    items: list[tuple[object, ...]] = []
    data: list[str] = []
    for n, order in enumerate(orders):
        terms, scope, amount = order.terms, order.scope, order.amount.amount
        investment_id, wallet, investor = ids[n], wallets[n], order.investor
        digests.append(
            posting_digest(  # the posting is the investment, so they have one id
                investment_id,
                f"investment:{investment_id}",
                now,
                now,
                {},
                [(wallet, -amount, terms.currency), (terms.escrow_id, amount, terms.currency)],
            )
        )
        leg_accounts += (account_numbers[wallet], account_numbers[terms.escrow_id])
        leg_amounts += (-amount, amount)
        refused = None
        if order.refusal is None:
            guards.add(order.guards)
        else:
            guards.add(())
            refused = problem(order.refusal).decode()
        shard, person, stream = _told(investor.id)
        items.append(
            (
                scope.principal, scope.route, scope.key, scope.lock_key(), order.hashed,
                investor.id, shard, stream, offer_numbers[terms.id],
                order.texts.answer % (investment_id, amount, made_at), refused,
            )
        )  # fmt: skip
        name, first = _encode(investor.display_name).decode(), len(orders) + 2 * n
        data += (
            order.texts.made % (ids[first], at, investment_id, person, name, amount),
            order.texts.confirmed % (ids[first + 1], at, investment_id, amount),
        )
    rows = [
        (n, *row)
        for n, terms in enumerate(offerings, 1)
        for row in _rows(terms.owner_id, (offering_stream(terms.id),))
    ]
    return [
        now,
        ids[: len(orders)],
        digests,
        accounts,
        [currencies[account] for account in accounts],
        leg_accounts,
        leg_amounts,
        *guards.arguments(),
        *map(list, zip(*items, strict=True)),
        ids[len(orders) :],
        data,
        [terms.id for terms in offerings],
        *map(list, zip(*rows, strict=True)),
        _KINDS,
        closed_body(),
        funds_tail("XXX"),
        [limit_tail(rule, ceiling) for rule, ceiling in guards.limits],
    ]


def _as_bytes(account: AccountId) -> bytes:
    return account.bytes


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
def _told(person: PersonId) -> tuple[int, str, str]:
    """The shard of a person's stream, the person's id as text, and the stream."""
    ((shard, _, stream, text),) = _rows(person, ())
    return shard, text, stream


@lru_cache(10_000)
def _rows(to: PersonId, topics: tuple[str, ...]) -> Rows:
    """The rows that ``outbox_rows`` makes of any event to this person and these topics."""
    return tuple(
        (row.shard, row.lead, " ".join(row.streams), " ".join(map(str, row.recipients)))
        for row in outbox_rows(Event(), at=_EPOCH, actor="", to=(to,), topics=topics)
    )
