"""How much one client may take."""

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from hub.realtime import BrokerDown, EmulationRequest, Limits
from hub.realtime.limits import Occupancy, Pace
from hub.settings import Settings, SettingsFault


def test_a_client_may_hurry_for_a_moment_but_not_for_long() -> None:
    pace, spent, now = Pace(Limits(commands_per_second=10, command_burst=20)), 0.0, 1_000.0
    taken = 0
    while not pace.exceeded(spent := pace.spend(spent, now), now):
        taken += 1
    assert taken == 20
    assert not pace.hopeless(spent, now)
    now += 1  # a second pays for ten
    again = [not pace.exceeded(spent := pace.spend(spent, now), now) for _ in range(10)]
    assert sum(again) == 9
    while not pace.hopeless(spent, now):
        spent = pace.spend(spent, now)
    assert spent - now == pytest.approx(4.0, abs=0.11)


def test_a_steady_client_is_never_told_to_slow_down() -> None:
    pace, spent = Pace(Limits(commands_per_second=10, command_burst=1)), 0.0
    for step in range(1_000):
        spent = pace.spend(spent, step * 0.1)
        assert not pace.exceeded(spent, step * 0.1)


def test_without_a_limit_nothing_is_too_much() -> None:
    pace, people = Pace(Limits(commands_per_second=0)), Occupancy(0)
    assert not pace.exceeded(pace.spend(0.0, 5.0), 5.0)
    people.enter("ada")
    assert not people.full("ada")


def test_only_those_with_connections_are_remembered() -> None:
    people = Occupancy(2)
    for _ in range(2):
        people.enter("ada")
    people.enter("")
    assert people.full("ada")
    assert not people.full("eve")
    for _ in range(3):
        people.leave("ada")
    assert people._counts == {}


async def test_a_refused_connect_takes_no_ones_share(world: Any) -> None:
    world.node.people = Occupancy(1)
    first, second = await world.connected("ada"), world.peer()
    second.say({"id": 1, "connect": {"token": "ada"}})
    assert second.closed == (3504, "connection limit")
    assert (await world.connected("eve")).closed is None
    first.session.lost()
    assert (await world.connected("ada")).closed is None


async def test_pings_keep_the_interval_that_was_promised_and_drift_apart(world: Any) -> None:
    world.node.ping_seconds = 50
    peers = [await world.connected(f"person-{n}") for n in range(12)]
    heard: dict[int, list[int]] = {n: [] for n in range(12)}
    for second in range(200):
        await world.pass_time(1)
        for n, peer in enumerate(peers):
            if peer.session._pong_by:
                heard[n].append(second)
                peer.say({})
    gaps = [b - a for times in heard.values() for a, b in pairwise(times)]
    assert all(45 <= gap <= 51 for gap in gaps)
    assert len(set(gaps)) > 2


async def test_a_frame_for_another_node_needs_that_node_alive(world: Any) -> None:
    frame = EmulationRequest("elsewhere", "secret", b"{}")
    assert not await world.node.emulation.deliver(frame)
    world.broker.down = True
    world.broker.presence = world.broker.position  # asks, and gets no answer
    with pytest.raises(BrokerDown):
        await world.node.emulation.deliver(frame)


@pytest.mark.parametrize("data", [b"", b"null", b"{}", b'{"node":"n","session":"s"}', b"\xff"])
def test_what_is_no_request_is_no_request(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        EmulationRequest.read(data, binary=False)


@pytest.fixture
def load(settings: Settings) -> Callable[..., Settings]:
    """Settings with some variables changed."""

    def load(**changed: str) -> Settings:
        environment = {
            "HUB_ENV": "test",
            "HUB_DATABASE_URL": settings.database_url,
            "HUB_REDIS_URL": settings.redis_url,
            "HUB_MASTER_KEY": settings.keys.master.reveal(),
            "HUB_SIGNING_KEY": settings.keys.signing.reveal(),
            "HUB_PAYSTACK_SECRET_KEY": "unused",
            "HUB_AT_API_KEY": "unused",
            "HUB_AT_CALLBACK_TOKEN": "unused-unused-unused",
            "HUB_FCM_SERVICE_ACCOUNT": json.dumps({}),
        }
        return Settings.load(environment | changed)

    return load


def test_limits_come_from_the_environment(load: Callable[..., Settings]) -> None:
    ours = load(HUB_PING_INTERVAL="50", HUB_MAX_CONNECTIONS_PER_PERSON="3").realtime
    assert (ours.ping_seconds, ours.per_person, ours.per_address) == (50, 3, 20_000)
    assert (ours.drain_seconds, ours.deflate) == (0, False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HUB_PING_INTERVAL", "9"),
        ("HUB_PING_INTERVAL", "soon"),
        ("HUB_MAX_CONNECTIONS_PER_ADDRESS", "-1"),
        ("HUB_DRAIN_SECONDS", "1.5"),
        ("HUB_REALTIME_DEFLATE", "yes"),
    ],
)
def test_a_limit_that_is_none_stops_the_start(
    load: Callable[..., Settings], name: str, value: str
) -> None:
    with pytest.raises(SettingsFault) as fault:
        load(**{name: value})
    assert name in fault.value.message
