"""People: sealed, found, erased."""

import pytest

from hub.clock import ManualClock
from hub.database import Connection, Database
from hub.identity import find_by_phone, get_person, phone_of, register_person
from hub.identity.errors import PhoneTaken
from hub.phone import Phone
from hub.sealing import Keyring

AMINA = Phone("+254700000001")


async def test_a_person_is_found_by_number(
    database: Database, keyring: Keyring, clock: ManualClock
) -> None:
    async def work(tx: Connection) -> None:
        person = await register_person(
            tx, keyring, clock, phone=AMINA, display_name="Amina", legal_name="Amina Otieno",
            language="sw", country="KE", roles=["owner"], kyc_level=1, pin="2580",
        )  # fmt: skip
        assert await find_by_phone(tx, keyring, AMINA) == person
        assert await get_person(tx, person.id) == person
        assert await phone_of(tx, keyring, person.id) == AMINA
        assert person.timezone == "Africa/Nairobi"
        with pytest.raises(PhoneTaken):
            await register_person(
                tx, keyring, clock, phone=AMINA, display_name="A", legal_name="B",
                language="en", country="KE", roles=[], kyc_level=0,
            )  # fmt: skip

    await database.transaction(work)
