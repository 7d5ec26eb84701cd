"""A gateway that is down is spared, and tried again in time."""

from datetime import timedelta

import pytest

from hub.clock import ManualClock
from hub.payments import GatewayDown
from hub.payments.gateways.circuit import Circuit


def test_it_opens_after_five_failures_in_a_row_only(clock: ManualClock) -> None:
    circuit = Circuit("paystack", clock)
    for _ in range(4):
        circuit.failed()
    circuit.succeeded()
    for _ in range(4):
        circuit.failed()
    circuit.check()
    circuit.failed()
    with pytest.raises(GatewayDown):
        circuit.check()


def test_one_caller_at_a_time_tries_again_until_one_succeeds(clock: ManualClock) -> None:
    circuit = Circuit("paystack", clock)
    for _ in range(5):
        circuit.failed()
    clock.advance(timedelta(seconds=16))
    circuit.check()
    with pytest.raises(GatewayDown):
        circuit.check()
    circuit.failed()
    with pytest.raises(GatewayDown):
        circuit.check()
    clock.advance(timedelta(seconds=16))
    circuit.check()
    circuit.succeeded()
    circuit.check()
    circuit.check()
