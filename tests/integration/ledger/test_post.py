"""Posting: what stands, what is refused, and what a refusal leaves behind (nothing)."""

import asyncio
import contextlib
from typing import TYPE_CHECKING

import asyncpg
import pytest

from hub.database import Database
from hub.ids import AccountId, PostingId, new_id
from hub.ledger import (
    AccountRef,
    DuplicateReference,
    Guard,
    GuardRefused,
    InsufficientFunds,
    Leg,
    Posted,
    Posting,
    Unbalanced,
    UnknownAccount,
    balance,
    open_account,
    post,
    post_many,
    statement,
)

if TYPE_CHECKING:
    from conftest import Books

AMA = AccountRef("person:ama", "wallet", "KES")
BEN = AccountRef("person:ben", "wallet", "KES")
BANK = AccountRef("gateway:paystack", "clearing", "KES")


async def test_a_posting_moves_money_and_tells_the_balances(books: "Books") -> None:
    posted = await books.fund(books.ama, 500)
    assert posted.balances == {books.bank.id: -500, books.ama.id: 500}
    await post(books.tx, books.clock, books.posting(books.ama, books.ben, 200))
    assert [await books.has(ref) for ref in (AMA, BEN, BANK)] == [300, 200, -500]
    lines = await statement(books.tx, books.ama.id)
    assert [(line.amount, line.balance) for line in lines] == [(-200, 300), (500, 500)]
    assert await statement(books.tx, books.ama.id, after=lines[0].seq) == lines[1:]


async def test_a_refused_posting_does_not_use_up_what_the_next_one_needs(books: "Books") -> None:
    await books.fund(books.ama, 100)
    first, second = await post_many(
        books.tx,
        books.clock,
        [books.posting(books.ama, books.ben, 150), books.posting(books.ama, books.ben, 50)],
    )
    assert isinstance(first, InsufficientFunds)
    assert first.facts == {"available": 100, "currency": "KES"}
    assert isinstance(second, Posted)
    assert (await books.has(AMA), await books.has(BEN)) == (50, 50)


async def test_money_received_earlier_in_a_batch_can_be_spent_later_in_it(books: "Books") -> None:
    await books.fund(books.ama, 100)
    outcomes = await post_many(
        books.tx,
        books.clock,
        [books.posting(books.ama, books.ben, 100), books.posting(books.ben, books.ama, 70)],
    )
    assert all(isinstance(outcome, Posted) for outcome in outcomes)
    assert (await books.has(AMA), await books.has(BEN)) == (70, 30)


async def test_a_guard_refuses_and_its_counters_do_not_grow(books: "Books") -> None:
    await books.fund(books.ama, 1000)
    day = Guard("daily", "person:ama", "2026-11-24", 60, 100)
    life = Guard("life", "person:ama", "life", 60, 1000)
    outcomes = await post_many(
        books.tx,
        books.clock,
        [books.posting(books.ama, books.ben, 60, life, day) for _ in range(3)],
    )
    assert [type(outcome) for outcome in outcomes] == [Posted, GuardRefused, GuardRefused]
    assert isinstance(outcomes[1], GuardRefused)
    assert outcomes[1].facts == {"used": 60, "rule": "daily", "ceiling": 100}
    counters = await books.tx.fetch('SELECT "window", used FROM guard_counters ORDER BY 1')
    assert [tuple(row) for row in counters] == [("2026-11-24", 60), ("life", 60)]
    assert await books.has(AMA) == 940


async def test_a_smaller_posting_fits_under_a_guard_that_refused_a_larger_one(
    books: "Books",
) -> None:
    await books.fund(books.ama, 1000)
    outcomes = await post_many(
        books.tx,
        books.clock,
        [
            books.posting(books.ama, books.ben, n, Guard("daily", "k", "d", n, 100))
            for n in (90, 20, 10)
        ],
    )
    assert [type(outcome) for outcome in outcomes] == [Posted, GuardRefused, Posted]


async def test_a_guard_can_give_back_what_was_used(books: "Books") -> None:
    await books.fund(books.ama, 1000)
    for delta in (90, -60, 70, -200):
        await post(
            books.tx,
            books.clock,
            books.posting(books.ama, books.ben, 10, Guard("daily", "k", "d", delta, 100)),
        )
    with pytest.raises(GuardRefused):
        await post(
            books.tx,
            books.clock,
            books.posting(books.ama, books.ben, 10, Guard("daily", "k", "d", 201, 100)),
        )
    assert await books.tx.fetchval("SELECT used FROM guard_counters") == -100


async def test_lack_of_money_gives_a_guard_back(books: "Books") -> None:
    await books.fund(books.ama, 10)
    with pytest.raises(InsufficientFunds):
        await post(
            books.tx,
            books.clock,
            books.posting(books.ama, books.ben, 11, Guard("daily", "k", "d", 11, 100)),
        )
    assert await books.tx.fetchval("SELECT sum(used) FROM guard_counters") == 0


async def test_a_reference_posts_once(books: "Books") -> None:
    first = await post(
        books.tx, books.clock, books.posting(books.bank, books.ama, 5, reference="r")
    )
    with pytest.raises(DuplicateReference) as refused:
        await post(books.tx, books.clock, books.posting(books.bank, books.ama, 5, reference="r"))
    assert refused.value.posting_id == first.id
    assert await books.has(AMA) == 5
    with pytest.raises(ValueError, match="same reference"):
        await post_many(
            books.tx,
            books.clock,
            [books.posting(books.bank, books.ama, 5, reference="s") for _ in range(2)],
        )


async def test_an_unbalanced_posting_is_refused(books: "Books") -> None:
    legs = (Leg(books.ama.id, 5, "KES"), Leg(books.bank.id, -4, "KES"))
    for wrong in (legs, (), (Leg(books.ama.id, 0, "KES"), Leg(books.bank.id, 0, "KES"))):
        posting = Posting(
            id=PostingId(new_id(books.clock.now())),
            reference="x",
            legs=wrong,
            effective_at=books.clock.now(),
        )
        with pytest.raises(Unbalanced):
            await post(books.tx, books.clock, posting)


async def test_an_account_that_does_not_exist_is_named_as_such(books: "Books") -> None:
    nowhere = AccountId(new_id(books.clock.now()))
    for account_id, currency in ((nowhere, "KES"), (books.ama.id, "NGN")):
        posting = Posting(
            id=PostingId(new_id(books.clock.now())),
            reference="x",
            legs=(Leg(account_id, 5, currency), Leg(books.bank.id, -5, currency)),
            effective_at=books.clock.now(),
        )
        with pytest.raises(UnknownAccount):
            await post(books.tx, books.clock, posting)


async def test_the_database_itself_refuses_what_does_not_sum_to_zero(books: "Books") -> None:
    posted = await books.fund(books.ama, 5)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="sum to zero"):
        await books.tx.execute(
            "INSERT INTO entries (posting_id, account_id, currency, amount, balance)"
            " VALUES ($1, $2, 'KES', 1, 6)",
            posted.id,
            books.ama.id,
        )
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await books.tx.execute(
            "INSERT INTO entries (posting_id, account_id, currency, amount, balance)"
            " VALUES ($1, $2, 'NGN', 1, 6), ($1, $2, 'NGN', -1, 5)",
            posted.id,
            books.ama.id,
        )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET amount = amount + 1",
        "DELETE FROM entries",
        "TRUNCATE entries",
        "UPDATE postings SET reference = 'other'",
        "DELETE FROM postings",
        "TRUNCATE postings",
        "DELETE FROM accounts",
    ],
)
async def test_what_was_posted_is_never_changed(books: "Books", statement: str) -> None:
    await books.fund(books.ama, 5)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="append-only"):
        await books.tx.execute(statement)


async def test_no_statement_can_take_an_account_below_its_floor(books: "Books") -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await books.tx.execute("UPDATE accounts SET posted = -1 WHERE id = $1", books.ama.id)


async def test_opening_an_account_again_gives_the_same_one(books: "Books") -> None:
    assert await open_account(books.tx, books.clock, AMA) == books.ama
    assert (books.ama.floor, len(books.ama.stripes)) == (0, 1)


async def test_an_account_that_everyone_touches_is_striped_and_sums_up(books: "Books") -> None:
    assert (books.bank.floor, len(books.bank.stripes)) == (None, 8)
    touched = {books.bank.stripe(f"payment:{n}") for n in range(100)}
    assert len(touched) == 8
    for n in range(20):
        await post(
            books.tx,
            books.clock,
            Posting(
                id=PostingId(new_id(books.clock.now())),
                reference=f"payment:{n}",
                legs=(
                    Leg(books.bank.stripe(f"payment:{n}"), -7, "KES"),
                    Leg(books.ama.id, 7, "KES"),
                ),
                effective_at=books.clock.now(),
            ),
        )
    assert (await balance(books.tx, BANK)).posted == -140


async def test_the_balance_of_an_account_nobody_opened_is_nothing(books: "Books") -> None:
    other = await balance(books.tx, AccountRef("person:nobody", "wallet", "KES"))
    assert (other.posted, other.held, other.available) == (0, 0, 0)


async def test_the_same_reference_posted_by_many_at_once_stands_once(
    database: Database, books: "Books"
) -> None:
    """Also where the two share no account, so that only the reference itself can tell."""
    wallets = [
        await open_account(books.tx, books.clock, AccountRef(f"person:{n}", "wallet", "KES"))
        for n in range(8)
    ]

    async def attempt(n: int) -> bool:
        posting = Posting(
            id=PostingId(new_id(books.clock.now())),
            reference="once",
            legs=(Leg(books.bank.stripes[n], -5, "KES"), Leg(wallets[n].id, 5, "KES")),
            effective_at=books.clock.now(),
        )
        try:
            await database.transaction(lambda tx: post(tx, books.clock, posting))
        except DuplicateReference:
            return False
        return True

    done = await asyncio.gather(*(attempt(n) for n in range(8)))
    assert done.count(True) == 1
    assert await books.tx.fetchval("SELECT count(*) FROM entries") == 2


async def test_money_sent_in_circles_at_once_is_conserved_and_deadlocks_nobody(
    database: Database, books: "Books"
) -> None:
    people = [
        await open_account(books.tx, books.clock, AccountRef(f"person:{n}", "wallet", "KES"))
        for n in range(5)
    ]
    for person in people:
        await books.fund(person, 100)

    async def send(n: int) -> None:
        source, target = people[n % 5], people[(n * 3 + 1) % 5]
        if source is not target:
            posting = books.posting(source, target, 7 + n % 11)
            with contextlib.suppress(InsufficientFunds):
                await database.transaction(lambda tx: post(tx, books.clock, posting))

    await asyncio.gather(*(send(n) for n in range(150)))
    balances = await books.tx.fetch("SELECT posted FROM accounts WHERE owner LIKE 'person:_'")
    assert sum(row["posted"] for row in balances) == 500
    assert all(row["posted"] >= 0 for row in balances)
