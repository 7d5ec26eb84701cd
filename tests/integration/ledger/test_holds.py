"""Holds: money set aside is not spent twice, and comes free once."""

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from hub.clock import ManualClock
from hub.database import Database
from hub.ids import AccountId, HoldId, new_id
from hub.ledger import (
    AccountRef,
    DuplicateReference,
    Hold,
    HoldClosed,
    InsufficientFunds,
    Unbalanced,
    UnknownAccount,
    UnknownHold,
    balance,
    capture_hold,
    expire_holds,
    place_hold,
    post,
    release_hold,
)

if TYPE_CHECKING:
    from conftest import Books

AMA = AccountRef("person:ama", "wallet", "KES")


async def hold(books: "Books", amount: int, reference: str = "payout:1") -> Hold:
    return await place_hold(
        books.tx,
        books.clock,
        account_id=books.ama.id,
        amount=amount,
        reference=reference,
        expires_at=books.clock.now() + timedelta(hours=1),
    )


async def test_held_money_cannot_be_spent(books: "Books") -> None:
    await books.fund(books.ama, 100)
    placed = await hold(books, 70)
    held = await balance(books.tx, AMA)
    assert (held.posted, held.held, held.available) == (100, 70, 30)
    with pytest.raises(InsufficientFunds) as refused:
        await post(books.tx, books.clock, books.posting(books.ama, books.ben, 31))
    assert refused.value.available == 30
    with pytest.raises(InsufficientFunds):
        await hold(books, 31, "payout:2")
    await release_hold(books.tx, books.clock, placed.id)
    assert await books.has(AMA) == 100


async def test_a_captured_hold_moves_its_money_and_frees_the_rest(books: "Books") -> None:
    await books.fund(books.ama, 100)
    placed = await hold(books, 100)
    await capture_hold(books.tx, books.clock, placed.id, books.posting(books.ama, books.ben, 60))
    after = await balance(books.tx, AMA)
    assert (after.posted, after.held) == (40, 0)


async def test_no_more_than_was_held_is_captured(database: Database, books: "Books") -> None:
    await books.fund(books.ama, 100)
    placed = await hold(books, 50)
    with pytest.raises(Unbalanced):
        await database.transaction(
            lambda tx: capture_hold(
                tx, books.clock, placed.id, books.posting(books.ama, books.ben, 51)
            )
        )
    assert (await balance(books.tx, AMA)).held == 50


async def test_a_hold_closes_once(books: "Books") -> None:
    await books.fund(books.ama, 100)
    placed = await hold(books, 50)
    await release_hold(books.tx, books.clock, placed.id)
    with pytest.raises(HoldClosed) as closed:
        await release_hold(books.tx, books.clock, placed.id)
    assert closed.value.state == "released"
    with pytest.raises(HoldClosed):
        await capture_hold(
            books.tx, books.clock, placed.id, books.posting(books.ama, books.ben, 50)
        )


async def test_a_hold_past_its_time_comes_free(
    database: Database, books: "Books", clock: ManualClock
) -> None:
    await books.fund(books.ama, 100)
    placed = await hold(books, 50)
    assert await expire_holds(database, clock) == []
    clock.advance(timedelta(hours=1))
    assert await expire_holds(database, clock) == [placed.id]
    assert await expire_holds(database, clock) == []
    assert (await balance(books.tx, AMA)).held == 0


async def test_a_hold_has_one_reference_a_real_account_and_an_amount(books: "Books") -> None:
    await books.fund(books.ama, 100)
    placed = await hold(books, 10)
    with pytest.raises(DuplicateReference):
        await hold(books, 10)
    assert (await balance(books.tx, AMA)).held == placed.amount
    with pytest.raises(Unbalanced):
        await hold(books, 0, "payout:2")
    with pytest.raises(UnknownAccount):
        await place_hold(
            books.tx,
            books.clock,
            account_id=AccountId(new_id(books.clock.now())),
            amount=1,
            reference="payout:3",
            expires_at=books.clock.now(),
        )
    with pytest.raises(UnknownHold):
        await release_hold(books.tx, books.clock, HoldId(new_id(books.clock.now())))
