"""Paystack's quirks, one by one, against recorded forms and its own OpenAPI document."""

import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha512
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.clock import ManualClock
from hub.money import Money
from hub.payments import GatewayDown, GatewayRefused
from hub.payments.errors import BadSignature, BadWebhook, ReferenceUsed
from hub.payments.gateways import Order, Paystack
from hub.payments.gateways.paystack import card_free
from hub.settings import Paystack as PaystackSettings
from hub.settings import Secret

KEY = "sk_test_4f1c"
SPEC = Path(__file__).parents[4] / "shared" / "specs" / "paystack.openapi.trimmed.json"
ORDER = Order(
    reference="0199a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b",
    amount=Money(250_000, "KES"),
    payer_email="0199a1b2@pay.bvester.com",
    return_url="https://hub.example/",
    metadata={"payment_id": "0199a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b"},
)
Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def paystack(clock: ManualClock) -> Callable[[Handler], Paystack]:
    def make(handler: Handler) -> Paystack:
        client = httpx.AsyncClient(transport=httpx.MockTransport(handler))
        return Paystack(PaystackSettings("https://paystack.test", Secret(KEY)), client, clock)

    return make


def verified(**data: Any) -> Handler:
    full = {"reference": ORDER.reference, "status": "success", "amount": 250_000, "currency": "KES"}
    body = {"status": True, "message": "Verification successful", "data": {**full, **data}}
    return lambda _: httpx.Response(200, json=body)


async def test_the_request_fits_the_providers_own_schema(
    paystack: Callable[[Handler], Paystack],
) -> None:
    if not SPEC.exists():
        pytest.skip("Paystack's OpenAPI document is not beside this checkout")
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        data = {"authorization_url": "https://x.test/1", "access_code": "1", "reference": "r"}
        return httpx.Response(200, json={"status": True, "message": "", "data": data})

    await paystack(answer).start(ORDER)
    document = msgspec.json.decode(SPEC.read_bytes())
    operation = document["paths"]["/transaction/initialize"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    body = msgspec.json.decode(sent[0].content)
    jsonschema.Draft202012Validator({**schema, "components": document["components"]}).validate(body)
    assert sent[0].method == "POST"
    assert sent[0].url == "https://paystack.test/transaction/initialize"
    assert sent[0].headers["authorization"] == f"Bearer {KEY}"
    properties = document["components"]["schemas"]["TransactionInitialize"]["properties"]
    assert set(body) <= set(properties), "nothing the provider does not know"


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        ("success", "paid"),
        ("failed", "declined"),
        ("reversed", "reversed"),
        *((s, "open") for s in ("abandoned", "ongoing", "pending", "processing", "queued", "new")),
    ],
)
async def test_only_success_means_paid(
    paystack: Callable[[Handler], Paystack], status: str, meaning: str
) -> None:
    charge = await paystack(verified(status=status)).ask(ORDER.reference)
    assert charge is not None
    assert charge.status == meaning


@pytest.mark.parametrize("metadata", ["", {}, {"a": 1}, None, 0])
async def test_metadata_may_be_anything(
    paystack: Callable[[Handler], Paystack], metadata: Any
) -> None:
    charge = await paystack(verified(metadata=metadata, amount="250000", currency="kes")).ask(
        ORDER.reference
    )
    assert charge is not None
    assert charge.amount == Money(250_000, "KES")


@pytest.mark.parametrize(
    "data",
    [{"reference": "another"}, {"amount": "12.5"}, {"amount": 12.5}, {"status": None}],
)
async def test_an_answer_that_makes_no_sense_is_a_gateway_that_is_down(
    paystack: Callable[[Handler], Paystack], data: dict[str, Any]
) -> None:
    with pytest.raises(GatewayDown):
        await paystack(verified(**data)).ask(ORDER.reference)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"status": False, "message": "Duplicate Transaction Reference"}, ReferenceUsed),
        (400, {"status": False, "message": "x", "code": "duplicate_reference"}, ReferenceUsed),
        (400, {"status": False, "message": "Invalid Amount Sent"}, GatewayRefused),
        (403, {"status": False, "message": "Currency not supported by merchant"}, GatewayRefused),
        (200, {"status": False, "message": "No"}, GatewayRefused),
        (401, {"status": False, "message": "Invalid key"}, GatewayDown),
        (429, {"status": False, "message": "Slow down"}, GatewayDown),
        (502, "<html>", GatewayDown),
        (200, "<html>", GatewayDown),
        (200, {"status": True, "data": {"authorization_url": 5}}, GatewayDown),
    ],
)
async def test_each_way_of_saying_no_is_told_apart_and_sent_once(
    paystack: Callable[[Handler], Paystack], status: int, body: Any, error: type[Exception]
) -> None:
    sent = 0

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal sent
        sent += 1
        if isinstance(body, str):
            return httpx.Response(status, text=body)
        return httpx.Response(status, json=body)

    with pytest.raises(error) as caught:
        await paystack(answer).start(ORDER)
    assert sent == 1, "a charge is never sent twice from here"
    assert KEY not in str(vars(caught.value))


async def test_a_question_is_asked_again_over_a_broken_line_and_a_charge_is_not(
    paystack: Callable[[Handler], Paystack],
) -> None:
    methods: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        methods.append(request.method)
        if methods.count("GET") == 3:
            return verified()(request)
        raise httpx.ConnectError("refused", request=request)

    gateway = paystack(answer)
    with pytest.raises(GatewayDown):
        await gateway.start(ORDER)
    charge = await gateway.ask(ORDER.reference)
    assert charge is not None
    assert methods == ["POST", "GET", "GET", "GET"]


def test_a_signature_is_over_the_raw_bytes(paystack: Callable[[Handler], Paystack]) -> None:
    gateway = paystack(verified())
    body = b'{ "event": "charge.success",\n "data": {"reference": "r-1", "status": "success"} }'
    good = hmac.new(KEY.encode(), body, sha512).hexdigest()
    notice = gateway.read_webhook({"x-paystack-signature": good}, body)
    assert (notice.event, notice.reference, notice.settles) == ("charge.success", "r-1", True)
    for bad in ("", good.upper(), good[:-1], "é" * 128):
        with pytest.raises(BadSignature):
            gateway.read_webhook({"x-paystack-signature": bad}, body)


@given(body=st.binary(max_size=200))
def test_no_signed_bytes_break_the_reader(body: bytes) -> None:
    gateway = Paystack(
        PaystackSettings("https://paystack.test", Secret(KEY)),
        httpx.AsyncClient(transport=httpx.MockTransport(verified())),
        ManualClock(datetime(2026, 1, 1, tzinfo=UTC)),
    )
    signature = hmac.new(KEY.encode(), body, sha512).hexdigest()
    with pytest.raises(BadWebhook):
        gateway.read_webhook({"x-paystack-signature": signature}, body)


def test_card_numbers_are_cut_out_and_other_figures_stay() -> None:
    assert card_free("Approved 4084 0840 8408 4081.") == "Approved [card]."
    assert card_free("4084-0840-8408-4081 5399838383838381") == "[card] [card]"
    assert card_free("4084084084084082") == "4084084084084082"
    assert card_free("order 123456789012") == "order 123456789012"
    assert card_free("0" * 25) == "0" * 25
