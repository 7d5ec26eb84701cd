"""Ids, phone numbers, sealing and settings keep their word."""

from datetime import UTC, datetime
from uuid import RFC_4122

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.clock import milliseconds
from hub.errors import Invalid
from hub.ids import new_id, new_id_texts, parse_id
from hub.phone import mask, parse_phone, region_of
from hub.sealing import Keyring, SealBroken
from hub.settings import Settings, SettingsFault

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
RING = Keyring(bytes(32))


def test_ids_are_uuid_version_7_of_their_moment_and_ascend() -> None:
    ids = [new_id(NOW) for _ in range(10_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert {value.version for value in ids} == {7}
    assert ids[0].int >> 80 == milliseconds(NOW)


def test_ids_made_by_the_batch_are_of_the_same_kind_and_order() -> None:
    texts = new_id_texts(NOW, 10_000)
    ids = [new_id(NOW), *map(parse_id, new_id_texts(NOW, 10_000)), new_id(NOW)]
    assert ids == sorted(set(ids))
    assert {(value.version, value.variant) for value in ids} == {(7, RFC_4122)}
    assert [str(parse_id(text)) for text in texts] == texts


@pytest.mark.parametrize("text", ["", "7", "not-an-id", "0" * 40])
def test_a_wrong_id_is_a_clear_error(text: str) -> None:
    with pytest.raises(Invalid):
        parse_id(text)


def test_a_number_is_known_in_national_and_international_form() -> None:
    assert parse_phone("0700 000 001", "KE") == parse_phone("+254700000001") == "+254700000001"
    assert region_of(parse_phone("+2348030000001")) == "NG"
    assert mask("+254700000001") == "+254…01"


@pytest.mark.parametrize("text", ["+999123456789", "hello", "", "+2547", "12345"])
def test_a_number_from_nowhere_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_phone(text)


@given(st.text(max_size=200), st.text(max_size=20))
def test_what_is_sealed_opens_only_in_its_place(text: str, context: str) -> None:
    key, wrapped = RING.new_key("person:1")
    sealed = key.seal(text, context)
    assert RING.unwrap(wrapped, "person:1").open(sealed, context) == text
    with pytest.raises(SealBroken):
        key.open(sealed, context + "x")
    with pytest.raises(SealBroken):
        key.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), context)
    with pytest.raises(SealBroken):
        RING.unwrap(wrapped, "person:2")


def test_a_blind_index_is_equal_for_equals_of_one_purpose_only() -> None:
    assert RING.index("+254700000001", "phone") == RING.index("+254700000001", "phone")
    assert RING.index("+254700000001", "phone") != RING.index("+254700000001", "email")
    assert RING.index("x", "phone") != Keyring(bytes([1] * 32)).index("x", "phone")


def test_every_fault_of_the_environment_is_named_at_once() -> None:
    with pytest.raises(SettingsFault) as fault:
        Settings.load(
            {"HUB_ENV": "production", "HUB_PORT": "many", "HUB_MASTER_KEY": "c2hvcnQ=",
             "HUB_SANDBOX": "1", "HUB_DATA_DIR": "/nonexistent"}
        )  # fmt: skip
    for name in ("HUB_PORT", "HUB_MASTER_KEY", "HUB_DATABASE_URL", "HUB_SANDBOX", "HUB_AT_API_KEY"):
        assert name in fault.value.message


def test_secrets_do_not_show_themselves(environment: dict[str, str]) -> None:
    shown = repr(Settings.load(environment))
    for name in ("HUB_MASTER_KEY", "HUB_PAYSTACK_SECRET_KEY", "HUB_AT_API_KEY"):
        assert environment[name] not in shown
