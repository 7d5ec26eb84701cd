"""What identity tells the world. Ids only: names and numbers stay sealed."""

from typing import ClassVar

from hub.events import Event
from hub.identity.model import Platform
from hub.ids import DeviceId, PersonId

__all__ = ["Erased", "PinChanged", "SessionRevoked", "SignedIn"]


class SignedIn(Event, frozen=True, kw_only=True):
    """A person signed in; their other devices hear of it."""

    kind: ClassVar[str] = "identity.signed_in"
    person_id: PersonId
    device_id: DeviceId
    platform: Platform


class PinChanged(Event, frozen=True, kw_only=True):
    """A person's PIN was set or replaced."""

    kind: ClassVar[str] = "identity.pin_changed"
    person_id: PersonId


class SessionRevoked(Event, frozen=True, kw_only=True):
    """A refresh token was used twice: somebody has a copy, so the whole session ended."""

    kind: ClassVar[str] = "identity.session_revoked"
    person_id: PersonId
    device_id: DeviceId


class Erased(Event, frozen=True, kw_only=True):
    """A person's key was destroyed; audit only."""

    kind: ClassVar[str] = "identity.erased"
    person_id: PersonId
