"""The small parts: wire forms, frames, the wheel, namespaces, metrics."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from hub.realtime import JSON, JSON_FRAMES, NodeCollector, product_namespaces
from hub.realtime.codec import Malformed
from hub.realtime.codes import BAD_REQUEST, UNKNOWN_CHANNEL, Refusal
from hub.realtime.encoding import text_frame
from hub.realtime.publication import Publication, pack, unpack
from hub.realtime.wheel import Wheel


@given(
    offset=st.integers(0, 2**53),
    data=st.binary(),
    info=st.binary(),
    epoch=st.text("abcXYZ019", max_size=8),
    time_ms=st.integers(0, 2**45),
)
def test_a_message_survives_pub_sub_byte_by_byte(
    offset: int, data: bytes, info: bytes, epoch: str, time_ms: int
) -> None:
    publication = Publication(offset, data, info, time_ms)
    message = unpack(pack(b"p", epoch, publication))
    assert (message.kind, message.epoch, message.publication) == (b"p", epoch, publication)


def test_a_frame_may_carry_many_commands_and_a_trailing_line_feed() -> None:
    commands = JSON.decode(b'{"id":1,"subscribe":{"channel":"a:b","flag":1,"new":[]}}\n{}\n')
    assert [command.id for command in commands] == [1, 0]
    assert commands[0].subscribe is not None
    assert commands[0].subscribe.channel == "a:b"


@pytest.mark.parametrize(
    "frame", [b"", b"\n\n", b"x", b"[]", b"1", b'{"id":1.5}', b'{"id":1', b"\xff", b"[" * 100_000]
)
def test_what_is_no_command_is_malformed(frame: bytes) -> None:
    with pytest.raises(Malformed):
        JSON.decode(frame)


def test_a_publication_is_pushed_with_its_own_bytes_and_no_zero_fields() -> None:
    pushed = JSON.publication('a:"b', Publication(7, b'{"n": 1}', b'{"user":"u"}'))
    assert b'{"n": 1}' in pushed
    assert json.loads(pushed) == {
        "push": {
            "channel": 'a:"b',
            "pub": {"data": {"n": 1}, "info": {"user": "u"}, "offset": 7},
        }
    }
    assert json.loads(JSON.publication("a:b", Publication(0, b"1"))) == {
        "push": {"channel": "a:b", "pub": {"data": 1}}
    }


def test_the_ping_is_an_empty_reply_in_one_frame() -> None:
    assert JSON_FRAMES.ping == b"\x81\x02{}"


@pytest.mark.parametrize(
    ("size", "head"),
    [(0, b"\x81\x00"), (125, b"\x81\x7d"), (126, b"\x81\x7e\0\x7e"), (65_535, b"\x81\x7e\xff\xff")],
)
def test_frame_heads_are_as_short_as_they_may_be(size: int, head: bytes) -> None:
    assert text_frame(b"x" * size) == head + b"x" * size


def test_a_long_frame_has_eight_bytes_of_length() -> None:
    assert text_frame(b"x" * 65_536)[:10] == b"\x81\x7f" + (65_536).to_bytes(8, "big")


class Sleeper:
    def __init__(self) -> None:
        self.wakes_at = 0
        self.woken: list[float] = []

    def wake(self, now: float) -> None:
        self.woken.append(now)


def test_the_wheel_wakes_once_at_the_earliest_second_asked_for() -> None:
    wheel, sleeper = Wheel(100.2), Sleeper()
    wheel.wake_by(sleeper, 130.0)
    wheel.wake_by(sleeper, 108.3)
    wheel.wake_by(sleeper, 120.0)
    for second in range(101, 109):
        wheel.turn(second)
    assert sleeper.woken == []
    wheel.turn(109.5)
    assert sleeper.woken == [109.5]
    wheel.turn(200)
    assert sleeper.woken == [109.5]


def test_a_deadline_in_the_past_is_met_at_the_next_turn() -> None:
    wheel, sleeper = Wheel(100), Sleeper()
    wheel.wake_by(sleeper, 3)
    wheel.turn(101)
    assert sleeper.woken == [101]


def test_the_products_channels_are_known_and_others_are_not() -> None:
    namespaces = product_namespaces()
    assert namespaces.personal_channel("u") == "personal:#u"
    for channel in ("personal:#u", "offering:1", "conversation:1", "ops:payments", "business:1"):
        assert namespaces.of(channel).durable
        assert namespaces.of(channel).positioned
        assert not namespaces.of(channel).allow_publish_for_subscriber
    assert not namespaces.of("market:KES-NGN").durable
    for channel in ("offering:1", "market:KES-NGN"):  # one state after the other: mostly alike
        assert namespaces.of(channel).delta_publish
        assert namespaces.of(channel).allowed_delta_types == ("fossil",)
    for channel, code in (
        ("nowhere:1", UNKNOWN_CHANNEL),
        ("offering", UNKNOWN_CHANNEL),
        ("offering:", UNKNOWN_CHANNEL),
        ("", UNKNOWN_CHANNEL),
        ("offering:" + "x" * 300, BAD_REQUEST),
        ("offering:\n", BAD_REQUEST),
        ("offering:ñ", BAD_REQUEST),
    ):
        with pytest.raises(Refusal) as refusal:
            namespaces.of(channel)
        assert refusal.value.outcome == code


def test_metrics_start_at_zero_and_follow_the_tally() -> None:
    class Counted:
        from hub.realtime import Tally

        tally = Tally()
        sessions = frozenset({1, 2})
        channel_count = 3

    registry = CollectorRegistry()
    registry.register(NodeCollector(Counted()))  # type: ignore[arg-type]
    Counted.tally.of("chat").deliveries = 41
    text = generate_latest(registry).decode()
    assert "hub_realtime_connections 2.0" in text
    assert 'hub_realtime_deliveries_total{namespace="chat"} 41.0' in text
    assert 'hub_realtime_disconnects_total{code="3008"} 0.0' in text
