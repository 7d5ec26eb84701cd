"""Investing: wallet to escrow, with every rule, once per key.

``Investing`` gathers what is asked at the same moment; key, limits, posting, investment, answer and
events of one batch commit together by one statement. When an investment brings its offering to the
target, the offering is settled before the answer goes out; housekeeping settles what a crash left.
"""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from hub.clock import Clock
from hub.compliance import investment_guards, issuer_guards
from hub.countries import country
from hub.database import Connection, Database
from hub.errors import HubError, Refused
from hub.events import poke
from hub.idempotency import Answer, KeyInFlight, Scope
from hub.identity import Person
from hub.ids import AccountId, OfferingId, PersonId
from hub.investments import queries
from hub.investments.batch import Done, Order, arguments, outcomes
from hub.investments.errors import (
    BelowMinimum,
    OfferingNotFound,
    OwnBusinessInvestment,
    WrongCurrency,
)
from hub.investments.model import Terms, investor_wallet
from hub.investments.settle import release_funded
from hub.investments.texts import Texts, texts
from hub.ledger import Batcher, Guard, open_account
from hub.money import Money
from hub.redis_client import RedisClient
from hub.telemetry import logger

__all__ = ["InvestRequest", "Investing", "Rules", "rules"]

_KEPT = 100_000
_log = logger("investments")


class InvestRequest(msgspec.Struct, frozen=True):
    """``scope`` is the idempotency key's; ``hashed`` the hash of the request's body."""

    investor: Person
    offering_id: OfferingId
    amount: Money
    scope: Scope
    hashed: bytes


Rules = Callable[[Person, Terms, Money, Clock], list[Guard]]
"""The limits on one investment; may raise a ``Refused``."""


def rules(investor: Person, terms: Terms, amount: Money, clock: Clock) -> list[Guard]:
    """The investor's, the issuer's and the offering's own limits."""
    now = clock.now()
    return [
        *investment_guards(investor, amount, now),
        *issuer_guards(terms.business_id, country(terms.country), amount, now),
        Guard("offering_maximum", terms.counter, "life", amount.amount, terms.maximum),
    ]


class Investing:
    """The use case, with one batcher per process."""

    def __init__(
        self,
        database: Database,
        redis: RedisClient | None,
        clock: Clock,
        *,
        rules: Rules = rules,
    ) -> None:
        self._database = database
        self._redis = redis
        self._clock = clock
        self._rules = rules
        self.batcher: Batcher[Order, Done] = Batcher(database, self._run)
        self._terms: dict[OfferingId, tuple[Terms, Texts]] = {}  # they never change
        self._wallets: dict[tuple[PersonId, str], AccountId] = {}
        self._under_way: set[Scope] = set()
        self._poke_wanted = False
        self._poking: asyncio.Task[None] | None = None

    async def invest(self, request: InvestRequest) -> Answer:
        """201 with the investment, or 422 with the problem; the same for ever under its key.

        Raises ``OfferingNotFound``, ``WrongCurrency``, ``Invalid``, ``KeyInFlight`` and
        ``KeyReused``, which are not stored under the key.
        """
        scope, amount = request.scope.check(), request.amount.check_positive()
        known = self._terms.get(request.offering_id)
        terms, prepared = known or await self._learn(request.offering_id)
        if amount.currency != terms.currency:
            raise WrongCurrency("This offering takes another currency.", currency=terms.currency)
        if scope in self._under_way:
            raise KeyInFlight("The first request with this Idempotency-Key is still running.")
        self._under_way.add(scope)
        try:
            done = await self.batcher.submit(self._order(request, terms, prepared))
        finally:
            self._under_way.discard(scope)
        if done.raised - amount.amount < terms.target <= done.raised:
            await self._release(terms)
        return done.answer

    async def close(self) -> None:
        """Waits until everything asked so far is answered."""
        await self.batcher.close()
        if self._poking is not None:
            await self._poking

    def _order(self, request: InvestRequest, terms: Terms, prepared: Texts) -> Order:
        investor, amount = request.investor, request.amount
        guards: list[Guard] = []
        refusal = None
        try:
            if investor.id == terms.owner_id:
                raise OwnBusinessInvestment("You cannot invest in your own business.")
            if amount.amount < terms.minimum:
                least = Money(terms.minimum, terms.currency)
                raise BelowMinimum(
                    f"The least for this offering is {least.format()}.", minimum=least
                )
            guards = self._rules(investor, terms, amount, self._clock)
        except Refused as no:
            refusal = no
        return Order(
            investor, terms, prepared, amount, request.scope, request.hashed, guards, refusal
        )

    async def _run(self, connection: Connection, orders: Sequence[Order]) -> list[Done | HubError]:
        await self._find_wallets(connection, orders)
        row = await connection.fetchrow(
            queries.INVEST_BATCH, *arguments(self._clock.now(), orders, self._wallet_of)
        )
        assert row is not None
        found = outcomes(row)
        if any(isinstance(outcome, Done) and outcome.raised for outcome in found):
            self._wake_relay()
        return found

    def _wallet_of(self, order: Order) -> AccountId:
        return self._wallets[order.investor.id, order.terms.currency]

    def _wake_relay(self) -> None:
        """Pokes the relay beside the answers, not before them; one poke at a time."""
        self._poke_wanted = True
        if self._redis is not None and self._poking is None:
            self._poking = asyncio.create_task(self._poke(self._redis))

    async def _poke(self, redis: RedisClient) -> None:
        while self._poke_wanted:
            self._poke_wanted = False
            await poke(redis)
        self._poking = None

    async def _learn(self, offering_id: OfferingId) -> tuple[Terms, Texts]:
        async with self._database.connection() as connection:
            row = await connection.fetchrow(queries.TERMS, offering_id)
        if row is None:
            raise OfferingNotFound("There is no such offering.")
        if len(self._terms) >= _KEPT:
            self._terms.clear()
        terms = queries.to_terms(row)
        known = self._terms[offering_id] = terms, texts(terms)
        return known

    async def _find_wallets(self, connection: Connection, orders: Sequence[Order]) -> None:
        """Learns wallet accounts not met before; opens the wallet of whoever has none yet."""
        if len(self._wallets) >= _KEPT:
            self._wallets.clear()
        wanted = {(order.investor.id, order.terms.currency) for order in orders}
        # Not ``wanted - keys()``: that copies every key ever met.
        missing = [wallet for wallet in wanted if wallet not in self._wallets]
        for currency in {currency for _, currency in missing}:
            owners = {f"person:{person}": person for person, other in missing if other == currency}
            for row in await connection.fetch(queries.WALLETS, list(owners), currency):
                self._wallets[owners[row["owner"]], currency] = row["id"]
        for person, currency in missing:
            if (person, currency) not in self._wallets:
                ref = investor_wallet(person, currency)
                opened = await open_account(connection, self._clock, ref)
                self._wallets[person, currency] = opened.id

    async def _release(self, terms: Terms) -> None:
        """The investment stands whatever happens here: a fault waits for housekeeping."""
        try:
            await release_funded(self._database, self._clock, terms.id, redis=self._redis)
        except Exception as fault:
            _log.error("an offering could not be settled yet", offering=terms.id, exc_info=fault)
