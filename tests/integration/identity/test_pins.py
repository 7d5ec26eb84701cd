"""PINs: few digits, protected by counting."""

import asyncio
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from hub.clock import ManualClock
from hub.database import Connection, Database
from hub.identity import Person, PinLocked, PinWrong, has_pin, set_pin, verify_pin
from hub.ids import PersonId, new_id
from hub.sealing import Keyring


async def fail(
    database: Database, keyring: Keyring, clock: ManualClock, person_id: PersonId
) -> int | None:
    """One wrong PIN: how many tries it says are left, None where it locked."""
    try:
        await verify_pin(database, keyring, clock, person_id, "9999")
    except PinWrong as wrong:
        return wrong.attempts_left
    except PinLocked:
        return None
    raise AssertionError("a wrong PIN was right")


async def test_the_right_pin_fits_and_clears_the_count(
    database: Database, keyring: Keyring, clock: ManualClock, amina: Person
) -> None:
    for _ in range(3):
        assert [await fail(database, keyring, clock, amina.id) for _ in range(4)] == [4, 3, 2, 1]
        await verify_pin(database, keyring, clock, amina.id, "2580")


async def test_five_wrong_pins_lock_and_each_further_one_doubles_the_wait(
    database: Database, keyring: Keyring, clock: ManualClock, amina: Person
) -> None:
    assert [await fail(database, keyring, clock, amina.id) for _ in range(5)] == [4, 3, 2, 1, None]
    for seconds in (60, 120, 240):
        with pytest.raises(PinLocked) as locked:
            await verify_pin(database, keyring, clock, amina.id, "2580")
        assert locked.value.retry_after == seconds
        clock.advance(timedelta(seconds=seconds))
        assert await fail(database, keyring, clock, amina.id) is None
    clock.advance(timedelta(seconds=480))
    await verify_pin(database, keyring, clock, amina.id, "2580")
    assert await fail(database, keyring, clock, amina.id) == 4


async def test_guessing_in_parallel_gains_nothing(
    database: Database, keyring: Keyring, clock: ManualClock, amina: Person
) -> None:
    guesses = (verify_pin(database, keyring, clock, amina.id, f"70{n:02d}") for n in range(12))
    outcomes = await asyncio.gather(*guesses, return_exceptions=True)
    assert sum(isinstance(outcome, PinWrong) for outcome in outcomes) == 4
    assert sum(isinstance(outcome, PinLocked) for outcome in outcomes) == 8
    with pytest.raises(PinLocked):
        await verify_pin(database, keyring, clock, amina.id, "2580")


async def test_a_person_without_a_pin_behaves_like_one_with_another(
    database: Database, keyring: Keyring, clock: ManualClock, amina: Person
) -> None:
    async with database.connection() as connection:
        await connection.execute("DELETE FROM pins")
        assert not await has_pin(connection, amina.id)
    assert [await fail(database, keyring, clock, amina.id) for _ in range(5)] == [4, 3, 2, 1, None]
    with pytest.raises(PinWrong):
        await verify_pin(database, keyring, clock, PersonId(new_id(clock.now())), "2580")


async def test_a_new_pin_replaces_the_old_one_and_unlocks(
    database: Database, keyring: Keyring, clock: ManualClock, amina: Person
) -> None:
    for _ in range(5):
        await fail(database, keyring, clock, amina.id)

    async def work(tx: Connection) -> None:
        await set_pin(tx, keyring, clock, amina.id, "9173")

    await database.transaction(work)
    await verify_pin(database, keyring, clock, amina.id, "9173")
    with pytest.raises(PinWrong):
        await verify_pin(database, keyring, clock, amina.id, "2580")


async def test_the_event_loop_runs_on_while_a_pin_is_hashed(
    database: Database, keyring: Keyring, clock: ManualClock, amina: Person
) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await verify_pin(database, keyring, clock, amina.id, "2580")
    ticking.cancel()
    assert ticks >= 2


async def test_the_pin_itself_stands_nowhere(database: Database, amina: Person) -> None:
    async with database.connection() as connection:
        row = str(await connection.fetchval("SELECT pins::text FROM pins"))
    assert "$argon2id$" in row
    assert "2580" not in row.split(",")[1].split("$")


async def test_a_suspended_person_has_no_right_pin(
    database: Database, keyring: Keyring, clock: ManualClock, amina: Person
) -> None:
    async with database.connection() as connection:
        await connection.execute("UPDATE people SET state = 'suspended'")
    with pytest.raises(PinWrong):
        await verify_pin(database, keyring, clock, amina.id, "2580")


async def test_a_stolen_table_of_pins_cannot_be_guessed_at_without_the_key(
    database: Database, keyring: Keyring, clock: ManualClock, amina: Person
) -> None:
    async with database.connection() as connection:
        stored = await connection.fetchval("SELECT hash FROM pins WHERE person_id = $1", amina.id)
    with pytest.raises(VerificationError):
        PasswordHasher().verify(stored, "2580")
    with pytest.raises(PinWrong):
        await verify_pin(database, Keyring(b"x" * 32), clock, amina.id, "2580")
    await verify_pin(database, keyring, clock, amina.id, "2580")
