"""People, their devices, and who is asking: plain values without I/O."""

from typing import Literal, TypeAlias, get_args
from uuid import UUID

import msgspec

from hub.errors import Invalid
from hub.ids import DeviceId, PersonId

__all__ = [
    "ConnectionClaims",
    "Device",
    "Language",
    "Person",
    "Platform",
    "Principal",
    "check_display_name",
    "parse_language",
]

Language: TypeAlias = Literal["en", "sw", "fr"]
Platform: TypeAlias = Literal["web", "android", "ios"]

_LONGEST_NAME = 80


class Person(msgspec.Struct, frozen=True):
    """What the hub may show and reason about; nothing in it is sealed.

    ``country`` is ISO 3166, ``timezone`` an IANA name, ``kyc_level`` 0 (phone only) to 3.
    """

    id: PersonId
    display_name: str
    language: Language
    country: str
    timezone: str
    roles: frozenset[str]
    kyc_level: int


class Device(msgspec.Struct, frozen=True):
    """One signed-in app or browser; ``push_token`` where push can reach it."""

    id: DeviceId
    platform: Platform
    push_token: str | None


class Principal(msgspec.Struct, frozen=True):
    """Who asks: the person behind an access token, their roles, device and session."""

    person_id: PersonId
    roles: frozenset[str]
    device_id: DeviceId | None
    session_id: UUID

    @property
    def actor(self) -> str:
        """The name under which the audit chain and idempotency keys know this person."""
        return f"person:{self.person_id}"


class ConnectionClaims(msgspec.Struct, frozen=True):
    """What a real-time connection token says.

    ``user`` is the person's UUID in text, ``expires_at`` Unix seconds, ``info`` what other
    subscribers may see: ``{"name": str}``; ``device`` the device's UUID, which they may not.
    """

    user: str
    expires_at: int
    info: dict[str, str | None]
    device: str | None


def parse_language(text: str) -> Language:
    """A language the hub speaks. Raises ``Invalid``."""
    for language in get_args(Language):
        if language == text:
            return language  # type: ignore[no-any-return]  # get_args is untyped
    raise Invalid("The hub does not speak this language.", languages=list(get_args(Language)))


def check_display_name(text: str) -> str:
    """The name without outer spaces: 1 to 80 printable characters. Raises ``Invalid``."""
    name = text.strip()
    if not (0 < len(name) <= _LONGEST_NAME and name.isprintable()):
        raise Invalid(f"A display name has 1 to {_LONGEST_NAME} printable characters.")
    return name
