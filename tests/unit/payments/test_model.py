"""The pure rules of a payment's life."""

import itertools
from typing import get_args
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from hub.ids import PaymentId
from hub.ledger import Guard
from hub.payments.model import (
    PaymentState,
    lifted,
    may_become,
    payment_of_reference,
    reference_of,
)

STATES: tuple[PaymentState, ...] = get_args(PaymentState)


def test_a_state_only_rises_and_nothing_leaves_settled() -> None:
    for one, other in itertools.product(STATES, STATES):
        assert not (may_become(one, other) and may_become(other, one))
        assert not may_become(one, one)
    assert not any(may_become("settled", state) for state in STATES)
    assert all(may_become(state, "settled") for state in STATES if state != "settled")


@given(st.uuids(), st.integers(min_value=1, max_value=999))
def test_a_reference_leads_back_to_its_payment(payment: PaymentId, attempt: int) -> None:
    reference = reference_of(payment, attempt)
    assert payment_of_reference(reference) == payment
    assert set(reference) <= set("0123456789abcdef-")


@given(st.text(max_size=60))
def test_any_other_text_is_no_reference_of_ours(text: str) -> None:
    found = payment_of_reference(text)
    assert found is None or text.replace("-", "").lower().startswith(found.hex[:8])


def test_tails_that_we_never_made_are_not_ours() -> None:
    own = reference_of(PaymentId(UUID(int=7)), 1)
    assert payment_of_reference(own) is not None
    for tail in ("-", "2", "-x", "-2-2", "-²"):
        assert payment_of_reference(own + tail) is None


def test_lifted_guards_count_the_same_and_refuse_nothing() -> None:
    guard = Guard(rule="top_up_daily", key="k", window="2026-11-24", delta=5, ceiling=1)
    (free,) = lifted((guard,))
    assert (free.key, free.window, free.delta) == (guard.key, guard.window, guard.delta)
    assert free.ceiling > 10**15
