"""Paystack: initialize, the checkout, the webhook, asking back."""

import asyncio
import hashlib
import hmac
import json

import pytest

KEY = {"Authorization": "Bearer sk_test_sandbox"}
WEBHOOK = "/webhooks/paystack"


async def initialize(sandbox, headers=KEY, **fields):
    order = {
        "email": "amina@example.com",
        "amount": 500_000,
        "currency": "KES",
        "reference": "topup-1",
        "callback_url": "http://127.0.0.1:8000/wallet?from=paystack",
        **fields,
    }
    order = {name: value for name, value in order.items() if value is not None}
    return await sandbox.post("/transaction/initialize", json=order, headers=headers)


async def verify(sandbox, reference="topup-1"):
    return await sandbox.get(f"/transaction/verify/{reference}", headers=KEY)


async def pay(sandbox, what="pay", **fields):
    data = (await initialize(sandbox, **fields)).json()["data"]
    return await sandbox.post(f"/paystack/checkout/{data['access_code']}/{what}")


def signature(body, key=b"sk_test_sandbox"):
    return hmac.new(key, body, hashlib.sha512).hexdigest()


async def test_a_transaction_begins_abandoned_and_is_paid_on_its_page(sandbox, hub, settings):
    answer = await initialize(sandbox, metadata={"payment_id": "p1"})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["message"]) == (True, "Authorization URL created")
    code = body["data"]["access_code"]
    assert body["data"] == {
        "authorization_url": f"{settings.sandbox.url}/paystack/checkout/{code}",
        "access_code": code,
        "reference": "topup-1",
    }
    assert (await verify(sandbox)).json()["data"]["status"] == "abandoned"
    page = await sandbox.get(f"/paystack/checkout/{code}")
    assert page.headers["content-type"].startswith("text/html")
    shown = (await sandbox.get(f"/paystack/checkout/{code}/transaction")).json()
    assert (shown["amount"], shown["currency"]) == (500_000, "KES")
    assert (await verify(sandbox)).json()["data"]["status"] == "ongoing"

    paid = (await sandbox.post(f"/paystack/checkout/{code}/pay")).json()
    assert paid == {
        "status": "success",
        "redirect_url": "http://127.0.0.1:8000/wallet"
        "?from=paystack&trxref=topup-1&reference=topup-1",
    }
    data = (await verify(sandbox)).json()["data"]
    assert (data["status"], data["amount"], data["currency"]) == ("success", 500_000, "KES")
    assert data["requested_amount"] == 500_000
    assert data["fees"] == 14_500
    assert data["metadata"] == {"payment_id": "p1"}
    assert data["paid_at"].endswith("Z")
    assert data["customer"]["email"] == "amina@example.com"


async def test_the_webhook_carries_the_verified_data_signed_over_its_bytes(sandbox, hub):
    await pay(sandbox)
    (request,) = await hub.wait_for(WEBHOOK)
    assert request.headers["x-paystack-signature"] == signature(request.body)
    event = json.loads(request.body)
    assert event["event"] == "charge.success"
    assert event["data"] == (await verify(sandbox)).json()["data"]
    await hub.stays_at(WEBHOOK, 1)


async def test_paying_twice_is_paying_once(sandbox, hub):
    code = (await initialize(sandbox)).json()["data"]["access_code"]
    first = await sandbox.post(f"/paystack/checkout/{code}/pay")
    second = await sandbox.post(f"/paystack/checkout/{code}/pay")
    assert first.json() == second.json()
    assert (await sandbox.post(f"/paystack/checkout/{code}/fail")).status_code == 409
    await hub.wait_for(WEBHOOK)
    await hub.stays_at(WEBHOOK, 1)


async def test_a_declined_or_abandoned_try_sends_nothing_and_can_still_be_paid(sandbox, hub):
    data = (await initialize(sandbox, metadata={"cancel_action": "http://x/cancel"})).json()["data"]
    page = f"/paystack/checkout/{data['access_code']}"
    assert (await sandbox.post(f"{page}/fail")).json() == {"status": "failed", "redirect_url": None}
    failed = (await verify(sandbox)).json()["data"]
    assert (failed["status"], failed["gateway_response"]) == ("failed", "Declined")
    assert (await sandbox.post(f"{page}/abandon")).json()["redirect_url"] == "http://x/cancel"
    await hub.stays_at(WEBHOOK, 0, 0.1)
    await sandbox.post(f"{page}/pay")
    await hub.wait_for(WEBHOOK)


async def test_a_reference_counts_once(sandbox):
    await initialize(sandbox)
    again = await initialize(sandbox)
    assert again.status_code == 400
    assert again.json() == {
        "status": False,
        "message": "Duplicate Transaction Reference",
        "meta": {"nextStep": "Try and create the Transaction or Charge with a new reference"},
        "type": "validation_error",
        "code": "duplicate_reference",
    }


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer sk_test_other"}])
async def test_a_wrong_key_is_401_everywhere(sandbox, headers):
    paths = ("/transaction/verify/x", "/transaction", "/balance")
    answers = [await sandbox.get(path, headers=headers) for path in paths]
    answers.append(await initialize(sandbox, headers))
    assert {answer.status_code for answer in answers} == {401}
    assert {answer.json()["message"] for answer in answers} == {"Invalid key"}


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"email": None}, 400, "invalid_email_address"),
        ({"email": "amina"}, 400, "invalid_email_address"),
        ({"amount": None}, 400, "invalid_amount"),
        ({"amount": 0}, 400, "invalid_amount"),
        ({"amount": -100}, 400, "invalid_amount"),
        ({"amount": 5000.5}, 400, "invalid_amount"),
        ({"amount": True}, 400, "invalid_amount"),
        ({"amount": 4_999, "currency": "NGN"}, 400, "invalid_amount"),
        ({"currency": "UGX"}, 403, "unsupported_currency"),
        ({"currency": ["KES"]}, 403, "unsupported_currency"),
        ({"reference": "under_score"}, 400, "invalid_reference"),
        ({"callback_url": "/wallet"}, 400, "invalid_callback_url"),
        ({"channels": ["cash"]}, 400, "invalid_channels"),
        ({"metadata": "{"}, 400, "invalid_metadata"),
    ],
)
async def test_wrong_parameters_are_refused(sandbox, fields, status, code):
    answer = await initialize(sandbox, **fields)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await verify(sandbox)).status_code == 404


async def test_what_the_sdks_send_is_taken_too(sandbox):
    assert (await initialize(sandbox, amount="500000")).status_code == 200
    form = {"email": "b@example.com", "amount": "5000", "currency": "GHS"}
    answer = await sandbox.post("/transaction/initialize", data=form, headers=KEY)
    assert answer.status_code == 200
    unreadable = await sandbox.post("/transaction/initialize", content=b"[", headers=KEY)
    assert unreadable.status_code == 400


async def test_unknown_references_and_codes_are_404(sandbox):
    answer = await verify(sandbox, "never")
    assert (answer.status_code, answer.json()["status"]) == (404, False)
    assert (await sandbox.post("/paystack/checkout/never/pay")).status_code == 404
    assert (await sandbox.get("/paystack/checkout/never")).status_code == 404


@pytest.mark.parametrize(
    ("currency", "amount", "fees"),
    [
        ("NGN", 200_000, 3_000),
        ("NGN", 250_000, 13_750),
        ("NGN", 50_000_000, 200_000),
        ("GHS", 10_001, 196),
        ("ZAR", 10_000, 390),
        ("USD", 10_000, 390),
    ],
)
async def test_fees_follow_the_price_list(sandbox, hub, currency, amount, fees):
    await pay(sandbox, currency=currency, amount=amount)
    assert (await verify(sandbox)).json()["data"]["fees"] == fees
    balances = (await sandbox.get("/balance", headers=KEY)).json()["data"]
    assert balances == [{"currency": currency, "balance": amount - fees}]


async def test_transactions_are_listed_for_reconciliation(sandbox, hub):
    for number in range(3):
        await initialize(sandbox, reference=f"r{number}")
    await pay(sandbox, reference="paid")
    query = {"perPage": "2", "page": "2"}
    listed = (await sandbox.get("/transaction", params=query, headers=KEY)).json()
    assert [one["reference"] for one in listed["data"]] == ["r1", "r0"]
    assert listed["meta"] == {
        "total": 4,
        "total_volume": 2_000_000,
        "skipped": 2,
        "perPage": 2,
        "page": 2,
        "pageCount": 2,
    }
    for query, count in (
        ({"status": "success"}, 1),
        ({"from": "2020-01-01"}, 4),
        ({"to": "2020-01-01T00:00:00Z"}, 0),
    ):
        listed = (await sandbox.get("/transaction", params=query, headers=KEY)).json()
        assert len(listed["data"]) == count
    wrong = await sandbox.get("/transaction", params={"from": "yesterday"}, headers=KEY)
    assert wrong.status_code == 400


async def test_a_webhook_insists_until_the_hub_takes_it(sandbox, hub):
    hub.answer = lambda request: (401 if len(hub.at(WEBHOOK)) < 3 else 200, "")
    await pay(sandbox)
    requests = await hub.wait_for(WEBHOOK, 3)
    assert len({request.body for request in requests}) == 1
    await hub.stays_at(WEBHOOK, 3)


async def test_a_payment_survives_a_restart_and_its_webhook_a_hub_that_was_down(start, open_hub):
    async with start() as sandbox:
        await pay(sandbox)
    async with start() as sandbox, open_hub() as hub:
        (request,) = await hub.wait_for(WEBHOOK)
        assert request.headers["x-paystack-signature"] == signature(request.body)
        assert (await verify(sandbox)).json()["data"]["status"] == "success"


# Bad manners


async def test_webhooks_may_come_twice_late_or_never(sandbox, hub, misbehave):
    await misbehave("paystack", "duplicate_webhook", match="twice")
    await pay(sandbox, reference="twice")
    first, second = await hub.wait_for(WEBHOOK, 2)
    assert first.body == second.body
    await misbehave("paystack", "late_webhook", value=300)
    await pay(sandbox, reference="late")
    await hub.stays_at(WEBHOOK, 2, 0.15)
    await hub.wait_for(WEBHOOK, 3)
    await misbehave("paystack", "no_webhook")
    await pay(sandbox, reference="never")
    await hub.stays_at(WEBHOOK, 3)
    assert (await verify(sandbox, "never")).json()["data"]["status"] == "success"


async def test_a_webhook_may_be_forged_or_have_strings_for_amounts(sandbox, hub, misbehave):
    await misbehave("paystack", "wrong_signature")
    await pay(sandbox, reference="forged")
    (forged,) = await hub.wait_for(WEBHOOK)
    assert forged.headers["x-paystack-signature"] != signature(forged.body)
    await misbehave("paystack", "string_amounts")
    await pay(sandbox, reference="strings")
    request = (await hub.wait_for(WEBHOOK, 2))[1]
    assert json.loads(request.body)["data"]["amount"] == "500000"
    assert (await verify(sandbox, "strings")).json()["data"]["amount"] == 500_000


async def test_another_amount_may_be_charged_than_asked(sandbox, hub, misbehave):
    await misbehave("paystack", "amount_mismatch", value=1_000)
    await pay(sandbox)
    (request,) = await hub.wait_for(WEBHOOK)
    data = json.loads(request.body)["data"]
    assert (data["amount"], data["requested_amount"]) == (1_000, 500_000)
    assert (await verify(sandbox)).json()["data"]["amount"] == 1_000


async def test_503_may_have_been_done_and_429_says_when(sandbox, misbehave):
    await misbehave("paystack", "503_but_done", match="initialize")
    assert (await initialize(sandbox)).status_code == 503
    assert (await verify(sandbox)).status_code == 200
    assert (await initialize(sandbox)).json()["code"] == "duplicate_reference"
    await misbehave("paystack", "503", match="verify topup-1")
    assert (await verify(sandbox)).status_code == 503
    await misbehave("paystack", "429", value=3)
    limited = await verify(sandbox)
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "3")
    assert (await verify(sandbox)).status_code == 200


async def test_many_at_once_are_all_told(sandbox, hub):
    await asyncio.gather(*(pay(sandbox, reference=f"many{number}") for number in range(40)))
    requests = await hub.wait_for(WEBHOOK, 40)
    references = {json.loads(request.body)["data"]["reference"] for request in requests}
    assert len(references) == 40
