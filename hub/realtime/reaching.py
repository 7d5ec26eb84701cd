"""Which events must reach their person, so that their delivery is asked for at once."""

from collections.abc import Callable

import msgspec

from hub.events import catalogue

__all__ = ["Reaching"]


class _Kind(msgspec.Struct):
    event: str = ""


class Reaching:
    """``by_kind`` decides by an event's kind; by default the catalogue of events does."""

    __slots__ = ("_by_kind",)

    def __init__(self, by_kind: Callable[[str], bool] | None) -> None:
        self._by_kind = by_kind or _by_catalogue

    def __call__(self, data: bytes) -> bool:
        """Whether the event in ``data`` must reach its person."""
        try:
            kind = msgspec.json.decode(data, type=_Kind).event
        except msgspec.DecodeError:
            return False
        return self._by_kind(kind)


def _by_catalogue(kind: str) -> bool:
    event = catalogue().get(kind)
    return event is not None and event.reach is not None
