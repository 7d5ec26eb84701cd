"""FCM's answers and what each means for a notice and its token; access tokens of a real account."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import msgspec
import pytest
import pytest_asyncio

import hub.settings
from channels.base import Address, Dead, Notice, Retry, Sent
from channels.push import FcmClient, GoogleTokens
from channels.push.channel import message_for
from hub.clock import SystemClock
from hub.ids import EventId, PersonId, new_id
from hub.sandbox import fresh_service_account
from hub.settings import Secret

SEND = "messages:send"
MESSAGE = {"token": "t"}
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


def error(status: int, name: str, code: str | None, *violations: str) -> dict[str, Any]:
    details: list[dict[str, Any]] = []
    if code:
        details.append({"@type": FCM_ERROR, "errorCode": code})
    if violations:
        fields = [{"field": field, "description": "x"} for field in violations]
        details.append({"@type": BAD_REQUEST, "fieldViolations": fields})
    return {"error": {"code": status, "message": "x", "status": name, "details": details}}


@pytest.fixture(scope="module")
def keys() -> str:
    return fresh_service_account("http://placeholder")


@pytest.fixture
def account(double: Any, keys: str) -> Secret:
    return Secret(keys.replace("http://placeholder", double.url))


@pytest_asyncio.fixture
async def client(double: Any, account: Secret) -> AsyncIterator[FcmClient]:
    token = {"access_token": "ya29.one", "expires_in": 3600, "token_type": "Bearer"}
    double.answer("/token", 200, token)
    settings = hub.settings.Fcm(base_url=double.url, project_id="bvester", service_account=account)
    async with FcmClient.open(settings, SystemClock()) as opened:
        yield opened


async def test_a_message_is_handed_over_with_a_token_of_our_account(
    client: FcmClient, double: Any, account: Secret
) -> None:
    double.answer(SEND, 200, {"name": "projects/bvester/messages/0:1"})
    assert await client.send(MESSAGE) == Sent(provider_id="projects/bvester/messages/0:1")
    (request,) = double.at(SEND)
    assert request.path == "/v1/projects/bvester/messages:send"
    assert request.headers["authorization"] == "Bearer ya29.one"
    assert msgspec.json.decode(request.body) == {"message": MESSAGE}
    claims = jwt.decode(
        double.at("/token")[0].form["assertion"], options={"verify_signature": False}
    )
    assert claims["scope"].endswith("firebase.messaging")
    assert claims["iss"].endswith("bvester.iam.gserviceaccount.com")


async def test_one_access_token_serves_many_messages(client: FcmClient, double: Any) -> None:
    double.answer(SEND, 200, {"name": "n"})
    await asyncio.gather(*[client.send(MESSAGE) for _ in range(20)])
    assert len(double.at("/token")) == 1


async def test_an_access_token_is_renewed_before_it_expires(double: Any, account: Secret) -> None:
    double.answer("/token", 200, {"access_token": "a", "expires_in": 240, "token_type": "Bearer"})
    tokens = GoogleTokens(account, SystemClock())
    await tokens.token()
    await tokens.token()  # 240 s are within the five minutes before the end
    assert len(double.at("/token")) == 2


@pytest.mark.parametrize(
    ("status", "name", "code", "violations"),
    [
        (404, "NOT_FOUND", "UNREGISTERED", ()),
        (403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH", ()),
        (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", ()),
        (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", ("message.token",)),
    ],
)
async def test_a_dead_token_is_retired(
    client: FcmClient, double: Any, status: int, name: str, code: str, violations: tuple[str, ...]
) -> None:
    double.answer(SEND, status, error(status, name, code, *violations))
    outcome = await client.send(MESSAGE)
    assert isinstance(outcome, Dead)
    assert outcome.retire


@pytest.mark.parametrize(
    ("code", "violations"),
    [(None, ("message.android.ttl",)), ("INVALID_ARGUMENT", ("message.data",))],
)
async def test_our_own_fault_never_costs_a_token(
    client: FcmClient, double: Any, code: str | None, violations: tuple[str, ...]
) -> None:
    double.answer(SEND, 400, error(400, "INVALID_ARGUMENT", code, *violations))
    outcome = await client.send(MESSAGE)
    assert isinstance(outcome, Dead)
    assert not outcome.retire


@pytest.mark.parametrize(
    ("status", "headers", "low", "high"),
    [
        (429, {"retry-after": "7"}, 7, 7),
        (429, {}, 60, 60),
        (503, {"retry-after": "7"}, 7, 7),
        (503, {}, 10, 15),
        (500, {}, 10, 15),
    ],
)
async def test_a_busy_or_failing_service_is_tried_again(
    client: FcmClient, double: Any, status: int, headers: dict[str, str], low: int, high: int
) -> None:
    double.answer(SEND, status, error(status, "X", None), headers=headers)
    outcome = await client.send(MESSAGE)
    assert isinstance(outcome, Retry)
    assert low <= outcome.after <= high
    assert len(double.at(SEND)) == 1  # no hidden retries


async def test_waits_after_failures_double(client: FcmClient, double: Any) -> None:
    double.answer(SEND, 503, b"")
    outcome = await client.send(MESSAGE, number=3)
    assert isinstance(outcome, Retry)
    assert 40 <= outcome.after <= 60


async def test_a_refused_access_token_is_renewed_once(client: FcmClient, double: Any) -> None:
    double.answer(SEND, 401, error(401, "UNAUTHENTICATED", None))
    double.answer(SEND, 200, {"name": "n"})
    assert isinstance(await client.send(MESSAGE), Sent)
    assert len(double.at("/token")) == 2


async def test_credentials_that_stay_refused_are_ours_to_mend(
    client: FcmClient, double: Any
) -> None:
    double.answer(SEND, 401, error(401, "UNAUTHENTICATED", None))
    outcome = await client.send(MESSAGE)
    assert isinstance(outcome, Retry)
    assert outcome.after == 300
    assert len(double.at(SEND)) == 2


async def test_apples_refused_key_is_not_ours_to_renew(client: FcmClient, double: Any) -> None:
    double.answer(SEND, 401, error(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"))
    assert isinstance(await client.send(MESSAGE), Retry)
    assert len(double.at(SEND)) == 1


@pytest.mark.parametrize("status", [400, 503])
async def test_without_an_access_token_nothing_is_sent(
    double: Any, account: Secret, status: int
) -> None:
    double.answer("/token", status, {"error": "invalid_grant"})
    settings = hub.settings.Fcm(base_url=double.url, project_id="p", service_account=account)
    async with FcmClient.open(settings, SystemClock()) as client:
        assert isinstance(await client.send(MESSAGE), Retry)
    assert double.at(SEND) == []


async def test_an_account_that_is_none_stops_push_and_nothing_else(double: Any) -> None:
    settings = hub.settings.Fcm(base_url=double.url, project_id="p", service_account=Secret("{}"))
    async with FcmClient.open(settings, SystemClock()) as client:
        assert isinstance(await client.send(MESSAGE), Retry)


def test_a_notice_replaces_its_own_copy_and_goes_when_it_expires() -> None:
    now = datetime(2026, 11, 24, 9, tzinfo=UTC)
    event_id = EventId(new_id(now))
    notice = Notice(
        event_id=event_id,
        kind="payment.settled",
        person_id=PersonId(new_id(now)),
        address=Address("token"),
        title="T",
        text="B",
        verbatim=False,
        urgency="promotional",
        number=1,
        expires_at=now + timedelta(hours=1),
        data={"event": "payment.settled", "id": str(event_id)},
    )
    message = message_for(notice, now)
    tag = str(event_id)
    assert message["token"] == "token"
    assert message["android"] == {
        "priority": "NORMAL",
        "ttl": "3600s",
        "collapseKey": tag,
        "notification": {"tag": tag},
    }
    assert message["webpush"]["headers"] == {"TTL": "3600", "Urgency": "low"}
    assert message["apns"]["headers"]["apns-collapse-id"] == tag
    assert len(msgspec.json.encode(message)) < 4096
