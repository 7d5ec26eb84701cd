"""Postings balance, and their digest covers everything that is stored of them."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import Invalid
from hub.ids import AccountId, PostingId
from hub.ledger import Account, AccountRef, Leg, Posting, Unbalanced
from hub.money import MAX_AMOUNT

A, B, C = (AccountId(UUID(int=n)) for n in range(1, 4))
NOW = datetime(2026, 11, 24, 9, 30, 0, 123456, tzinfo=UTC)


def posting(*legs: Leg) -> Posting:
    return Posting(id=PostingId(UUID(int=9)), reference="r", legs=legs, effective_at=NOW)


@given(st.lists(st.integers(1, MAX_AMOUNT // 100), min_size=1, max_size=20))
def test_any_debits_with_their_sum_as_credit_balance(amounts: list[int]) -> None:
    legs = [Leg(A, -amount, "KES") for amount in amounts]
    posting(*legs, Leg(B, sum(amounts), "KES")).check()
    with pytest.raises(Unbalanced):
        posting(*legs, Leg(B, sum(amounts) + 1, "KES")).check()


def test_each_currency_balances_by_itself() -> None:
    posting(Leg(A, -5, "KES"), Leg(B, 5, "KES"), Leg(A, -7, "NGN"), Leg(B, 7, "NGN")).check()
    with pytest.raises(Unbalanced):
        posting(Leg(A, -5, "KES"), Leg(B, 5, "NGN")).check()


def test_a_leg_too_large_for_a_browser_is_refused() -> None:
    with pytest.raises(Unbalanced):
        posting(Leg(A, -MAX_AMOUNT - 1, "KES"), Leg(B, MAX_AMOUNT + 1, "KES")).check()


def test_every_change_changes_the_digest() -> None:
    first = posting(Leg(A, -5, "KES"), Leg(B, 5, "KES"))
    replace = msgspec.structs.replace
    changed = [
        replace(first, id=PostingId(UUID(int=10))),
        replace(first, reference="s"),
        replace(first, effective_at=NOW + timedelta(microseconds=1)),
        replace(first, metadata={"note": "x"}),
        replace(first, legs=(Leg(A, -6, "KES"), Leg(B, 6, "KES"))),
        replace(first, legs=(Leg(A, -5, "KES"), Leg(C, 5, "KES"))),
        replace(first, legs=(Leg(A, -5, "NGN"), Leg(B, 5, "NGN"))),
    ]
    digests = {each.digest(NOW) for each in (first, *changed)}
    assert len(digests) == len(changed) + 1
    assert first.digest(NOW + timedelta(seconds=1)) not in digests


def test_the_digest_does_not_depend_on_how_a_moment_or_a_mapping_is_written() -> None:
    first = msgspec.structs.replace(
        posting(Leg(A, -5, "KES"), Leg(B, 5, "KES")), metadata={"a": "1", "b": "2"}
    )
    nairobi = timezone(timedelta(hours=3))
    same = msgspec.structs.replace(
        first, effective_at=NOW.astimezone(nairobi), metadata={"b": "2", "a": "1"}
    )
    assert same.digest(NOW.astimezone(nairobi)) == first.digest(NOW)


@pytest.mark.parametrize(
    ("owner", "floor"),
    [
        ("person:1", 0),
        ("business:1", 0),
        ("offering:1", 0),
        ("gateway:paystack", None),
        ("platform", None),
        ("platform:fees", None),
        ("platformer:1", 0),
    ],
)
def test_only_our_own_and_the_gateways_books_may_go_below_zero(
    owner: str, floor: int | None
) -> None:
    assert AccountRef(owner, "wallet", "KES").floor == floor


def test_an_unknown_currency_has_no_account() -> None:
    with pytest.raises(Invalid):
        AccountRef("person:1", "wallet", "ZZZ").check()


def test_a_reference_always_meets_the_same_stripe() -> None:
    account = Account(A, AccountRef("platform", "fees", "KES"), None, (A, B, C))
    assert {account.stripe("x") for _ in range(5)} == {account.stripe("x")}
    assert {account.stripe(f"x{n}") for n in range(50)} == {A, B, C}
