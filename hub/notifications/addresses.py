"""Addresses by their blind index, and those that a provider called dead."""

from datetime import datetime

from hub.database import Connection
from hub.notifications.model import Address
from hub.sealing import Keyring

__all__ = ["address_hash", "is_retired", "retire_address", "revive_address"]

_RETIRE = """
INSERT INTO retired_addresses (channel, address_hash, reason, retired_at)
VALUES ($1, $2, $3, $4) ON CONFLICT (channel, address_hash) DO NOTHING
"""


def address_hash(keyring: Keyring, address: Address) -> bytes:
    """What attempts and reports know an address by."""
    return keyring.index(address.value, "address")


async def is_retired(c: Connection, channel: str, hashed: bytes) -> bool:
    """Whether nothing may be sent to the address any more."""
    row = await c.fetchrow(
        "SELECT 1 FROM retired_addresses WHERE channel = $1 AND address_hash = $2",
        channel,
        hashed,
    )
    return row is not None


async def retire_address(
    tx: Connection, channel: str, hashed: bytes, reason: str, at: datetime
) -> None:
    """Nothing is sent to the address any more."""
    await tx.execute(_RETIRE, channel, hashed, reason, at)


async def revive_address(tx: Connection, channel: str, hashed: bytes) -> None:
    """The address works again: somebody wrote to us from it."""
    await tx.execute(
        "DELETE FROM retired_addresses WHERE channel = $1 AND address_hash = $2", channel, hashed
    )
