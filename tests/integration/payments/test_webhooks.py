"""Webhooks: signed or nothing, counted once, whatever order they come in and whoever dies."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from hub.clock import ManualClock
from hub.database import Database
from hub.identity import Person
from hub.ids import new_id
from hub.ledger import AccountRef, balance
from hub.payments import Gateways, reconcile_pending, settle_inbox
from hub.redis_client import RedisClient
from workers.settle import reconcile_payments, settle_webhooks

TOP_UP = {"amount": {"amount": 250_000, "currency": "KES"}, "purpose": "top_up"}


class Hub:
    """What these tests do again and again."""

    def __init__(
        self,
        database: Database,
        clock: ManualClock,
        gateways: Gateways,
        client: httpx.AsyncClient,
        paystack: Any,
        person: Person,
    ) -> None:
        self.database, self.clock, self.gateways = database, clock, gateways
        self.client, self.paystack, self.person = client, paystack, person

    async def top_up(self, key: str = "key-1") -> str:
        headers = {"Idempotency-Key": key}
        answer = await self.client.post("/v1/payments", json=TOP_UP, headers=headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def deliver(self, reference: str, **changes: Any) -> httpx.Response:
        body, headers = self.paystack.webhook(reference, **changes)
        return await self.client.post("/webhooks/paystack", content=body, headers=headers)

    async def settle(self) -> int:
        return await settle_inbox(self.database, self.clock, self.gateways)

    async def state(self, payment: str) -> str:
        return str((await self.client.get(f"/v1/payments/{payment}")).json()["state"])

    async def wallet(self, currency: str = "KES") -> int:
        return await self.account(f"person:{self.person.id}", "wallet", currency)

    async def account(self, owner: str, purpose: str, currency: str = "KES") -> int:
        async with self.database.connection() as connection:
            held = await balance(connection, AccountRef(owner, purpose, currency))
        return held.posted

    async def events(self, kind: str) -> list[dict[str, Any]]:
        rows = await self.rows("SELECT data FROM outbox WHERE kind = $1 AND lead ORDER BY id", kind)
        return [msgspec.json.decode(row["data"]) for row in rows]

    async def rows(self, query: str, *values: object) -> list[Any]:
        async with self.database.connection() as connection:
            return list(await connection.fetch(query, *values))


@pytest.fixture
def hub(
    database: Database,
    clock: ManualClock,
    gateways: Gateways,
    client: httpx.AsyncClient,
    paystack: Any,
    person: Person,
) -> Hub:
    return Hub(database, clock, gateways, client, paystack, person)


async def test_a_paid_top_up_reaches_the_wallet_and_tells_its_owner(hub: Hub) -> None:
    payment = await hub.top_up()
    hub.paystack.pay(payment)
    assert (await hub.deliver(payment)).status_code == 200
    assert await hub.settle() == 1
    assert (await hub.state(payment), await hub.wallet()) == ("settled", 250_000)
    assert await hub.account("gateway:paystack", "clearing") == -250_000
    (event,) = await hub.events("payment.settled")
    assert event["payment_id"] == payment
    assert event["wallet_balance"] == {"amount": 250_000, "currency": "KES"}
    (row,) = await hub.rows(
        "SELECT o.evidence = p.digest AS witnessed, o.recipients FROM outbox o, postings p"
        " WHERE o.kind = 'payment.settled' AND p.reference = $1",
        f"payment:{payment}",
    )
    assert row["witnessed"]
    assert row["recipients"] == [hub.person.id]
    (wallet,) = (await hub.client.get("/v1/wallets")).json()["items"]
    assert (wallet["currency"], wallet["posted"], wallet["available"]) == ("KES", 250_000, 250_000)
    (entry,) = (await hub.client.get(f"/v1/wallets/{wallet['id']}/entries")).json()["items"]
    assert entry["amount"] == {"amount": 250_000, "currency": "KES"}
    assert entry["reference"] == f"payment:{payment}"


@pytest.mark.parametrize("signature", [None, "", "0" * 128, "ü" * 10])
async def test_a_bad_signature_is_refused_and_nothing_is_kept(
    hub: Hub, signature: str | None
) -> None:
    payment = await hub.top_up()
    hub.paystack.pay(payment)
    body, _ = hub.paystack.webhook(payment)
    headers = {} if signature is None else {"x-paystack-signature": signature.encode("latin-1")}
    answer = await hub.client.post("/webhooks/paystack", content=body, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["type"].endswith("/bad_signature")
    assert await hub.rows("SELECT FROM webhook_inbox") == []


async def test_a_changed_body_is_refused(hub: Hub) -> None:
    body, headers = hub.paystack.webhook(await hub.top_up())
    answer = await hub.client.post(
        "/webhooks/paystack", content=body.replace(b"250000", b"950000"), headers=headers
    )
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"event":"charge.success","data":{}}', b"\xff"]
)
async def test_signed_garbage_is_refused_and_nothing_is_kept(hub: Hub, body: bytes) -> None:
    answer = await hub.client.post(
        "/webhooks/paystack", content=body, headers=hub.paystack.sign(body)
    )
    assert answer.status_code == 400
    assert await hub.rows("SELECT FROM webhook_inbox") == []


async def test_an_oversized_webhook_and_an_unknown_gateway_are_refused(hub: Hub) -> None:
    large = b" " * 200_000
    answer = await hub.client.post(
        "/webhooks/paystack", content=large, headers=hub.paystack.sign(large)
    )
    assert answer.status_code == 413
    assert (await hub.client.post("/webhooks/hawala", content=b"{}")).status_code == 404


async def test_a_replayed_webhook_counts_once(hub: Hub) -> None:
    payment = await hub.top_up()
    hub.paystack.pay(payment)
    for _ in range(3):
        assert (await hub.deliver(payment)).status_code == 200
        await hub.settle()
    assert await hub.wallet() == 250_000
    assert len(await hub.events("payment.settled")) == 1
    (row,) = await hub.rows("SELECT deliveries, state, outcome FROM webhook_inbox")
    assert tuple(row) == (3, "done", "settled")


async def test_another_body_about_the_same_charge_counts_no_second_time(hub: Hub) -> None:
    payment = await hub.top_up()
    hub.paystack.pay(payment)
    await hub.deliver(payment)
    await hub.settle()
    await hub.deliver(payment, status="SUCCESS", fees=100)
    await hub.settle()
    assert await hub.wallet() == 250_000
    outcomes = await hub.rows("SELECT outcome FROM webhook_inbox ORDER BY received_at, id")
    assert [row[0] for row in outcomes] == ["settled", "already_settled"]


async def test_a_webhook_before_the_checkout_was_answered_settles_and_offers_no_second_page(
    hub: Hub,
) -> None:
    async def pay_at_once(reference: str) -> None:
        hub.paystack.pay(reference)
        assert (await hub.deliver(reference)).status_code == 200
        await hub.settle()

    hub.paystack.on_initialize = pay_at_once
    headers = {"Idempotency-Key": "key-1"}
    answer = await hub.client.post("/v1/payments", json=TOP_UP, headers=headers)
    assert answer.status_code == 201
    assert (answer.json()["state"], answer.json()["checkout_url"]) == ("settled", None)
    assert await hub.wallet() == 250_000


async def test_concurrent_duplicates_settle_once(hub: Hub) -> None:
    payment = await hub.top_up()
    hub.paystack.pay(payment)
    answers = await asyncio.gather(*(hub.deliver(payment) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    hub.clock.advance(timedelta(minutes=2))
    await asyncio.gather(
        *(hub.settle() for _ in range(4)),
        *(reconcile_pending(hub.database, hub.clock, hub.gateways) for _ in range(4)),
    )
    assert await hub.wallet() == 250_000
    assert len(await hub.events("payment.settled")) == 1


@pytest.mark.parametrize(
    ("changes", "reason", "currency"),
    [
        ({"amount": 1}, "amount", "KES"),
        ({"amount": 300_000}, "amount", "KES"),
        ({"amount": "249999"}, "amount", "KES"),
        ({"currency": "NGN"}, "currency", "NGN"),
    ],
)
async def test_what_does_not_match_goes_to_suspense_once_and_staff_are_told(
    hub: Hub, changes: dict[str, Any], reason: str, currency: str
) -> None:
    payment = await hub.top_up()
    hub.paystack.pay(payment, **changes)
    came = int(hub.paystack.transactions[payment]["amount"])
    await hub.deliver(payment)
    await hub.settle()
    await hub.deliver(payment, status="again")
    await hub.settle()
    assert await hub.wallet() == 0
    assert await hub.account("platform", "suspense", currency) == came
    assert await hub.state(payment) == "failed"
    (alert,) = await hub.events("payment.mismatch")
    assert (alert["reason"], alert["payment_id"]) == (reason, payment)
    assert alert["held"] == {"amount": came, "currency": currency}
    (failed,) = await hub.events("payment.failed")
    assert failed["reason"] == "mismatch"
    (row,) = await hub.rows("SELECT streams FROM outbox WHERE kind = 'payment.mismatch'")
    assert row["streams"] == ["ops:payments"]


async def test_a_second_charge_for_a_settled_payment_goes_to_suspense(hub: Hub) -> None:
    payment = await hub.top_up()
    hub.paystack.pay(payment)
    await hub.deliver(payment)
    await hub.settle()
    second = f"{payment}-2"
    hub.paystack.transactions[second] = {
        **hub.paystack.transactions[payment],
        "reference": second,
    }
    await hub.deliver(second)
    await hub.settle()
    assert await hub.wallet() == 250_000
    assert await hub.account("platform", "suspense") == 250_000
    assert [event["reason"] for event in await hub.events("payment.mismatch")] == ["paid_twice"]


async def test_an_unknown_reference_is_kept_told_once_and_matched_later(hub: Hub) -> None:
    stranger = str(new_id(hub.clock.now()))
    assert (await hub.deliver(stranger)).status_code == 200
    await hub.settle()
    hub.clock.advance(timedelta(minutes=1))
    await hub.settle()
    (row,) = await hub.rows("SELECT state, tries FROM webhook_inbox")
    assert tuple(row) == ("unmatched", 2)
    (alert,) = await hub.events("payment.mismatch")
    assert (alert["reason"], alert["payment_id"]) == ("unknown_reference", None)
    # the payment turns up (a restored backup): its money is counted without another webhook
    known = await hub.top_up()
    await hub.rows("ALTER TABLE payments DISABLE TRIGGER payments_only_rise")
    await hub.rows("UPDATE payments SET id = $1::uuid WHERE id = $2::uuid", stranger, known)
    hub.paystack.transactions[stranger] = {
        **hub.paystack.transactions[known],
        "reference": stranger,
        "status": "success",
    }
    hub.clock.advance(timedelta(hours=1))
    await hub.settle()
    assert await hub.wallet() == 250_000


async def test_a_reference_that_was_never_ours_is_kept(hub: Hub) -> None:
    await hub.deliver("re4lyvq3s3")
    await hub.settle()
    (row,) = await hub.rows("SELECT state, reference FROM webhook_inbox")
    assert tuple(row) == ("unmatched", "re4lyvq3s3")


async def test_a_webhook_is_only_a_hint_and_the_gateways_answer_decides(hub: Hub) -> None:
    payment = await hub.top_up()
    await hub.deliver(payment, status="success", amount=250_000)
    await hub.settle()
    assert (await hub.state(payment), await hub.wallet()) == ("pending", 0)
    hub.paystack.pay(payment)
    assert await hub.settle() == 0, "not before its time"
    hub.clock.advance(timedelta(seconds=31))
    assert await hub.settle() == 1
    assert (await hub.state(payment), await hub.wallet()) == ("settled", 250_000)


async def test_a_process_killed_between_inbox_and_settlement_loses_nothing(hub: Hub) -> None:
    payment = await hub.top_up()
    hub.paystack.pay(payment)
    await hub.deliver(payment)
    asked = asyncio.Event()
    real = hub.gateways.named("paystack").ask

    async def hang(reference: str) -> Any:
        asked.set()
        await asyncio.Event().wait()

    gateway: Any = hub.gateways.named("paystack")
    gateway.ask = hang
    killed = asyncio.ensure_future(hub.settle())
    await asked.wait()
    killed.cancel()
    with pytest.raises(asyncio.CancelledError):
        await killed
    gateway.ask = real
    assert await hub.settle() == 0, "still leased to the dead process"
    await hub.rows("UPDATE webhook_inbox SET lease_until = now() - interval '1 second'")
    assert await hub.settle() == 1
    assert await hub.wallet() == 250_000


async def test_a_gateway_that_is_down_delays_a_webhook_and_loses_nothing(hub: Hub) -> None:
    payment = await hub.top_up()
    hub.paystack.pay(payment)
    hub.paystack.plan.extend(["503"] * 3)
    await hub.deliver(payment)
    await hub.settle()
    (row,) = await hub.rows("SELECT state, outcome FROM webhook_inbox")
    assert tuple(row) == ("waiting", "the gateway did not answer")
    hub.clock.advance(timedelta(minutes=1))
    await hub.settle()
    assert await hub.wallet() == 250_000


async def test_a_webhook_that_never_came_is_made_up_for_by_asking(
    hub: Hub, redis: RedisClient
) -> None:
    payment = await hub.top_up()
    hub.paystack.pay(payment)
    hub.clock.advance(timedelta(minutes=2))
    assert await reconcile_payments(hub.database, hub.clock, redis, hub.gateways) == 1
    assert (await hub.state(payment), await hub.wallet()) == ("settled", 250_000)
    await hub.deliver(payment)
    await hub.settle()
    assert await hub.wallet() == 250_000


async def test_money_that_comes_after_the_end_still_counts(hub: Hub) -> None:
    declined, expired = await hub.top_up("key-1"), await hub.top_up("key-2")
    hub.paystack.transactions[declined]["status"] = "failed"
    hub.clock.advance(timedelta(minutes=2))
    await reconcile_pending(hub.database, hub.clock, hub.gateways)
    assert await hub.state(declined) == "failed"
    hub.clock.advance(timedelta(hours=24))
    await reconcile_pending(hub.database, hub.clock, hub.gateways)
    assert await hub.state(expired) == "expired"
    for payment in (declined, expired):
        hub.paystack.pay(payment)
        await hub.deliver(payment)
    await hub.settle()
    assert await hub.wallet() == 500_000
    assert {await hub.state(declined), await hub.state(expired)} == {"settled"}


async def test_a_charge_taken_back_after_settlement_alerts_staff_and_moves_nothing(
    hub: Hub,
) -> None:
    payment = await hub.top_up()
    hub.paystack.pay(payment)
    await hub.deliver(payment)
    await hub.settle()
    hub.paystack.transactions[payment]["status"] = "reversed"
    await hub.deliver(payment, status="reversed")
    await hub.settle()
    assert (await hub.state(payment), await hub.wallet()) == ("settled", 250_000)
    assert [event["reason"] for event in await hub.events("payment.mismatch")] == ["reversed"]


async def test_settled_money_counts_against_the_days_limit_even_above_it(hub: Hub) -> None:
    payment = await hub.top_up()
    await hub.rows("UPDATE payments SET guards = jsonb_set(guards, '{0,ceiling}', '1')")
    hub.paystack.pay(payment)
    await hub.deliver(payment)
    await hub.settle()
    assert await hub.wallet() == 250_000
    (row,) = await hub.rows("SELECT used FROM guard_counters WHERE key LIKE 'top_up_daily:%'")
    assert row["used"] == 250_000


async def test_no_card_or_personal_detail_of_a_webhook_is_stored(
    hub: Hub, capfd: pytest.CaptureFixture[str]
) -> None:
    payment = await hub.top_up()
    hub.paystack.pay(payment)
    await hub.deliver(payment)
    refund = {"event": "refund.processed", "data": {"amount": "5000", "customer": {"email": "a@b"}}}
    body = msgspec.json.encode(refund)
    await hub.client.post("/webhooks/paystack", content=body, headers=hub.paystack.sign(body))
    await hub.settle()
    kept = str(await hub.rows("SELECT w::text FROM webhook_inbox w"))
    kept += str(await hub.rows("SELECT encode(data, 'escape') FROM outbox"))
    kept += "".join(capfd.readouterr())
    for secret in ("4084", "AUTH_", "amina@", "2348012345678", "197.210", "a@b", hub.paystack.key):
        assert secret not in kept
    assert "[card]" in kept
    rows = await hub.rows("SELECT event, state FROM webhook_inbox ORDER BY event")
    assert [tuple(row) for row in rows] == [
        ("charge.success", "done"),
        ("refund.processed", "ignored"),
    ]


async def test_payments_and_wallets_of_others_do_not_exist(hub: Hub) -> None:
    payment = await hub.top_up()
    hub.paystack.pay(payment)
    await hub.deliver(payment)
    await hub.settle()
    (wallet,) = (await hub.client.get("/v1/wallets")).json()["items"]
    hub.client.headers["x-as"] = str(new_id(hub.clock.now()))
    for path in (f"/v1/payments/{payment}", f"/v1/wallets/{wallet['id']}/entries"):
        assert (await hub.client.get(path)).status_code == 404
    assert (await hub.client.get("/v1/wallets")).json()["items"] == []
    assert (await hub.client.get("/v1/payments")).json()["items"] == []
    assert (await hub.client.get("/v1/payments/nonsense")).status_code == 400


@pytest.mark.parametrize("state", ["created", "pending", "failed", "expired"])
async def test_the_database_lets_no_state_fall(hub: Hub, state: str) -> None:
    payment = await hub.top_up()
    hub.paystack.pay(payment)
    await hub.deliver(payment)
    await hub.settle()
    with pytest.raises(Exception, match="cannot"):
        await hub.rows("UPDATE payments SET state = $1, settled_at = NULL", state)


async def test_the_database_lets_no_payment_be_rewritten_or_deleted(hub: Hub) -> None:
    await hub.top_up()
    with pytest.raises(Exception, match="cannot be rewritten"):
        await hub.rows("UPDATE payments SET amount = amount + 1")
    with pytest.raises(Exception, match="append-only"):
        await hub.rows("DELETE FROM payments")


async def test_a_stored_webhook_wakes_the_worker_and_a_refused_one_does_not(
    hub: Hub, redis: RedisClient, woken: list[str]
) -> None:
    payment = await hub.top_up()
    hub.paystack.pay(payment)
    body, _ = hub.paystack.webhook(payment)
    await hub.client.post("/webhooks/paystack", content=body)
    assert woken == []
    assert (await hub.deliver(payment)).json() == {"new": True}
    assert woken == ["settle"]
    assert await settle_webhooks(hub.database, hub.clock, redis, hub.gateways) == 1
    assert (await hub.deliver(payment)).json() == {"new": False}
