"""Sessions over real storage: repeats, drops, slowness, and secrets that stay nowhere."""

import asyncio
import logging
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.ussd.drafts import Promises
from channels.ussd.gsm import is_gsm, septets
from channels.ussd.model import (
    Invest,
)
from channels.ussd.session import Sessions
from channels.ussd.turn import Turn, Ussd
from hub.clock import ManualClock
from hub.database import Database
from hub.errors import Refused, Unavailable
from hub.ids import PersonId
from hub.money import Money
from hub.phone import Phone
from hub.redis_client import RedisClient
from hub.sealing import Keyring

HOME = "Bvester\n1 Salio\n2 Uwekezaji\n3 Fursa\n4 Ujumbe\n5 Lugha\n0 Toka"
TO_CONFIRM = ("2580", "3", "1", "1", "1000")


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_stranger_is_told_how_to_join(phone: Any) -> None:
    answer = await phone(number=Phone("+254700000099")).post()
    assert not answer.more
    assert answer.text.endswith("Join at hub.example")


async def test_a_member_signs_in_and_reads_in_their_language(phone: Any) -> None:
    dialled = phone()
    assert (await dialled.post()).text == "Bvester: karibu, Otieno.\nWeka PIN yako:"
    assert (await dialled.types("2580")).text == HOME
    assert (await dialled.types("1")).text == "Pesa zako:\nWewe: KES 5,000\n0 Rudi 00 Mwanzo"
    ended = await dialled.types("00", "0")
    assert (ended.text, ended.more) == ("Asante kwa kutumia Bvester.", False)


async def test_a_repeated_post_gets_the_stored_answer_and_does_nothing_again(
    phone: Any, desk: Any
) -> None:
    dialled = phone()
    await dialled.post()
    await dialled.types(*TO_CONFIRM)
    first = await dialled.types("1")
    assert first.text.startswith("Imekamilika. Umewekeza KES 1,000")
    assert [await dialled.post() for _ in range(3)] == [first] * 3
    assert len(desk.done) == 1


async def test_posts_of_one_hop_at_once_invest_once(phone: Any, desk: Any) -> None:
    dialled = phone()
    await dialled.post()
    await dialled.types(*TO_CONFIRM)
    dialled.path += "*1"
    answers = await asyncio.gather(*(dialled.post() for _ in range(5)))
    assert len({answer.text for answer in answers}) == 1
    assert len(desk.done) == 1


async def test_an_earlier_hop_repeated_late_changes_nothing(phone: Any) -> None:
    dialled = phone()
    await dialled.post()
    await dialled.types("2580", "1")
    early, dialled.path = dialled.path, "2580"
    assert (await dialled.post()).text == HOME
    dialled.path = early
    assert (await dialled.types("0")).text == HOME


async def test_a_dropped_session_goes_on_after_the_pin(phone: Any, clock: ManualClock) -> None:
    await phone().post()
    await phone().types("", "2580", "3", "1", "1")
    clock.advance(timedelta(minutes=9))
    again = phone()
    await again.post()
    assert (await again.types("2580")).text == (
        "Uliishia njiani. Uendelee hapo?\n1 Endelea\n2 Menyu kuu"
    )
    third = phone()  # dropped again, at the question itself
    await third.post()
    assert (await third.types("2580", "1")).text.startswith("Cold store\nKiasi gani")


async def test_after_ten_minutes_a_dropped_session_is_over(phone: Any, clock: ManualClock) -> None:
    await phone().types("", "2580", "3", "1")
    clock.advance(timedelta(minutes=10, seconds=1))
    dialled = phone()
    await dialled.post()
    assert (await dialled.types("2580")).text == HOME


async def test_who_hung_up_after_reading_is_not_asked_to_go_on(phone: Any) -> None:
    await phone().types("", "2580", "1")
    dialled = phone()
    await dialled.post()
    assert (await dialled.types("2580")).text == HOME


async def test_whoever_does_not_know_the_pin_cannot_spoil_the_place(phone: Any) -> None:
    await phone().types("", "2580", "3", "1")
    thief = phone()
    await thief.post()
    await thief.types("0000")
    dialled = phone()
    await dialled.post()
    assert (await dialled.types("2580")).text.startswith("Uliishia njiani.")


async def test_redialling_shows_the_outcome_of_what_was_confirmed(phone: Any, desk: Any) -> None:
    first = phone()
    await first.post()
    await first.types(*TO_CONFIRM)
    desk.wait.clear()
    late = await first.types("1")
    assert (late.text, late.more) == (
        "Inachukua muda kidogo. Utapokea SMS yenye matokeo.",
        False,
    )
    again = phone()
    await again.post()
    await again.types("2580")
    desk.wait.set()
    await until(lambda: desk.done)
    assert (await again.types("1")).text.startswith("Imekamilika. Umewekeza KES 1,000")
    assert len(desk.done) == 1


async def test_what_was_slow_is_told_by_sms_once(
    phone: Any, desk: Any, database: Database, otieno: PersonId, redis: RedisClient, clock: Any
) -> None:
    dialled = phone()
    await dialled.post()
    await dialled.types(*TO_CONFIRM)
    desk.wait.clear()
    await dialled.types("1")
    assert await dialled.post() == await dialled.post()
    desk.wait.set()

    async def told() -> list[Any]:
        async with database.connection() as connection:
            rows = await connection.fetch(
                "SELECT kind, recipients FROM outbox WHERE kind LIKE 'ussd.%'"
            )
        return [tuple(row) for row in rows]

    async with asyncio.timeout(5):
        while not await told():
            await asyncio.sleep(0.02)
    promises = Promises(database, redis, clock)
    assert await promises.keep_all() == 0
    assert await told() == [("ussd.request_done", [otieno])]


async def test_what_is_slow_to_read_ends_politely_and_the_hop_may_come_again(
    phone: Any, desk: Any
) -> None:
    dialled = phone()
    await dialled.post()
    await dialled.types("2580")
    desk.reading.clear()
    slow = await dialled.types("1")
    assert slow.text.startswith("Samahani, inachukua muda mrefu.")
    assert not slow.more
    desk.reading.set()
    assert (await dialled.post()).text.startswith("Pesa zako:")


async def test_a_turn_of_a_session_waits_for_the_one_before(phone: Any, desk: Any) -> None:
    dialled = phone()
    await dialled.post()
    await dialled.types("2580")
    desk.reading.clear()
    first = asyncio.create_task(dialled.types("1"))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(dialled.types("0"))
    await asyncio.sleep(0.1)
    desk.reading.set()
    assert (await first).text.startswith("Pesa zako:")
    assert (await second).text == HOME


async def test_a_promise_of_what_never_began_is_closed_for_ever(
    phone: Any, desk: Any, database: Database, otieno: PersonId, redis: RedisClient, clock: Any
) -> None:
    draft = "0193ba5e-0000-7000-8000-00000000000d"
    promises = Promises(database, redis, clock)
    await promises.promise(otieno, draft, "Cold store")
    assert await promises.keep_all() == 0
    clock.advance(timedelta(minutes=3))
    assert await promises.keep_all() == 1
    late = Invest("o1", "Cold store", Money(1, "KES"), draft)
    assert (await desk.perform(late, otieno)).kind == "ussd_request_lost"
    assert desk.done == []


async def test_five_wrong_pins_lock_whatever_the_session(phone: Any) -> None:
    texts = []
    for pins in (("0001", "0002", "0003"), ("0004", "0005")):
        dialled = phone()
        await dialled.post()
        texts += [(await dialled.types(pin)).text for pin in pins]
    assert texts[0].startswith("PIN si sahihi. Majaribio: 4.")
    assert texts[2] == "Haikufaulu. Tafadhali piga tena ukiwa tayari."
    assert texts[4].startswith("PIN yako imefungwa.")
    dialled = phone()
    await dialled.post()
    locked = await dialled.types("2580")
    assert locked.text.startswith("PIN yako imefungwa.")
    assert not locked.more


async def test_a_path_dialled_at_once_goes_on_after_the_pin(phone: Any) -> None:
    dialled = phone("3*1")
    assert (await dialled.post()).text.startswith("Bvester: karibu")
    assert (await dialled.types("2580")).text.startswith("Cold store, Ziwa Fish\nImepata")
    assert (await dialled.types("0")).text.startswith("Fursa zilizo wazi:")


async def test_several_words_in_one_hop_are_several_inputs(phone: Any) -> None:
    dialled = phone()
    await dialled.post()
    assert (await dialled.types("2580*3*1*1*1000")).text.startswith("Uwekeze KES 1,000")


async def test_a_star_in_a_message_is_a_star(phone: Any, desk: Any) -> None:
    dialled = phone()
    await dialled.post()
    await dialled.types("2580", "4", "1", "1", "20 * 30 kg")
    assert [action.text for action in desk.done] == ["20 * 30 kg"]


async def test_a_session_belongs_to_one_number(phone: Any, ussd: Ussd) -> None:
    dialled = phone()
    await dialled.post()
    await dialled.types("2580", "1")
    for path in (dialled.path, f"{dialled.path}*0"):
        answer = await ussd.turn(Turn(dialled.session_id, Phone("+254700000098"), path))
        assert not answer.more
        assert "KES" not in answer.text


async def test_an_ended_session_stays_ended(phone: Any) -> None:
    dialled = phone()
    await dialled.post()
    await dialled.types("2580", "0")
    answer = await dialled.types("1")
    assert (answer.text, answer.more) == (
        "Kipindi hiki kimekwisha. Tafadhali piga tena.",
        False,
    )


async def test_an_old_session_id_needs_the_pin_again(phone: Any, clock: ManualClock) -> None:
    dialled = phone()
    await dialled.post()
    await dialled.types("2580")
    clock.advance(timedelta(minutes=11))
    assert (await dialled.types("1")).text.startswith("Bvester: karibu")


async def test_too_many_hops_of_one_number_wait(phone: Any) -> None:
    dialled = phone()
    answers = [await dialled.post() for _ in range(40)]
    assert answers[0].more
    assert answers[-1].text.startswith("Too many tries. Please wait")
    assert not answers[-1].more


async def test_a_refusal_is_told_and_kept(phone: Any, desk: Any) -> None:
    class Short(Refused):
        kind = "insufficient_funds"

    dialled = phone()
    await dialled.post()
    await dialled.types(*TO_CONFIRM)

    desk.fault = Short("No.")
    assert (await dialled.types("1")).text.startswith(
        "Haikufanyika. Hakuna pesa za kutosha kwenye pochi yako."
    )


async def test_a_part_that_is_down_gets_a_polite_screen_and_the_hop_may_come_again(
    phone: Any, desk: Any
) -> None:
    dialled = phone()
    await dialled.post()
    await dialled.types("2580")
    desk.fault = Unavailable("The ledger is down.")
    down = await dialled.types("1")
    assert (down.text, down.more) == (
        "Huduma ina shughuli nyingi. Jaribu tena baadaye kidogo.",
        False,
    )
    desk.fault = None
    assert (await dialled.post()).text.startswith("Pesa zako:")


async def test_what_nobody_foresaw_is_logged_without_its_words(
    phone: Any, desk: Any, caplog: pytest.LogCaptureFixture
) -> None:
    dialled = phone()
    await dialled.post()
    await dialled.types("2580")
    desk.fault = RuntimeError("invalid input: 'my PIN is 2580'")
    answer = await dialled.types("1")
    assert (answer.text, answer.more) == (
        "Samahani, kuna hitilafu. Tafadhali jaribu tena baadaye kidogo.",
        False,
    )
    assert "RuntimeError" in caplog.text
    assert "2580" not in caplog.text


async def test_the_pin_stays_nowhere(
    phone: Any, database: Database, redis: RedisClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Every row of every table, every key of Redis, every log line; sealed columns opened."""
    caplog.set_level(logging.DEBUG)
    dialled = phone("2580")  # some dial it along with the code
    await dialled.post()
    await dialled.types("9021", "2580", "3", "1", "1", "700", "1", "00", "1")
    async with database.connection() as connection:
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        rows = []
        for table in tables:
            rows += await connection.fetch(f'SELECT t::text FROM "{table["tablename"]}" t')
        sealed = await connection.fetch(
            "SELECT session_id, wrapped_key, state FROM ussd_sessions WHERE state IS NOT NULL"
        )
        answers = await connection.fetch("SELECT session_id, answer FROM ussd_answers")
    found = [row["t"] for row in rows]
    keyring: Keyring = dialled.ussd._sessions._keyring
    for row in sealed:
        key = keyring.unwrap(row["wrapped_key"], f"ussd:{row['session_id']}")
        found.append(key.open(row["state"], f"ussd/{row['session_id']}/state"))
        found += [
            key.open(answer["answer"], f"ussd/{answer['session_id']}/answer")
            for answer in answers
            if answer["session_id"] == row["session_id"]
        ]
    for key_name in await redis.keys("*"):
        found += [repr(key_name), repr(await redis.dump(key_name))]
    found.append(caplog.text)
    assert len(sealed) == 1
    assert len(answers) == 10
    # Sealed bytes print as random hex digits, among which any four may stand by chance.
    plain = [re.sub(r"\\\\x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}", "", text) for text in found]
    for pin in ("2580", "9021"):
        assert not [text for text in plain if pin in text], pin
        assert not [text for text in found if pin.encode().hex() in text], pin


async def test_what_is_stored_tells_nothing_without_the_key(phone: Any, database: Database) -> None:
    dialled = phone()
    await dialled.post()
    await dialled.types("2580", "1")
    async with database.connection() as connection:
        rows = await connection.fetch(
            "SELECT s::text AS session, a::text AS answer"
            " FROM ussd_sessions s JOIN ussd_answers a USING (session_id)"
        )
    for row in rows:
        for word in ("254700000001", b"254700000001".hex(), b"KES".hex(), b"balance".hex()):
            assert word not in row["session"] + row["answer"]


async def test_old_sessions_are_forgotten_with_their_answers(
    phone: Any, database: Database, keyring: Keyring, clock: ManualClock
) -> None:
    await phone().types("", "2580")
    clock.advance(timedelta(days=1, minutes=1))
    await phone().post()
    assert await Sessions(database, keyring, clock).forget(timedelta(days=1)) == 1
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM ussd_answers") == 1


words = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["0", "00", "98", "1", "2", "3", "4", "5", "2580", "1000", "", "*", "\x00"]),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(hops=st.lists(st.lists(words, max_size=4), max_size=8), signed_in=st.booleans())
async def test_whatever_is_typed_gets_a_screen_within_the_budget(
    phone: Any, clock: ManualClock, hops: list[list[str]], signed_in: bool
) -> None:
    clock.advance(timedelta(minutes=12))  # rate limits and locks are other tests' business
    dialled = phone()
    await dialled.post()
    if signed_in:
        await dialled.types("2580")
    for hop in hops:
        answer = await dialled.types("*".join(hop))
        assert is_gsm(answer.text)
        assert septets(f"CON {answer.text}") <= 160
        assert "kuna hitilafu" not in answer.text
