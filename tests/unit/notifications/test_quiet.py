"""Quiet hours, in the person's own time."""

from datetime import UTC, datetime, time

import pytest

from hub.notifications import quiet_end


@pytest.mark.parametrize(
    ("utc_hour", "ends"),
    [
        (16, None),  # 19:00 in Nairobi
        (17, datetime(2026, 11, 25, 5, tzinfo=UTC)),  # 20:00: the night begins
        (23, datetime(2026, 11, 25, 5, tzinfo=UTC)),  # 02:00 of the next day
        (4, datetime(2026, 11, 24, 5, tzinfo=UTC)),  # 07:00
        (5, None),  # 08:00: it is over
    ],
)
def test_a_night_runs_over_midnight(utc_hour: int, ends: datetime | None) -> None:
    now = datetime(2026, 11, 24, utc_hour, tzinfo=UTC)
    assert quiet_end(now, time(20), time(8), "Africa/Nairobi") == ends


def test_a_siesta_does_not() -> None:
    now = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
    assert quiet_end(now, time(12), time(14), "UTC") == datetime(2026, 11, 24, 14, tzinfo=UTC)
    assert quiet_end(now, time(13), time(14), "UTC") is None


def test_equal_times_mean_no_quiet_hours() -> None:
    assert quiet_end(datetime(2026, 11, 24, 8, tzinfo=UTC), time(8), time(8), "UTC") is None
