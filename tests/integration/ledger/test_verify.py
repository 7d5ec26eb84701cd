"""``verify_ledger`` names what does not fit, also what a superuser did behind our back."""

from typing import TYPE_CHECKING

import pytest

from hub.database import Database
from hub.events import Event, append
from hub.ledger import Posted, verify_ledger

if TYPE_CHECKING:
    from conftest import Books


class MoneyMoved(Event, frozen=True):
    """What a capability would append with its posting; outside the catalogue."""


async def witnessed(books: "Books", posted: Posted) -> Posted:
    await append(
        books.tx, MoneyMoved(), at=books.clock.now(), actor="system", evidence=posted.digest
    )
    return posted


async def tamper(books: "Books", statement: str, *arguments: object) -> None:
    """Changes a row the way only a superuser can: with the triggers switched off."""
    await books.tx.execute("SET session_replication_role = replica")
    await books.tx.execute(statement, *arguments)
    await books.tx.execute("SET session_replication_role = origin")


async def test_a_ledger_that_fits_has_no_faults(database: Database, books: "Books") -> None:
    for n in range(5):
        await witnessed(books, await books.fund(books.ama, 10 + n))
    report = await verify_ledger(database)
    assert (report.postings, report.entries, report.faults) == (5, 10, [])


async def test_a_posting_without_an_event_is_named(database: Database, books: "Books") -> None:
    posted = await books.fund(books.ama, 10)
    (fault,) = (await verify_ledger(database)).faults
    assert str(posted.id) in fault
    assert "audit log" in fault


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE entries SET amount = amount + 1 WHERE posting_id = $1 AND amount > 0", "to zero"),
        ("UPDATE entries SET amount = amount * 2 WHERE posting_id = $1", "was changed"),
        ("UPDATE postings SET effective_at = effective_at - interval '1 day' WHERE id = $1",
         "was changed"),
        ("UPDATE postings SET metadata = '{\"note\": \"x\"}' WHERE id = $1", "was changed"),
        ("UPDATE postings SET digest = '\\x00' WHERE id = $1", "was changed"),
        ("DELETE FROM entries WHERE posting_id = $1", "no entries"),
    ],
)  # fmt: skip
async def test_a_tampered_posting_is_named(
    database: Database, books: "Books", statement: str, says: str
) -> None:
    await witnessed(books, await books.fund(books.ama, 10))
    posted = await witnessed(books, await books.fund(books.ben, 20))
    await tamper(books, statement, posted.id)
    faults = (await verify_ledger(database)).faults
    assert any(str(posted.id) in fault and says in fault for fault in faults)


async def test_a_posting_rewritten_together_with_its_digest_is_named(
    database: Database, books: "Books"
) -> None:
    posted = await witnessed(books, await books.fund(books.ama, 10))
    await tamper(books, "UPDATE postings SET digest = '\\xdead' WHERE id = $1", posted.id)
    faults = (await verify_ledger(database)).faults
    assert any(str(posted.id) in fault and "audit log" in fault for fault in faults)


async def test_a_balance_that_is_not_the_sum_of_its_entries_is_named(
    database: Database, books: "Books"
) -> None:
    await witnessed(books, await books.fund(books.ama, 10))
    await tamper(books, "UPDATE accounts SET posted = 11, held = 1 WHERE id = $1", books.ama.id)
    posted, held = (await verify_ledger(database)).faults
    assert f"account {books.ama.id}" in posted
    assert "posted is 11, its entries sum to 10" in posted
    assert "held is 1, its open holds sum to 0" in held


async def test_an_entry_without_a_posting_is_noticed(database: Database, books: "Books") -> None:
    posted = await witnessed(books, await books.fund(books.ama, 10))
    await tamper(books, "DELETE FROM postings WHERE id = $1", posted.id)
    assert "2 entries belong to no posting" in (await verify_ledger(database)).faults
