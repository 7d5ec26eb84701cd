"""What identity's routes take and give. Bodies with secrets never show them in a repr."""

from typing import Annotated
from uuid import UUID

import msgspec

from hub.identity.model import Language, Person, Platform
from hub.ids import PersonId
from hub.phone import Phone

__all__ = [
    "AskCode",
    "ChangeMe",
    "ChangePin",
    "CodeAsked",
    "DeviceNamed",
    "GiveCode",
    "GiveRefresh",
    "Me",
    "PersonView",
    "PushToken",
    "RealtimeToken",
    "SessionView",
    "me_view",
    "person_view",
]

_Short = Annotated[str, msgspec.Meta(max_length=200)]


class AskCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``phone`` in international form, as ``+254700000001``."""

    phone: _Short


class CodeAsked(msgspec.Struct, frozen=True):
    """The same for members and strangers; ``expires_in`` seconds."""

    challenge_id: UUID
    expires_in: int


class DeviceNamed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    platform: Platform
    name: _Short


class GiveCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    challenge_id: UUID
    code: _Short
    device: DeviceNamed

    def __repr__(self) -> str:
        return f"GiveCode({self.challenge_id})"


class GiveRefresh(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Empty where the cookie carries the token."""

    refresh_token: _Short | None = None

    def __repr__(self) -> str:
        return "GiveRefresh(…)"


class PersonView(msgspec.Struct, frozen=True):
    id: PersonId
    display_name: str
    language: Language
    country: str
    roles: list[str]
    kyc_level: int


class SessionView(msgspec.Struct, frozen=True):
    """``expires_in`` is the access token's, in seconds; ``refresh_token`` null for browsers."""

    access_token: str
    expires_in: int
    refresh_token: str | None
    person: PersonView

    def __repr__(self) -> str:
        return f"SessionView({self.person.id})"


class Me(PersonView, frozen=True):
    """What only the person sees of themselves."""

    timezone: str
    phone: str | None
    has_pin: bool


class ChangeMe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    language: Language


class ChangePin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """4 to 6 digits."""

    pin: _Short

    def __repr__(self) -> str:
        return "ChangePin(…)"


class PushToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    token: Annotated[str, msgspec.Meta(max_length=4096)]

    def __repr__(self) -> str:
        return "PushToken(…)"


class RealtimeToken(msgspec.Struct, frozen=True):
    """``expires_in`` seconds; the SDK asks here again before that."""

    token: str
    expires_in: int


def person_view(person: Person) -> PersonView:
    return PersonView(
        person.id,
        person.display_name,
        person.language,
        person.country,
        sorted(person.roles),
        person.kyc_level,
    )


def me_view(person: Person, *, phone: Phone | None, has_pin: bool) -> Me:
    return Me(
        person.id,
        person.display_name,
        person.language,
        person.country,
        sorted(person.roles),
        person.kyc_level,
        person.timezone,
        phone,
        has_pin,
    )
