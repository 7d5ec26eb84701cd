"""The ledger against a model of a few lines, over any order of operations Hypothesis can think of.

Holds: money is conserved, nothing available is negative, stored balances are the sums of entries
and holds, a refusal leaves no trace, a reference posts once.
"""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import asyncpg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from hub.clock import ManualClock
from hub.ids import HoldId, PostingId, new_id
from hub.ledger import (
    AccountRef,
    DuplicateReference,
    Guard,
    GuardRefused,
    HoldClosed,
    InsufficientFunds,
    Leg,
    Posted,
    Posting,
    capture_hold,
    open_account,
    place_hold,
    post_many,
    release_hold,
)

CEILING = 500
PEOPLE = 3
people = st.integers(0, PEOPLE - 1)
amounts = st.integers(1, 300)
transfers = st.tuples(people, people, amounts, st.booleans()).filter(lambda t: t[0] != t[1])
_worlds = itertools.count()


class LedgerMachine(RuleBasedStateMachine):
    connection: ClassVar[Any]
    loop: ClassVar[asyncio.Runner]

    holds = Bundle("holds")
    references = Bundle("references")

    def run(self, work: Any) -> Any:
        return self.loop.run(work)

    @initialize(funds=st.lists(st.integers(0, 600), min_size=PEOPLE, max_size=PEOPLE))
    def open(self, funds: list[int]) -> None:
        self.world = f"world{next(_worlds)}"
        self.clock = ManualClock(datetime(2026, 11, 24, tzinfo=UTC))
        self.numbers = itertools.count()
        self.bank = self.run(self._open("gateway", "clearing"))
        self.wallets = [self.run(self._open("person", f"wallet{n}")) for n in range(PEOPLE)]
        self.model = [0] * PEOPLE
        self.held = [0] * PEOPLE
        self.used = [0] * PEOPLE
        self.open_holds: dict[HoldId, tuple[int, int]] = {}
        self.rows = 0
        for person, amount in enumerate(funds):
            if amount:
                (outcome,) = self._post([self._posting(self.bank, self.wallets[person], amount)])
                assert isinstance(outcome, Posted)
                self.model[person] += amount
                self.rows += 1

    async def _open(self, kind: str, purpose: str) -> Any:
        ref = AccountRef(f"{kind}:{self.world}", purpose, "KES")
        return await open_account(self.connection, self.clock, ref)

    def _posting(
        self, source: Any, target: Any, amount: int, *guards: Guard, reference: str | None = None
    ) -> Posting:
        return Posting(
            id=PostingId(new_id(self.clock.now())),
            reference=reference or f"{self.world}:{next(self.numbers)}",
            legs=(Leg(source.id, -amount, "KES"), Leg(target.id, amount, "KES")),
            guards=guards,
            effective_at=self.clock.now(),
        )

    def _post(self, postings: list[Posting]) -> list[Any]:
        return list(self.run(post_many(self.connection, self.clock, postings)))

    def _available(self, person: int) -> int:
        return self.model[person] - self.held[person]

    @rule(target=references, batch=st.lists(transfers, min_size=1, max_size=6))
    def transfer(self, batch: list[tuple[int, int, int, bool]]) -> Any:
        postings = [
            self._posting(
                self.wallets[source],
                self.wallets[target],
                amount,
                *(
                    [Guard("daily", f"{self.world}:{source}", "day", amount, CEILING)]
                    if guarded
                    else []
                ),
            )
            for source, target, amount, guarded in batch
        ]
        outcomes = self._post(postings)
        done = []
        for (source, target, amount, guarded), posting, outcome in zip(
            batch, postings, outcomes, strict=True
        ):
            if self._available(source) < amount:
                assert isinstance(outcome, InsufficientFunds)
                assert outcome.available == self._available(source)
            elif guarded and self.used[source] + amount > CEILING:
                assert isinstance(outcome, GuardRefused)
                assert outcome.used == self.used[source]
            else:
                assert isinstance(outcome, Posted)
                self.model[source] -= amount
                self.model[target] += amount
                self.used[source] += amount if guarded else 0
                self.rows += 1
                assert outcome.balances == {
                    self.wallets[source].id: self.model[source],
                    self.wallets[target].id: self.model[target],
                }
                done.append((posting.reference, outcome.id))
        return multiple(*done)

    @rule(known=references, transfer=transfers)
    def retry(self, known: tuple[str, PostingId], transfer: tuple[int, int, int, bool]) -> None:
        source, target, amount, _ = transfer
        again = self._posting(
            self.wallets[source], self.wallets[target], amount, reference=known[0]
        )
        (outcome,) = self._post([again])
        assert isinstance(outcome, DuplicateReference)
        assert outcome.posting_id == known[1]

    @rule(target=holds, person=people, amount=amounts)
    def hold(self, person: int, amount: int) -> Any:
        try:
            placed = self.run(
                place_hold(
                    self.connection,
                    self.clock,
                    account_id=self.wallets[person].id,
                    amount=amount,
                    reference=f"{self.world}:{next(self.numbers)}",
                    expires_at=self.clock.now() + timedelta(days=1),
                )
            )
        except InsufficientFunds:
            assert self._available(person) < amount
            return multiple()
        assert self._available(person) >= amount
        self.held[person] += amount
        self.open_holds[placed.id] = (person, amount)
        return placed.id

    @rule(hold_id=holds, receiver=people, share=st.integers(1, 100), capture=st.booleans())
    def close(self, hold_id: HoldId, receiver: int, share: int, capture: bool) -> None:
        person, amount = self.open_holds.get(hold_id, (0, 1))
        target = receiver if receiver != person else (person + 1) % PEOPLE
        taken = max(1, amount * share // 100)
        posting = self._posting(self.wallets[person], self.wallets[target], taken)
        work = (
            capture_hold(self.connection, self.clock, hold_id, posting)
            if capture
            else release_hold(self.connection, self.clock, hold_id)
        )
        try:
            self.run(work)
        except HoldClosed:
            assert hold_id not in self.open_holds
            return
        del self.open_holds[hold_id]
        self.held[person] -= amount
        if capture:
            self.model[person] -= taken
            self.model[target] += taken
            self.rows += 1

    @invariant()
    def stored_is_what_the_model_says(self) -> None:
        if not hasattr(self, "world"):
            return
        rows = self.run(
            self.connection.fetch(
                "SELECT a.purpose, a.posted, a.held,"
                " (SELECT coalesce(sum(amount), 0) FROM entries e WHERE e.account_id = a.id)"
                "  AS entries,"
                " (SELECT coalesce(sum(amount), 0) FROM holds h"
                "  WHERE h.account_id = a.id AND h.state = 'open') AS holds"
                " FROM accounts a WHERE owner LIKE $1 ORDER BY purpose, stripe",
                f"%:{self.world}",
            )
        )
        assert sum(row["posted"] for row in rows) == 0
        assert all(row["posted"] == row["entries"] for row in rows)
        assert all(row["held"] == row["holds"] for row in rows)
        wallets = [row for row in rows if row["purpose"].startswith("wallet")]
        assert [row["posted"] for row in wallets] == self.model
        assert [row["held"] for row in wallets] == self.held
        assert all(row["posted"] >= row["held"] for row in wallets)

    @invariant()
    def refusals_leave_no_trace(self) -> None:
        if not hasattr(self, "world"):
            return
        postings, used = self.run(
            self.connection.fetchrow(
                "SELECT (SELECT count(*) FROM postings WHERE reference LIKE $1),"
                " (SELECT coalesce(sum(used), 0) FROM guard_counters WHERE key LIKE $1)",
                f"{self.world}:%",
            )
        )
        assert postings == self.rows
        assert used == sum(self.used)


def test_the_ledger_does_what_its_model_does(database_url: str) -> None:
    with asyncio.Runner() as runner:
        LedgerMachine.loop = runner
        LedgerMachine.connection = runner.run(asyncpg.connect(database_url))
        try:
            run_state_machine_as_test(
                LedgerMachine,
                settings=settings(
                    max_examples=30,
                    stateful_step_count=25,
                    deadline=None,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(LedgerMachine.connection.close())
