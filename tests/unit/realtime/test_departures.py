"""A person counts as gone when the last session has been away for longer than a reconnect takes."""

from collections.abc import Sequence

from hub.realtime.departures import GRACE_SECONDS, Departures


class Present:
    """The broker as far as presence goes."""

    def __init__(self) -> None:
        self.channels: dict[str, dict[str, bytes]] = {}

    async def presence(self, channel: str) -> dict[str, bytes]:
        return self.channels.get(channel, {})


class Told:
    def __init__(self) -> None:
        self.users: list[str] = []

    async def __call__(self, users: Sequence[str]) -> None:
        self.users.extend(users)


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def _departures() -> tuple[Departures, Present, Told, Time]:
    present, told, time = Present(), Told(), Time()
    return Departures(present, time, told), present, told, time  # type: ignore[arg-type]


async def test_who_stays_away_is_told_of_once() -> None:
    departures, _, told, time = _departures()
    departures.left("ada", "personal:#ada")
    await departures.look()
    assert told.users == []
    time.now += GRACE_SECONDS
    await departures.look()
    await departures.look()
    assert told.users == ["ada"]


async def test_who_is_back_or_elsewhere_has_not_left() -> None:
    departures, present, told, time = _departures()
    departures.left("ada", "personal:#ada")
    present.channels["personal:#ada"] = {"another-session": b"{}"}
    time.now += GRACE_SECONDS
    await departures.look()
    assert told.users == []


async def test_a_later_departure_starts_the_grace_anew() -> None:
    departures, _, told, time = _departures()
    departures.left("ada", "personal:#ada")
    time.now += GRACE_SECONDS - 1
    departures.left("ada", "personal:#ada")
    time.now += GRACE_SECONDS - 1
    await departures.look()
    assert told.users == []
    time.now += 1
    await departures.look()
    assert told.users == ["ada"]


async def test_nobody_anonymous_is_remembered() -> None:
    departures, _, told, time = _departures()
    departures.left("", "personal:#")
    departures.left("ada", None)
    time.now += GRACE_SECONDS
    await departures.look()
    assert told.users == []
