"""Investing: wallet to escrow, by every rule, once per key."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from hub.audit import Record, extend
from hub.database import Database
from hub.errors import Invalid
from hub.idempotency import Answer, KeyInFlight, KeyReused
from hub.ids import OfferingId, new_id
from hub.investments import Investing, OfferingNotFound, WrongCurrency
from hub.ledger import AccountRef, verify_ledger
from hub.money import Money

if TYPE_CHECKING:
    from conftest import Town


def wallet_of(person_id: object) -> AccountRef:
    return AccountRef(f"person:{person_id}", "wallet", "KES")


def body(answer: Answer) -> dict[str, object]:
    decoded: dict[str, object] = msgspec.json.decode(answer.body)
    return decoded


async def test_an_investment_moves_money_to_escrow_and_tells_both_sides(town: "Town") -> None:
    ada, owner = await town.person("Ada", 50_000), await town.person("Otieno")
    offering = await town.offering(owner)
    await town.invest(ada, offering, 5_000)
    answer = await town.invest(ada, offering, 20_000)
    assert answer.status == 201
    told = body(answer)
    assert told["amount"] == {"amount": 20_000, "currency": "KES"}
    assert told["wallet_balance"] == {"amount": 25_000, "currency": "KES"}
    assert await town.has(wallet_of(ada.id)) == 25_000
    escrow = AccountRef(f"offering:{offering.id}", "escrow", "KES")
    assert await town.has(escrow) == 25_000
    now = await town.look(offering)
    assert (now.raised, now.investors, now.state) == (Money(25_000, "KES"), 1, "open")
    made = (await town.events("investment.made"))[1]
    assert made["investment_id"] == told["id"]
    assert made["raised"] == {"amount": 25_000, "currency": "KES"}
    assert (made["investor_name"], made["business_name"]) == ("Ada", "Ziwa Fish")
    confirmed = (await town.events("investment.confirmed"))[1]
    assert confirmed["wallet_balance"] == {"amount": 25_000, "currency": "KES"}
    assert await town.recipients("investment.made") == {owner.id}
    assert await town.recipients("investment.confirmed") == {ada.id}
    async with town.database.connection() as connection:
        streams = await connection.fetchval(
            "SELECT array_agg(DISTINCT s) FROM outbox, unnest(streams) AS s"
            " WHERE kind = 'investment.made'"
        )
    assert set(streams) == {f"personal:#{owner.id}", f"offering:{offering.id}"}


async def test_the_same_key_and_body_get_the_same_answer(town: "Town") -> None:
    ada, owner = await town.person("Ada", 50_000), await town.person("Otieno")
    offering = await town.offering(owner)
    first = await town.invest(ada, offering, 20_000, "k")
    assert await town.invest(ada, offering, 20_000, "k") == first
    assert (
        await Investing(town.database, None, town.clock).invest(
            town.request(ada, offering.id, 20_000, "k")
        )
        == first
    )
    assert await town.has(wallet_of(ada.id)) == 30_000
    assert len(await town.events("investment.made")) == 1


async def test_the_same_key_with_another_body_is_refused(town: "Town") -> None:
    ada, owner = await town.person("Ada", 50_000), await town.person("Otieno")
    offering = await town.offering(owner)
    await town.invest(ada, offering, 20_000, "k")
    with pytest.raises(KeyReused):
        await town.invest(ada, offering, 20_001, "k")
    assert await town.has(wallet_of(ada.id)) == 30_000


async def test_a_key_in_flight_is_told_so_and_counts_once(town: "Town") -> None:
    ada, owner = await town.person("Ada", 50_000), await town.person("Otieno")
    offering = await town.offering(owner)
    await town.invest(ada, offering, 100)  # the offering's terms are known from here on
    request = town.request(ada, offering.id, 20_000, "k")
    found = await asyncio.gather(town.ask(request), town.ask(request))
    assert {type(each) for each in found} == {Answer, KeyInFlight}
    assert await town.has(wallet_of(ada.id)) == 29_900


async def test_a_key_used_in_two_processes_at_once_counts_once(town: "Town") -> None:
    ada, owner = await town.person("Ada", 50_000), await town.person("Otieno")
    offering = await town.offering(owner)
    processes = [Investing(town.database, None, town.clock) for _ in range(4)]
    for n in range(5):
        request = town.request(ada, offering.id, 1_000, f"k{n}")
        asked = (process.invest(request) for process in processes)
        found = await asyncio.gather(*asked, return_exceptions=True)
        answers = {each for each in found if isinstance(each, Answer)}
        assert len(answers) == 1
        assert all(isinstance(each, Answer | KeyInFlight) for each in found)
        assert await town.has(wallet_of(ada.id)) == 50_000 - 1_000 * (n + 1)


async def test_a_key_held_by_another_transaction_is_in_flight(town: "Town") -> None:
    ada, owner = await town.person("Ada", 50_000), await town.person("Otieno")
    offering = await town.offering(owner)
    request = town.request(ada, offering.id, 1_000, "k")
    async with town.database.connection() as other, other.transaction():
        await other.execute("SELECT pg_advisory_xact_lock($1)", request.scope.lock_key())
        with pytest.raises(KeyInFlight):
            await town.investing.invest(request)
    assert (await town.investing.invest(request)).status == 201


@pytest.mark.parametrize(
    ("amount", "kyc_level", "kind", "facts"),
    [
        (60_000, 3, "insufficient_funds", {"available": 50_000, "currency": "KES"}),
        (99, 3, "below_minimum", {"minimum": {"amount": 100, "currency": "KES"}}),
        (1_000, 0, "kyc_required", {"level": 0}),
    ],
)
async def test_a_refusal_is_stored_under_its_key_and_changes_nothing(
    town: "Town", amount: int, kyc_level: int, kind: str, facts: dict[str, object]
) -> None:
    ada = await town.person("Ada", 50_000, kyc_level=kyc_level)
    offering = await town.offering(await town.person("Otieno"))
    answer = await town.invest(ada, offering, amount, "k")
    assert answer.status == 422
    problem = body(answer)
    assert problem["type"] == f"https://bvester.com/problems/{kind}"
    assert problem["status"] == 422
    assert facts.items() <= problem.items()
    await town.database.transaction(lambda tx: town._fund(tx, ada.id, 100_000))
    assert await town.invest(ada, offering, amount, "k") == answer
    assert await town.has(wallet_of(ada.id)) == 150_000
    async with town.database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM investments") == 0
        assert not await connection.fetchval("SELECT sum(used) FROM guard_counters")
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 0


async def test_the_maximum_refuses_with_what_is_used(town: "Town") -> None:
    ada = await town.person("Ada", 200_000)
    offering = await town.offering(await town.person("Otieno"), target=100_000, maximum=110_000)
    assert (await town.invest(ada, offering, 90_000)).status == 201
    refused = body(await town.invest(ada, offering, 30_000))
    assert refused["type"] == "https://bvester.com/problems/limit_reached"
    assert (refused["rule"], refused["used"], refused["ceiling"]) == (
        "offering_maximum", 90_000, 110_000,
    )  # fmt: skip


async def test_the_daily_limit_of_the_kyc_level_holds_across_offerings(town: "Town") -> None:
    ada = await town.person("Ada", 100_000_000, kyc_level=2)
    owner = await town.person("Otieno")
    offerings = [await town.offering(owner, target=90_000_000) for _ in range(3)]
    statuses = [(await town.invest(ada, offering, 20_000_000)).status for offering in offerings]
    assert statuses == [201, 201, 422]  # KES 500,000 a day at level 2
    town.clock.advance(timedelta(days=1))
    assert (await town.invest(ada, offerings[2], 20_000_000)).status == 201


async def test_what_is_wrong_in_the_request_itself_is_not_stored(town: "Town") -> None:
    ada = await town.person("Ada", 50_000)
    offering = await town.offering(await town.person("Otieno"))
    wrong = town.request(ada, OfferingId(new_id(town.clock.now())), 1_000)
    with pytest.raises(OfferingNotFound):
        await town.investing.invest(wrong)
    request = town.request(ada, offering.id, 1_000)
    with pytest.raises(WrongCurrency):
        await town.investing.invest(msgspec.structs.replace(request, amount=Money(1_000, "NGN")))
    with pytest.raises(Invalid):
        await town.investing.invest(msgspec.structs.replace(request, amount=Money(0, "KES")))
    async with town.database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM idempotency_keys") == 0


async def test_an_offering_past_its_time_takes_no_more(town: "Town") -> None:
    ada = await town.person("Ada", 50_000)
    offering = await town.offering(await town.person("Otieno"))
    town.clock.advance(timedelta(days=30))
    refused = await town.invest(ada, offering, 1_000)
    assert refused.status == 422
    assert body(refused)["type"] == "https://bvester.com/problems/offering_closed"


async def test_somebody_without_a_wallet_is_refused_plainly(town: "Town") -> None:
    ada = await town.person("Ada")
    offering = await town.offering(await town.person("Otieno"))
    refused = await town.invest(ada, offering, 1_000)
    assert body(refused)["available"] == 0


async def test_hundreds_at_the_last_seat_get_exactly_the_maximum(town: "Town") -> None:
    crowd = await town.people(300, funds=10_000)
    owner = await town.person("Otieno")
    # The target is out of reach until the last seat, so that the offering stays open until then.
    offering = await town.offering(owner, target=1_003_000, maximum=1_003_000)
    processes = [Investing(town.database, None, town.clock) for _ in range(3)]
    asked = [
        processes[n % 3].invest(town.request(person, offering.id, 7_000))
        for n, person in enumerate(crowd)
    ]
    answers = await asyncio.gather(*asked)
    # 143 times 7,000 is 1,001,000; the next would go past the maximum.
    assert Counter(answer.status for answer in answers) == {201: 143, 422: 157}
    assert (await town.look(offering)).raised.amount == 1_001_000
    spent = [10_000 - await town.has(wallet_of(person.id)) for person in crowd]
    assert sum(spent) == 1_001_000
    assert set(spent) == {0, 7_000}
    last = await town.invest(crowd[0], offering, 2_000)
    assert last.status == 201
    assert (await town.look(offering)).state == "funded"


async def test_one_wallet_spent_from_everywhere_at_once_never_overdraws(town: "Town") -> None:
    ada = await town.person("Ada", 10_000)
    owner = await town.person("Otieno")
    offerings = [await town.offering(owner) for _ in range(5)]
    asked = [town.invest(ada, offerings[n % 5], 300) for n in range(100)]
    answers = await asyncio.gather(*asked)
    assert Counter(answer.status for answer in answers) == {201: 33, 422: 67}
    assert await town.has(wallet_of(ada.id)) == 100


async def test_every_posting_is_witnessed_by_the_audit_chain(town: "Town") -> None:
    crowd = await town.people(20, funds=10_000)
    offering = await town.offering(await town.person("Otieno"))
    await asyncio.gather(*(town.invest(person, offering, 5_000) for person in crowd))
    faults = (await verify_ledger(town.database)).faults
    assert all("fund:" in fault for fault in faults)  # the fixture's own postings have no event

    async with town.database.connection() as connection, connection.transaction():
        rows = await connection.fetch("DELETE FROM outbox RETURNING *")
        await extend(
            connection,
            [
                Record(r["shard"], r["event_id"], r["kind"], r["actor"], r["data"], r["evidence"],
                       r["recorded_at"])
                for r in sorted(rows, key=lambda r: r["id"]) if r["lead"]
            ],
        )  # fmt: skip
    after = (await verify_ledger(town.database)).faults
    assert after == faults


async def test_plans_made_on_empty_tables_still_go_by_index(
    town: "Town", database_url: str
) -> None:
    """A session keeps its plans; one that scanned while a table was small would get ever slower."""
    ada = await town.person("Ada", 50_000)
    offering = await town.offering(await town.person("Otieno"))
    asked = 150
    async with Database.open(database_url, size=1) as database:
        async with database.connection() as connection:
            await connection.execute("VACUUM ANALYZE")
        investing = Investing(database, None, town.clock)
        for _ in range(asked):
            await investing.invest(town.request(ada, offering.id, 100))
        await investing.close()
        async with database.connection() as connection:
            await connection.execute("SELECT pg_stat_force_next_flush()")
            read = await connection.fetch(
                "SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) AS rows"
                " FROM pg_stat_user_tables WHERE relname IN ('accounts', 'postings', 'entries',"
                " 'guard_counters', 'idempotency_keys', 'investments', 'offerings', 'outbox')"
            )
    assert len(read) == 8
    assert {row["relname"]: row["rows"] for row in read if row["rows"] > 20 * asked} == {}
