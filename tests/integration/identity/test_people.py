"""People: sealed, found, erased."""

import pytest

from hub.audit import Record, extend, verify_chains
from hub.clock import ManualClock
from hub.database import Connection, Database
from hub.errors import Invalid
from hub.identity import (
    Person,
    devices_of,
    erase_person,
    find_by_phone,
    get_person,
    has_pin,
    legal_name_of,
    phone_of,
    register_device,
    register_person,
    retire_push_token,
    set_push_token,
)
from hub.identity.errors import PersonUnknown, PhoneTaken
from hub.ids import PersonId, new_id
from hub.phone import Phone
from hub.sealing import Keyring, SealBroken

AMINA = Phone("+254700000001")
BABA = Phone("+254700000002")


async def register(
    database: Database, keyring: Keyring, clock: ManualClock, phone: Phone, name: str = "Baba"
) -> Person:
    async def work(tx: Connection) -> Person:
        return await register_person(
            tx, keyring, clock, phone=phone, display_name=name, legal_name=f"{name} Otieno",
            language="en", country="KE", roles=[], kyc_level=0,
        )  # fmt: skip

    return await database.transaction(work)


async def chain(database: Database) -> None:
    """Does to the outbox what the relay does: moves leading rows into the audit chain."""

    async def work(tx: Connection) -> None:
        rows = await tx.fetch("DELETE FROM outbox WHERE lead RETURNING *")
        names = ("shard", "event_id", "kind", "actor", "data", "evidence", "recorded_at")
        await extend(tx, [Record(*(row[name] for name in names)) for row in rows])

    await database.transaction(work)


async def test_a_person_is_found_by_number_and_read_with_the_keyring(
    database: Database, keyring: Keyring, amina: Person
) -> None:
    async with database.connection() as connection:
        assert await find_by_phone(connection, keyring, AMINA) == amina
        assert await get_person(connection, amina.id) == amina
        assert await phone_of(connection, keyring, amina.id) == AMINA
        assert await legal_name_of(connection, keyring, amina.id) == "Amina Otieno"
        assert await find_by_phone(connection, keyring, BABA) is None
    assert (amina.timezone, amina.roles) == ("Africa/Nairobi", {"owner"})


async def test_nothing_personal_stands_in_the_table_in_plain(
    database: Database, amina: Person
) -> None:
    async with database.connection() as connection:
        row = str(await connection.fetchval("SELECT people::text FROM people"))
    for text in ("Otieno", "254700000001"):
        assert text not in row
        assert text.encode().hex() not in row


async def test_another_keyring_reads_nothing(database: Database, amina: Person) -> None:
    async with database.connection() as connection:
        assert await find_by_phone(connection, Keyring(bytes(32)), AMINA) is None
        with pytest.raises(SealBroken):
            await phone_of(connection, Keyring(bytes(32)), amina.id)


async def test_a_sealed_number_opens_only_in_its_own_row(
    database: Database, keyring: Keyring, clock: ManualClock, amina: Person
) -> None:
    other = await register(database, keyring, clock, BABA)
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE people SET phone_sealed = (SELECT phone_sealed FROM people WHERE id = $1),"
            " wrapped_key = (SELECT wrapped_key FROM people WHERE id = $1) WHERE id = $2",
            amina.id,
            other.id,
        )
        with pytest.raises(SealBroken):
            await phone_of(connection, keyring, other.id)


async def test_one_number_is_one_person(
    database: Database, keyring: Keyring, clock: ManualClock, amina: Person
) -> None:
    with pytest.raises(PhoneTaken):
        await register(database, keyring, clock, AMINA)


async def test_a_name_must_be_showable(
    database: Database, keyring: Keyring, clock: ManualClock
) -> None:
    for name in ("", "  ", "x" * 81, "a\nb", "a\x00b"):
        with pytest.raises(Invalid):
            await register(database, keyring, clock, BABA, name)


async def test_nobody_has_an_unknown_id(
    database: Database, keyring: Keyring, clock: ManualClock
) -> None:
    nobody = PersonId(new_id(clock.now()))
    async with database.connection() as connection:
        with pytest.raises(PersonUnknown):
            await get_person(connection, nobody)
        assert await phone_of(connection, keyring, nobody) is None


async def test_erasing_destroys_what_was_sealed_and_the_audit_chain_stays_whole(
    database: Database, keyring: Keyring, clock: ManualClock, amina: Person
) -> None:
    await chain(database)
    async with database.connection() as connection:
        kept = await connection.fetchrow("SELECT phone_sealed, wrapped_key FROM people")

    async def work(tx: Connection) -> None:
        await register_device(tx, clock, amina.id, platform="ios", name="Amina's phone")
        await erase_person(tx, clock, amina.id, actor="person:officer")
        await erase_person(tx, clock, amina.id, actor="person:officer")

    await database.transaction(work)
    await chain(database)
    async with database.connection() as connection:
        assert await phone_of(connection, keyring, amina.id) is None
        assert await legal_name_of(connection, keyring, amina.id) is None
        assert await find_by_phone(connection, keyring, AMINA) is None
        assert (await get_person(connection, amina.id)).display_name == "Former member"
        assert await devices_of(connection, amina.id) == []
        assert not await has_pin(connection, amina.id)
        row = await connection.fetchrow("SELECT phone_sealed, wrapped_key FROM people")
        kinds = await connection.fetch("SELECT kind FROM audit_log")
    assert kept is not None
    assert row is not None
    assert row["phone_sealed"] == kept["phone_sealed"]  # the bytes stay, as in any backup
    assert row["wrapped_key"] is None
    assert sorted(row["kind"] for row in kinds) == ["identity.erased", "identity.pin_changed"]
    report = await verify_chains(database)
    assert (report.records, report.broken) == (2, [])
    again = await register(database, keyring, clock, AMINA)
    assert again.id != amina.id


async def test_a_push_token_moves_with_the_phone_and_dies_with_its_service(
    database: Database, keyring: Keyring, clock: ManualClock, amina: Person
) -> None:
    baba = await register(database, keyring, clock, BABA)

    async def work(tx: Connection) -> None:
        old = await register_device(tx, clock, amina.id, platform="android", name="Pixel")
        new = await register_device(tx, clock, baba.id, platform="android", name="Pixel")
        assert await set_push_token(tx, old.id, "token-1")
        assert await set_push_token(tx, new.id, "token-1")
        assert [d.push_token for d in await devices_of(tx, amina.id)] == [None]
        assert [d.push_token for d in await devices_of(tx, baba.id)] == ["token-1"]
        await retire_push_token(tx, new.id)
        assert [d.push_token for d in await devices_of(tx, baba.id)] == [None]
        for token in ("", "a b\n", "é", "x" * 4097):
            with pytest.raises(Invalid):
                await set_push_token(tx, new.id, token)
        with pytest.raises(Invalid):
            await register_device(tx, clock, baba.id, platform="web", name="\x07")

    await database.transaction(work)
