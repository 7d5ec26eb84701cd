"""The SMS provider's answers, each as it has been recorded, and what each means for a notice."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio

import hub.settings
from channels.base import Cost, Dead, Retry, SendInDoubt, Sent
from channels.sms import AfricasTalking
from hub.phone import Phone
from hub.settings import Secret

PHONE = Phone("+254700000001")
PATH = "/version1/messaging"


def recipient(code: int, status: str = "Success", **changes: str) -> dict[str, Any]:
    entry = {
        "statusCode": code,
        "number": PHONE,
        "status": status,
        "cost": "KES 0.8000",
        "messageId": "ATXid_1",
        **changes,
    }
    return {"SMSMessageData": {"Message": "Sent to 1/1", "Recipients": [entry]}}


@pytest_asyncio.fixture
async def client(double: Any) -> AsyncIterator[AfricasTalking]:
    settings = hub.settings.AfricasTalking(
        base_url=double.url,
        username="bvester",
        api_key=Secret("at-key"),
        sender_id="BVESTER",
        callback_token=Secret("t"),
        service_code="*384*7#",
    )
    async with AfricasTalking.open(settings) as opened:
        yield opened


async def test_a_text_is_handed_over_as_the_provider_wants_it(
    client: AfricasTalking, double: Any
) -> None:
    double.answer(PATH, 201, recipient(101))
    outcome = await client.send(PHONE, "Habari & karibu + wewe é")
    assert outcome == Sent(
        provider_id="ATXid_1", reports=True, parts=1, cost=Cost(Decimal("0.8000"), "KES")
    )
    (request,) = double.requests
    assert request.headers["apikey"] == "at-key"
    assert request.headers["accept"] == "application/json"
    assert request.form == {
        "username": "bvester",
        "to": PHONE,
        "message": "Habari & karibu + wewe é",
        "bulkSMSMode": "1",
        "enqueue": "1",
        "from": "BVESTER",
    }


@pytest.mark.parametrize("code", [100, 101, 102])
async def test_processed_sent_and_queued_are_taken(
    client: AfricasTalking, double: Any, code: int
) -> None:
    double.answer(PATH, 201, recipient(code), content_type="application/json; charset=utf-8")
    assert isinstance(await client.send(PHONE, "x"), Sent)


@pytest.mark.parametrize(
    ("code", "after"), [(402, 300), (405, 300), (500, 60), (501, 60), (502, 60)]
)
async def test_what_may_pass_is_tried_again(
    client: AfricasTalking, double: Any, code: int, after: float
) -> None:
    double.answer(PATH, 201, recipient(code, "Trouble", messageId="None", cost="0"))
    outcome = await client.send(PHONE, "x")
    assert isinstance(outcome, Retry)
    assert outcome.after == after


@pytest.mark.parametrize(
    ("code", "retire"),
    [(403, True), (404, True), (406, True), (409, True), (401, False), (407, False), (999, False)],
)
async def test_what_will_not_pass_is_dead_and_a_dead_number_is_retired(
    client: AfricasTalking, double: Any, code: int, retire: bool
) -> None:
    double.answer(PATH, 201, recipient(code, "Nope"))
    assert await client.send(PHONE, "x") == Dead("africastalking: Nope", retire=retire)


async def test_no_recipients_is_a_failure_although_the_status_is_201(
    client: AfricasTalking, double: Any
) -> None:
    double.answer(PATH, 201, {"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}})
    assert await client.send(PHONE, "x") == Retry(300, "africastalking: InvalidSenderId")


async def test_a_refused_key_is_ours_to_mend(client: AfricasTalking, double: Any) -> None:
    double.answer(PATH, 401, b"The supplied authentication is invalid", content_type="text/plain")
    outcome = await client.send(PHONE, "x")
    assert isinstance(outcome, Retry)
    assert outcome.after == 300


async def test_a_busy_provider_says_when(client: AfricasTalking, double: Any) -> None:
    double.answer(PATH, 429, b"", headers={"retry-after": "17"})
    assert await client.send(PHONE, "x") == Retry(17, "africastalking is busy")


@pytest.mark.parametrize("header", ["", "soon", "-5", "99999999", "Wed, 21 Oct 2026 07:28:00 GMT"])
async def test_a_strange_retry_after_does_no_harm(
    client: AfricasTalking, double: Any, header: str
) -> None:
    double.answer(PATH, 429, b"", headers={"retry-after": header})
    outcome = await client.send(PHONE, "x")
    assert isinstance(outcome, Retry)
    assert 1 <= outcome.after <= 3600


async def test_a_server_error_waits_long_enough_for_a_report(
    client: AfricasTalking, double: Any
) -> None:
    double.answer(PATH, 503, b"")
    assert await client.send(PHONE, "x") == Retry(60, "africastalking answered 503")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"SMSMessageData":{"Recipients":[{}]}}'])
async def test_an_answer_nobody_can_read_leaves_it_in_doubt(
    client: AfricasTalking, double: Any, body: bytes
) -> None:
    double.answer(PATH, 201, body)
    with pytest.raises(SendInDoubt):
        await client.send(PHONE, "x")


async def test_a_connection_that_breaks_after_the_request_leaves_it_in_doubt(
    double: Any,
) -> None:
    double.answer(PATH, 201, recipient(101), delay=1.0)
    async with httpx.AsyncClient(base_url=double.url, timeout=0.2) as http:
        client = AfricasTalking(http, username="u", api_key=Secret("k"), sender_id="")
        with pytest.raises(SendInDoubt):
            await client.send(PHONE, "x")


async def test_a_provider_that_is_not_there_surely_got_nothing() -> None:
    async with httpx.AsyncClient(base_url="http://127.0.0.1:9", timeout=1) as http:
        client = AfricasTalking(http, username="u", api_key=Secret("k"), sender_id="")
        assert isinstance(await client.send(PHONE, "x"), Retry)


@pytest.mark.parametrize("cost", ["0", "", "KES", "KES x", "KES NaN", "kes 0.8"])
async def test_a_cost_of_another_form_is_no_cost(
    client: AfricasTalking, double: Any, cost: str
) -> None:
    double.answer(PATH, 201, recipient(101, cost=cost))
    outcome = await client.send(PHONE, "x")
    assert isinstance(outcome, Sent)
    assert outcome.cost is None


async def test_the_key_is_never_shown(client: AfricasTalking) -> None:
    assert "at-key" not in repr(client) + repr(client._account)
    assert msgspec.structs.asdict(client._account)["username"] == "bvester"
