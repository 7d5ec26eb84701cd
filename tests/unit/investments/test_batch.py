"""Texts made before the locks are taken are whole JSON once the figure is in."""

import msgspec
import pytest

from hub.errors import HubError
from hub.idempotency import Answer, KeyInFlight, KeyReused
from hub.investments.batch import Done, outcomes
from hub.investments.texts import funds_tail, head, limit_tail
from hub.ledger import GuardRefused, InsufficientFunds
from hub.problems import problem


@pytest.mark.parametrize("used", [0, 7, 2**53])
def test_a_refusal_put_together_is_the_refusal_itself(used: int) -> None:
    together = f'{{"used":{used}{limit_tail("daily", 100)}'
    assert together.encode() == problem(GuardRefused(rule="daily", ceiling=100, used=used))
    together = f'{{"available":{used}{funds_tail("KES")}'
    assert together.encode() == problem(InsufficientFunds(available=used, currency="KES"))


def test_a_head_ends_where_the_figure_of_the_last_field_begins() -> None:
    text = b'{"name":"0,\\"currency\\":\\"KES\\"}}","raised":{"amount":0,"currency":"KES"}}'
    start = head(text, "KES")
    whole = msgspec.json.decode(start + '12,"currency":"KES"}}')
    assert whole["raised"] == {"amount": 12, "currency": "KES"}
    with pytest.raises(AssertionError):
        head(b'{"raised":{"amount":0,"currency":"KES"},"later":1}', "KES")


def test_each_row_becomes_its_callers_outcome() -> None:
    row = {
        "o_status": [201, 422, 1, 2],
        "o_body": ["{}", "{}", None, None],
        "o_raised": [5, 0, 0, 0],
    }
    made, refused, busy, reused = outcomes(row)  # type: ignore[arg-type]
    assert made == Done(Answer(201, b"{}"), 5)
    assert refused == Done(Answer(422, b"{}"), 0)
    assert isinstance(busy, KeyInFlight)
    assert isinstance(reused, KeyReused)
    assert isinstance(busy, HubError)
