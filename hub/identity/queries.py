"""SQL of people and devices, beside what turns a row into a value."""

from asyncpg import Record

from hub.identity.model import Device, Person
from hub.ids import DeviceId, PersonId

__all__ = [
    "DEVICES_OF",
    "ERASE",
    "INSERT_DEVICE",
    "INSERT_PERSON",
    "NAMES",
    "PERSON",
    "PERSON_BY_PHONE",
    "RETIRE_DEVICE",
    "SEALED",
    "SET_DEVICE_PUSH",
    "SET_LANGUAGE",
    "SILENCE_DEVICE",
    "SILENCE_OTHERS",
    "to_device",
    "to_person",
]

_PERSON = "SELECT id, display_name, language, country, timezone, roles, kyc_level FROM people"

PERSON = f"{_PERSON} WHERE id = $1"
PERSON_BY_PHONE = f"{_PERSON} WHERE phone_index = $1"
NAMES = "SELECT id, display_name FROM people WHERE id = ANY($1)"
SEALED = "SELECT legal_name_sealed, phone_sealed, wrapped_key FROM people WHERE id = $1"
INSERT_PERSON = """
INSERT INTO people (id, display_name, legal_name_sealed, phone_sealed, phone_index, language,
                    country, timezone, kyc_level, roles, wrapped_key, state, registered_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'active', $12)
ON CONFLICT (phone_index) DO NOTHING RETURNING id
"""
SET_LANGUAGE = "UPDATE people SET language = $2 WHERE id = $1 AND state = 'active'"
ERASE = """
UPDATE people SET state = 'erased', wrapped_key = NULL, phone_index = NULL, display_name = $2
WHERE id = $1 AND state <> 'erased' RETURNING id
"""

DEVICES_OF = """
SELECT id, platform, push_token FROM devices
WHERE person_id = $1 AND retired_at IS NULL ORDER BY id
"""
INSERT_DEVICE = """
INSERT INTO devices (id, person_id, platform, name, registered_at) VALUES ($1, $2, $3, $4, $5)
"""
RETIRE_DEVICE = "UPDATE devices SET push_token = NULL, retired_at = $2 WHERE id = $1"
SILENCE_DEVICE = "UPDATE devices SET push_token = NULL WHERE id = $1"
SILENCE_OTHERS = "UPDATE devices SET push_token = NULL WHERE push_token = $2 AND id <> $1"
SET_DEVICE_PUSH = "UPDATE devices SET push_token = $2 WHERE id = $1 AND retired_at IS NULL"


def to_person(row: Record) -> Person:
    return Person(
        id=PersonId(row["id"]),
        display_name=row["display_name"],
        language=row["language"],
        country=row["country"],
        timezone=row["timezone"],
        roles=frozenset(row["roles"]),
        kyc_level=row["kyc_level"],
    )


def to_device(row: Record) -> Device:
    return Device(DeviceId(row["id"]), row["platform"], row["push_token"])
