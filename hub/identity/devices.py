"""Devices: every sign-in of an app or browser is one, until it signs out or its token dies."""

from datetime import datetime

from hub.clock import Clock
from hub.database import Connection
from hub.errors import Invalid
from hub.identity import queries
from hub.identity.model import Device, Platform
from hub.ids import DeviceId, PersonId, new_id

__all__ = [
    "check_device_name",
    "devices_of",
    "register_device",
    "retire_device",
    "retire_push_token",
    "set_push_token",
]

_LONGEST_NAME = 80
_LONGEST_TOKEN = 4096


def check_device_name(text: str) -> str:
    """What its owner calls a device: 1 to 80 printable characters. Raises ``Invalid``."""
    name = text.strip()
    if not (0 < len(name) <= _LONGEST_NAME and name.isprintable()):
        raise Invalid(f"A device's name has 1 to {_LONGEST_NAME} printable characters.")
    return name


async def devices_of(connection: Connection, person_id: PersonId) -> list[Device]:
    """The person's devices that are signed in, oldest first."""
    return [queries.to_device(row) for row in await connection.fetch(queries.DEVICES_OF, person_id)]


async def register_device(
    tx: Connection, clock: Clock, person_id: PersonId, *, platform: Platform, name: str
) -> Device:
    """A new device of the person. Raises ``Invalid`` for its name."""
    called = check_device_name(name)
    device = Device(DeviceId(new_id(clock.now())), platform, None)
    await tx.execute(queries.INSERT_DEVICE, device.id, person_id, platform, called, clock.now())
    return device


async def set_push_token(tx: Connection, device_id: DeviceId, token: str) -> bool:
    """Remembers where push reaches the device; whether there is such a device.

    A token that another device had moves here: a phone that changed hands must not get the
    notices of its last owner. Raises ``Invalid`` for a token that no push service gives.
    """
    if not (0 < len(token) <= _LONGEST_TOKEN and token.isascii() and token.isprintable()):
        raise Invalid("This is not a push token.")
    await tx.execute(queries.SILENCE_OTHERS, device_id, token)
    return bool(await tx.execute(queries.SET_DEVICE_PUSH, device_id, token) == "UPDATE 1")


async def retire_push_token(tx: Connection, device_id: DeviceId) -> None:
    """Forgets a token that the push service says is dead; the device stays signed in."""
    await tx.execute(queries.SILENCE_DEVICE, device_id)


async def retire_device(tx: Connection, device_id: DeviceId, at: datetime) -> None:
    """The device signed out: nothing is sent to it any more."""
    await tx.execute(queries.RETIRE_DEVICE, device_id, at)
