"""Identity's pure rules."""

from datetime import timedelta
from uuid import UUID

import pytest

from hub.errors import Invalid
from hub.identity.bodies import ChangePin, GiveCode, GiveRefresh, PushToken
from hub.identity.errors import PinMalformed, PinTooEasy
from hub.identity.model import check_display_name, parse_language
from hub.identity.pins import check_pin, lock_after


@pytest.mark.parametrize("pin", ["2580", "1470", "90210", "112233", "1357"])
def test_a_good_pin_passes(pin: str) -> None:
    assert check_pin(pin) == pin


@pytest.mark.parametrize("pin", ["", "123", "1234567", "12 4", "-123", "１２３４", "²²²²"])
def test_a_pin_has_four_to_six_digits(pin: str) -> None:
    with pytest.raises(PinMalformed):
        check_pin(pin)


@pytest.mark.parametrize("pin", ["0000", "777777", "1234", "4321", "456789"])
def test_the_first_guesses_of_a_thief_are_no_pins(pin: str) -> None:
    with pytest.raises(PinTooEasy):
        check_pin(pin)


def test_locks_double_up_to_a_day() -> None:
    assert [lock_after(n) for n in (0, 4)] == [None, None]
    assert [lock_after(n) for n in (5, 6, 7)] == [timedelta(minutes=n) for n in (1, 2, 4)]
    assert lock_after(40) == lock_after(32_000) == timedelta(days=1)


def test_the_hub_speaks_three_languages() -> None:
    assert parse_language("sw") == "sw"
    with pytest.raises(Invalid):
        parse_language("tlh")


def test_a_display_name_loses_its_outer_spaces() -> None:
    assert check_display_name("  Amina  ") == "Amina"


def test_bodies_with_secrets_do_not_show_them() -> None:
    bodies = (
        ChangePin("9173"), GiveRefresh("9173"), PushToken("9173"),
        GiveCode(UUID(int=0), "9173", None),  # type: ignore[arg-type]
    )  # fmt: skip
    assert not any("9173" in repr(body) for body in bodies)
