"""Quiet hours: local times between which promotional notices wait."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

__all__ = ["quiet_end"]


def quiet_end(now: datetime, start: time, end: time, timezone: str) -> datetime | None:
    """When the quiet hours around ``now`` end; None outside of them.

    ``start`` and ``end`` are local times in ``timezone`` (IANA); a start after the end runs over
    midnight, and equal ones mean no quiet hours. The end is returned in UTC's terms of ``now``.
    """
    zone = ZoneInfo(timezone)
    local = now.astimezone(zone)
    clock = local.time()
    if start == end:
        return None
    inside = start <= clock < end if start < end else clock >= start or clock < end
    if not inside:
        return None
    day = local.date() if clock < end else local.date() + timedelta(days=1)
    return datetime.combine(day, end, zone).astimezone(now.tzinfo)
