"""Money is whole minor units, and sharing it loses nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import Invalid
from hub.money import MAX_AMOUNT, Money, allot, currency_exponent, parse_amount


@given(
    st.integers(min_value=0, max_value=MAX_AMOUNT),
    st.lists(st.integers(min_value=0, max_value=10**9), min_size=1, max_size=50),
)
def test_shares_sum_to_the_amount_and_follow_the_weights(amount: int, weights: list[int]) -> None:
    shares = allot(amount, weights)
    total = sum(weights)
    assert sum(shares) == (amount if total else 0)
    for share, weight in zip(shares, weights, strict=True):
        exact = amount * weight / total if total else 0
        assert share >= 0
        assert abs(share - exact) <= 1 + exact * 1e-9


def test_a_tie_goes_to_the_earlier() -> None:
    assert allot(2, [1, 1, 1]) == [1, 1, 0]


@pytest.mark.parametrize(
    ("typed", "currency", "amount"),
    [
        ("1250", "KES", 125_000),
        ("1,250.5", "KES", 125_050),
        ("700", "UGX", 700),
        ("0.01", "NGN", 1),
    ],
)
def test_what_people_type_becomes_minor_units(typed: str, currency: str, amount: int) -> None:
    assert parse_amount(typed, currency) == Money(amount, currency)


@pytest.mark.parametrize(
    "typed", ["", "0", "-5", "1.005", "1e3", "١٢", "12 shillings", "1.2.3", "9" * 30, ".", "+4"]
)
def test_what_is_no_amount_is_refused(typed: str) -> None:
    with pytest.raises(Invalid):
        parse_amount(typed, "KES")


def test_a_fraction_of_a_currency_without_one_is_refused() -> None:
    with pytest.raises(Invalid):
        parse_amount("5.5", "RWF")


@given(
    st.integers(min_value=1, max_value=MAX_AMOUNT), st.sampled_from(["KES", "NGN", "UGX", "XOF"])
)
def test_a_formatted_amount_reads_back_the_same(amount: int, currency: str) -> None:
    money = Money(amount, currency)
    code, _, figure = money.format().partition(" ")
    assert code == currency
    assert parse_amount(figure, currency) == money


def test_two_currencies_never_add_up() -> None:
    with pytest.raises(Invalid):
        Money(1, "KES") + Money(1, "NGN")


@pytest.mark.parametrize("code", ["XXX", "kes", "", "ZZZ", "XAU"])
def test_a_currency_nobody_pays_in_is_refused(code: str) -> None:
    with pytest.raises(Invalid):
        currency_exponent(code)
