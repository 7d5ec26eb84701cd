"""Opening a checkout: once per key, whatever goes wrong in between."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from hub.clock import ManualClock
from hub.database import Database
from hub.identity import Person
from hub.payments import Gateways, reconcile_pending, settle_inbox

TOP_UP = {"amount": {"amount": 250_000, "currency": "KES"}, "purpose": "top_up"}


async def top_up(
    client: httpx.AsyncClient, key: str = "key-1", body: dict[str, Any] = TOP_UP
) -> httpx.Response:
    return await client.post("/v1/payments", json=body, headers={"Idempotency-Key": key})


async def count(database: Database, table: str) -> int:
    async with database.connection() as connection:
        return await connection.fetchval(f"SELECT count(*) FROM {table}")


async def test_a_top_up_opens_a_checkout_under_our_own_reference(
    client: httpx.AsyncClient, paystack: Any, person: Person
) -> None:
    answer = await top_up(client)
    assert answer.status_code == 201, answer.text
    payment = answer.json()
    assert payment["state"] == "pending"
    assert payment["amount"] == {"amount": 250_000, "currency": "KES"}
    assert payment["checkout_url"] == f"{paystack.url}/pay/{payment['id']}"
    (sent,) = paystack.bodies
    assert sent["reference"] == payment["id"]
    assert (sent["amount"], sent["currency"]) == (250_000, "KES")
    assert sent["email"] == f"{person.id}@pay.bvester.com"
    shown = await client.get(f"/v1/payments/{payment['id']}")
    listed = await client.get("/v1/payments")
    assert shown.json() == payment
    assert listed.json() == {"items": [payment], "next_cursor": None}


async def test_the_same_key_gives_the_same_answer_and_asks_the_gateway_once(
    client: httpx.AsyncClient, paystack: Any
) -> None:
    first, second = await top_up(client), await top_up(client)
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert len(paystack.bodies) == 1


async def test_the_same_key_with_another_body_is_refused(client: httpx.AsyncClient) -> None:
    await top_up(client)
    other = {**TOP_UP, "amount": {"amount": 1_000, "currency": "KES"}}
    answer = await top_up(client, body=other)
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("/idempotency_key_reused")


async def test_a_second_request_while_the_first_is_at_the_gateway_is_told_so(
    client: httpx.AsyncClient, paystack: Any
) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def hold(_: str) -> None:
        reached.set()
        await go_on.wait()

    paystack.on_initialize = hold
    first = asyncio.ensure_future(top_up(client))
    await reached.wait()
    second = await top_up(client)
    go_on.set()
    assert (await first).status_code == 201
    assert second.status_code == 409
    assert second.json()["type"].endswith("/idempotency_key_in_flight")


async def test_a_gateway_that_is_down_leaves_a_clean_error_and_the_same_key_works_afterwards(
    client: httpx.AsyncClient, paystack: Any, database: Database
) -> None:
    paystack.plan.append("503")
    down = await top_up(client)
    assert down.status_code == 503
    assert down.json()["type"].endswith("/gateway_down")
    assert paystack.key not in down.text
    again = await top_up(client)
    assert again.status_code == 201
    assert await count(database, "payments") == 1
    assert {body["reference"] for body in paystack.bodies} == {again.json()["id"]}


async def test_a_gateway_that_opened_the_page_but_answered_503_does_not_block_the_payment(
    client: httpx.AsyncClient,
    paystack: Any,
    database: Database,
    clock: ManualClock,
    gateways: Gateways,
) -> None:
    paystack.plan.append("503_but_done")
    assert (await top_up(client)).status_code == 503
    again = await top_up(client)
    assert again.status_code == 201
    payment = again.json()
    assert payment["checkout_url"].endswith(f"{payment['id']}-2")
    assert await count(database, "payments") == 1
    paystack.pay(f"{payment['id']}-2")
    body, headers = paystack.webhook(f"{payment['id']}-2")
    await client.post("/webhooks/paystack", content=body, headers=headers)
    assert await settle_inbox(database, clock, gateways) == 1
    shown = await client.get(f"/v1/payments/{payment['id']}")
    assert shown.json()["state"] == "settled"


async def test_a_process_that_died_at_the_gateway_is_resumed_once_its_lease_is_over(
    client: httpx.AsyncClient, paystack: Any, database: Database
) -> None:
    reached, forever = asyncio.Event(), asyncio.Event()

    async def hold(_: str) -> None:
        reached.set()
        await forever.wait()

    paystack.on_initialize = hold
    dying = asyncio.ensure_future(top_up(client))
    await reached.wait()
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    paystack.on_initialize = None
    forever.set()
    assert (await top_up(client)).status_code == 409
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE idempotency_keys SET lease_until = now() - interval '1 second'"
        )
    resumed = await top_up(client)
    assert resumed.status_code == 201
    assert await count(database, "payments") == 1
    assert resumed.json()["checkout_url"].endswith("-2")


async def test_what_the_gateway_refuses_ends_the_payment_and_is_the_keys_outcome(
    client: httpx.AsyncClient, paystack: Any, database: Database
) -> None:
    small = {**TOP_UP, "amount": {"amount": 100, "currency": "KES"}}
    first, second = await top_up(client, body=small), await top_up(client, body=small)
    assert first.status_code == 422
    assert first.json()["type"].endswith("/gateway_refused")
    assert first.content == second.content
    assert len(paystack.bodies) == 1
    listed = (await client.get("/v1/payments")).json()["items"]
    assert [(item["state"], item["reason"]) for item in listed] == [("failed", "refused")]


async def test_a_wrong_key_of_ours_is_our_fault_and_not_the_payers(
    client: httpx.AsyncClient, paystack: Any
) -> None:
    paystack.plan.append("401")
    answer = await top_up(client)
    assert answer.status_code == 503
    assert "key" not in answer.json()["detail"].replace("Idempotency-Key", "")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({**TOP_UP, "amount": {"amount": 0, "currency": "KES"}}, 400),
        ({**TOP_UP, "amount": {"amount": -5, "currency": "KES"}}, 400),
        ({**TOP_UP, "amount": {"amount": 1.5, "currency": "KES"}}, 400),
        ({**TOP_UP, "amount": {"amount": 2**60, "currency": "KES"}}, 400),
        ({**TOP_UP, "amount": {"amount": 1000, "currency": "XXX"}}, 400),
        ({**TOP_UP, "amount": {"amount": 1000, "currency": "XOF"}}, 400),
        ({**TOP_UP, "purpose": "gift"}, 400),
        ({**TOP_UP, "surprise": 1}, 400),
        ({**TOP_UP, "gateway": "hawala"}, 404),
        ({**TOP_UP, "return_url": "https://evil.example/"}, 400),
        ({**TOP_UP, "return_url": "javascript:alert(1)"}, 400),
        ({"purpose": "top_up"}, 400),
    ],
)
async def test_a_request_that_is_wrong_changes_nothing(
    client: httpx.AsyncClient, database: Database, paystack: Any, body: dict[str, Any], status: int
) -> None:
    answer = await top_up(client, body=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert await count(database, "payments") == 0
    assert await count(database, "idempotency_keys") == 0
    assert paystack.bodies == []


@pytest.mark.parametrize("key", ["", "k" * 256, None])
async def test_a_key_is_needed(client: httpx.AsyncClient, key: str | None) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = await client.post("/v1/payments", json=TOP_UP, headers=headers)
    assert answer.status_code == 400


async def test_limits_hold_over_open_checkouts_and_free_them_again(
    client: httpx.AsyncClient, clock: ManualClock, database: Database, person: Person
) -> None:
    async with database.connection() as connection:
        await connection.execute("UPDATE people SET kyc_level = 1")
    big = {**TOP_UP, "amount": {"amount": 1_000_000, "currency": "KES"}}
    answers = []
    for n in range(40):
        clock.advance(timedelta(seconds=10))
        answers.append(await top_up(client, f"key-{n}", big))
        if answers[-1].status_code != 201:
            break
    assert len(answers) > 1, answers[-1].text
    refused = answers[-1]
    assert refused.status_code == 422, refused.text
    assert refused.json()["type"].endswith("/limit_reached")
    assert (await top_up(client, f"key-{len(answers) - 1}", big)).content == refused.content
    clock.advance(timedelta(hours=1))
    assert (await top_up(client, "afterwards", big)).status_code == 201


async def test_a_payment_nobody_paid_expires_after_a_day_and_after_asking(
    client: httpx.AsyncClient,
    paystack: Any,
    database: Database,
    clock: ManualClock,
    gateways: Gateways,
) -> None:
    payment = (await top_up(client)).json()
    assert await reconcile_pending(database, clock, gateways) == 0, "too early to ask"
    clock.advance(timedelta(minutes=2))
    assert await reconcile_pending(database, clock, gateways) == 1
    assert (await client.get(f"/v1/payments/{payment['id']}")).json()["state"] == "pending"
    clock.advance(timedelta(hours=25))
    paystack.plan.extend(["503", "503", "503"])
    await reconcile_pending(database, clock, gateways)
    shown = (await client.get(f"/v1/payments/{payment['id']}")).json()
    assert shown["state"] == "pending", "never ended without the gateway's answer"
    clock.advance(timedelta(minutes=31))
    await reconcile_pending(database, clock, gateways)
    shown = (await client.get(f"/v1/payments/{payment['id']}")).json()
    assert (shown["state"], shown["reason"]) == ("expired", "expired")
    clock.advance(timedelta(days=1))
    assert await reconcile_pending(database, clock, gateways) == 0
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT data FROM outbox WHERE kind = 'payment.failed'")
    assert [msgspec.json.decode(row["data"])["reason"] for row in rows] == ["expired"]
