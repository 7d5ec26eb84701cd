"""People: registered, found by number, erased.

Legal name and phone number are sealed with the person's own key; the number is found by a blind
index. Erasing destroys the key: the sealed bytes stay where they are (also in backups), and nobody
can read them again, while ledger and audit chain, which know people by id only, stay whole.
"""

from collections.abc import Iterable

from phonenumbers import parse as parse_number
from phonenumbers.timezone import time_zones_for_number

from hub.clock import Clock
from hub.database import Connection
from hub.events import append
from hub.identity import queries
from hub.identity.errors import PersonUnknown, PhoneTaken
from hub.identity.events import Erased
from hub.identity.model import Language, Person, check_display_name
from hub.identity.pins import set_pin
from hub.ids import PersonId, new_id
from hub.phone import Phone
from hub.sealing import Keyring

__all__ = [
    "erase_person",
    "find_by_phone",
    "get_person",
    "legal_name_of",
    "names_of",
    "phone_index",
    "phone_of",
    "register_person",
    "set_language",
]

_ERASED_NAME = "Former member"


def phone_index(keyring: Keyring, phone: Phone) -> bytes:
    """The blind index of a number."""
    return keyring.index(phone, "phone")


async def get_person(connection: Connection, person_id: PersonId) -> Person:
    """The person with this id, erased ones included. Raises ``PersonUnknown``."""
    row = await connection.fetchrow(queries.PERSON, person_id)
    if row is None:
        raise PersonUnknown("Nobody has this id.")
    return queries.to_person(row)


async def names_of(connection: Connection, people: Iterable[PersonId]) -> dict[PersonId, str]:
    """The public names of several people; unknown ids are left out."""
    rows = await connection.fetch(queries.NAMES, list(people))
    return {PersonId(row["id"]): row["display_name"] for row in rows}


async def find_by_phone(connection: Connection, keyring: Keyring, phone: Phone) -> Person | None:
    """Who has this number, if anybody."""
    row = await connection.fetchrow(queries.PERSON_BY_PHONE, phone_index(keyring, phone))
    return queries.to_person(row) if row else None


async def phone_of(connection: Connection, keyring: Keyring, person_id: PersonId) -> Phone | None:
    """The person's number; None for nobody and for an erased person."""
    text = await _unseal(connection, keyring, person_id, "phone")
    return Phone(text) if text else None


async def legal_name_of(
    connection: Connection, keyring: Keyring, person_id: PersonId
) -> str | None:
    """The person's legal name; None for nobody and for an erased person."""
    return await _unseal(connection, keyring, person_id, "legal_name")


async def register_person(
    tx: Connection,
    keyring: Keyring,
    clock: Clock,
    *,
    phone: Phone,
    display_name: str,
    legal_name: str,
    language: Language,
    country: str,
    roles: Iterable[str],
    kyc_level: int,
    pin: str | None = None,
) -> Person:
    """A new person. The time zone is the number's own (libphonenumber), UTC where unknown.

    Raises ``PhoneTaken``, ``Invalid`` for the name, and what ``set_pin`` raises.
    """
    person = Person(
        id=PersonId(new_id(clock.now())),
        display_name=check_display_name(display_name),
        language=language,
        country=country,
        timezone=_timezone_of(phone),
        roles=frozenset(roles),
        kyc_level=kyc_level,
    )
    key, wrapped = keyring.new_key(_subject(person.id))
    added = await tx.fetchval(
        queries.INSERT_PERSON,
        person.id,
        person.display_name,
        key.seal(legal_name, _place(person.id, "legal_name")),
        key.seal(phone, _place(person.id, "phone")),
        phone_index(keyring, phone),
        person.language,
        person.country,
        person.timezone,
        person.kyc_level,
        sorted(person.roles),
        wrapped,
        clock.now(),
    )
    if added is None:
        raise PhoneTaken("Somebody is registered with this number.")
    if pin is not None:
        await set_pin(tx, keyring, clock, person.id, pin)
    return person


async def set_language(tx: Connection, person_id: PersonId, language: Language) -> None:
    """Which language the hub speaks to the person from now on."""
    await tx.execute(queries.SET_LANGUAGE, person_id, language)


async def erase_person(tx: Connection, clock: Clock, person_id: PersonId, *, actor: str) -> None:
    """Destroys the person's key, frees the number, ends every session, forgets devices and PIN.

    Doing it again changes nothing. Raises ``PersonUnknown``.
    """
    if await tx.fetchval(queries.ERASE, person_id, _ERASED_NAME) is None:
        await get_person(tx, person_id)
        return
    now = clock.now()
    await tx.execute("DELETE FROM pins WHERE person_id = $1", person_id)
    await tx.execute("DELETE FROM sign_in_challenges WHERE person_id = $1", person_id)
    await tx.execute(
        "UPDATE sessions SET revoked_at = $2, revoked_reason = 'erased'"
        " WHERE person_id = $1 AND revoked_at IS NULL",
        person_id,
        now,
    )
    await tx.execute(
        "UPDATE devices SET name = '', push_token = NULL, retired_at = coalesce(retired_at, $2)"
        " WHERE person_id = $1",
        person_id,
        now,
    )
    await append(tx, Erased(person_id=person_id), at=now, actor=actor)


async def _unseal(
    connection: Connection, keyring: Keyring, person_id: PersonId, field: str
) -> str | None:
    row = await connection.fetchrow(queries.SEALED, person_id)
    if row is None or row["wrapped_key"] is None:
        return None
    key = keyring.unwrap(row["wrapped_key"], _subject(person_id))
    return key.open(row[f"{field}_sealed"], _place(person_id, field))


def _subject(person_id: PersonId) -> str:
    return f"person:{person_id}"


def _place(person_id: PersonId, field: str) -> str:
    """Where a sealed value belongs; it opens nowhere else."""
    return f"people/{person_id}/{field}"


def _timezone_of(phone: Phone) -> str:
    zones = time_zones_for_number(parse_number(phone))
    return zones[0] if zones and zones[0] != "Etc/Unknown" else "UTC"
