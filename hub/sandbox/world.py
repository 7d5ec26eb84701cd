"""What every stand-in works with: one object per running sandbox."""

import re
from secrets import token_hex
from typing import NewType

import msgspec

from hub.clock import Clock, milliseconds
from hub.errors import Invalid
from hub.sandbox.behaviour import Behaviours
from hub.sandbox.courier import Courier, Pace
from hub.sandbox.store import Store
from hub.settings import Settings

__all__ = ["Msisdn", "World", "is_e164", "parse_msisdn"]

Msisdn = NewType("Msisdn", str)
"""A subscriber's number in E.164 with its plus sign; the sandbox has a phone for every number."""

_E164 = re.compile(r"\+[1-9]\d{6,14}")


def is_e164(text: str) -> bool:
    return _E164.fullmatch(text) is not None


def parse_msisdn(text: str) -> Msisdn:
    """The number in a path; the plus sign may be missing. Raises ``Invalid``."""
    number = text if text.startswith("+") else f"+{text.strip()}"
    if not is_e164(number):
        raise Invalid("A phone is addressed by its number in E.164, as +254700000001.")
    return Msisdn(number)


class World(msgspec.Struct, frozen=True):
    """The sandbox's settings, memory, messenger and manners."""

    settings: Settings
    clock: Clock
    pace: Pace
    store: Store
    courier: Courier
    behaviours: Behaviours

    def now(self) -> int:
        """Unix time in milliseconds."""
        return milliseconds(self.clock.now())

    def callback_path(self, rest: str) -> str:
        """Where the hub takes Africa's Talking's callbacks."""
        return f"/callbacks/{self.settings.africas_talking.callback_token.reveal()}/{rest}"

    def keep_message(
        self, msisdn: str, direction: str, peer: str, text: str, message_id: str | None = None
    ) -> str:
        """Puts an SMS on a phone (``in`` = received by it); returns the message's id."""
        message_id = message_id or token_hex(16)
        self.store.run(
            "INSERT INTO messages (id, msisdn, direction, peer, text, at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            message_id,
            msisdn,
            direction,
            peer,
            text,
            self.now(),
        )
        return message_id
