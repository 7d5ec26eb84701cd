"""Firebase Cloud Messaging and the token endpoint, signed in to with Google's own library."""

import asyncio
import json
import time

import jwt
import pytest
import pytest_asyncio
from google.auth.transport.requests import Request
from google.oauth2 import service_account as google

from hub.sandbox import fresh_service_account

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
SEND = "/v1/projects/bvester/messages:send"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


def assertion(account, key=None, **claims):
    now = int(time.time())
    claims = {
        "iss": account["client_email"],
        "aud": account["token_uri"],
        "scope": SCOPE,
        "iat": now,
        "exp": now + 3600,
        **claims,
    }
    headers = {"kid": account["private_key_id"]}
    return jwt.encode(claims, key or account["private_key"], "RS256", headers)


async def token_answer(sandbox, text, grant=GRANT):
    return await sandbox.post("/token", data={"grant_type": grant, "assertion": text})


@pytest.fixture
def account(service_account):
    return json.loads(service_account)


@pytest_asyncio.fixture
async def bearer(sandbox, account):
    token = (await token_answer(sandbox, assertion(account))).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


async def push(sandbox, bearer, message=None, **request):
    message = {"token": "app-token", **(message or {})}
    message = {name: value for name, value in message.items() if value is not None}
    return await sandbox.post(SEND, json={"message": message, **request}, headers=bearer)


def details(answer):
    return {detail["@type"]: detail for detail in answer.json()["error"]["details"]}


async def test_googles_own_library_signs_in_and_sends(sandbox, settings, account):
    assert account["token_uri"] == "http://127.0.0.1:9999/token"
    local = {**account, "token_uri": f"{settings.sandbox.url}/token"}
    credentials = google.Credentials.from_service_account_info(local, scopes=[SCOPE])
    await asyncio.to_thread(credentials.refresh, Request())
    bearer = {"Authorization": f"Bearer {credentials.token}"}
    assert (await push(sandbox, bearer)).status_code == 200


async def test_a_message_is_kept_for_the_app(sandbox, bearer):
    message = {
        "notification": {"title": "Bvester", "body": "KES 5,000"},
        "data": {"event": "investment.made"},
        "android": {"priority": "high", "ttl": "60s", "collapse_key": "e1"},
    }
    answer = await push(sandbox, bearer, message)
    assert answer.status_code == 200
    assert answer.json()["name"].startswith("projects/bvester/messages/0:")
    (item,) = (await sandbox.get("/push/app-token")).json()["items"]
    assert item["id"] == answer.json()["name"]
    assert item["message"]["data"] == {"event": "investment.made"}
    assert item["message"]["android"]["collapseKey"] == "e1"
    assert (await sandbox.get("/push/other")).json() == {"items": []}


async def test_a_dry_run_is_checked_and_not_delivered(sandbox, bearer):
    assert (await push(sandbox, bearer, validate_only=True)).status_code == 200
    assert (await sandbox.get("/push/app-token")).json()["items"] == []


async def test_assertions_that_do_not_hold_get_no_token(sandbox, account):
    other = json.loads(fresh_service_account("http://x"))
    now = int(time.time())
    cases = [
        (assertion(account, other["private_key"]), "invalid_grant", "Invalid JWT Signature."),
        (assertion(account, aud="http://x/token"), "invalid_grant", "audience"),
        (assertion(account, iss="somebody@else"), "invalid_grant", "account not found"),
        (assertion(account, iat=now - 7200, exp=now - 3600), "invalid_grant", "short-lived"),
        (assertion(account, exp=now + 90_000), "invalid_grant", "short-lived"),
        (assertion(account, scope=""), "invalid_scope", "scope"),
        ("garbage", "invalid_grant", "Invalid JWT"),
        (
            jwt.encode({"iss": account["client_email"]}, "x" * 32, "HS256"),
            "invalid_grant",
            "Invalid JWT",
        ),
    ]
    for text, error, words in cases:
        answer = await token_answer(sandbox, text)
        assert answer.status_code == 400
        assert answer.json()["error"] == error
        assert words in answer.json()["error_description"]
    answer = await token_answer(sandbox, assertion(account), "password")
    assert answer.json()["error"] == "unsupported_grant_type"


async def test_sends_need_a_token_its_scope_and_the_right_project(sandbox, account, bearer):
    for headers in ({}, {"Authorization": "Bearer ya29.unknown"}):
        answer = await push(sandbox, headers)
        assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
    narrow = await token_answer(sandbox, assertion(account, scope="https://x/other"))
    headers = {"Authorization": f"Bearer {narrow.json()['access_token']}"}
    answer = await push(sandbox, headers)
    assert (answer.status_code, answer.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
    other = await sandbox.post(
        "/v1/projects/other/messages:send", json={"message": {"token": "t"}}, headers=bearer
    )
    assert other.status_code == 403


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"token": None}, "message"),
        ({"topic": "news"}, "message"),
        ({"data": {"amount": 5}}, "message.data[0].value"),
        ({"data": {"from": "x"}}, "message.data"),
        ({"data": {"google.x": "x"}}, "message.data"),
        ({"data": {"text": "x" * 4_096}}, "message"),
        ({"android": {"ttl": 60}}, "message.android.ttl"),
        ({"android": {"priority": "urgent"}}, "message.android.priority"),
        ({"notification": "hello"}, "message.notification"),
        ({"notification": {"text": "x"}}, "message.notification"),
        ({"badge": 1}, "message"),
        (
            {"android": {"notification": {"notification_count": "1"}}},
            "message.android.notification.notification_count",
        ),
    ],
)
async def test_a_message_google_refuses_names_the_field(sandbox, bearer, message, field):
    answer = await push(sandbox, bearer, message)
    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    (violation,) = details(answer)[BAD_REQUEST]["fieldViolations"]
    assert violation["field"] == field
    assert violation["description"]
    assert (await sandbox.get("/push/app-token")).json()["items"] == []


async def test_a_payload_of_exactly_4096_bytes_fits(sandbox, bearer):
    assert (await push(sandbox, bearer, {"data": {"text": "x" * 4_092}})).status_code == 200
    topic = {"token": None, "topic": "news", "data": {"text": "x" * 2_045}}
    assert (await push(sandbox, bearer, topic)).status_code == 400


async def test_what_is_no_json_or_no_message_is_refused(sandbox, bearer):
    for body in (b"{", b"[]", b"{}", b"\xff"):
        answer = await sandbox.post(SEND, content=body, headers=bearer)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, 400)


async def test_a_bad_token_has_only_an_fcm_error(sandbox, bearer):
    answer = await push(sandbox, bearer, {"token": "not a token"})
    assert answer.status_code == 400
    assert list(details(answer)) == [FCM_ERROR]


@pytest.mark.parametrize(
    ("what", "status", "name", "code"),
    [
        ("unregistered", 404, "NOT_FOUND", "UNREGISTERED"),
        ("invalid_token", 400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        ("sender_id_mismatch", 403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
        ("third_party_auth_error", 401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"),
        ("429", 429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
        ("429_without_retry_after", 429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
        ("500", 500, "INTERNAL", "INTERNAL"),
        ("503", 503, "UNAVAILABLE", "UNAVAILABLE"),
    ],
)
async def test_each_failure_has_googles_body(sandbox, bearer, misbehave, what, status, name, code):
    await misbehave("fcm", what, match="app-token")
    assert (await push(sandbox, bearer, {"token": "other"})).status_code == 200
    answer = await push(sandbox, bearer)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (status, status, name)
    assert details(answer)[FCM_ERROR]["errorCode"] == code
    assert answer.headers.get("retry-after") == ("1" if what == "429" else None)
    assert (await push(sandbox, bearer)).status_code == 200


async def test_tokens_run_out_and_endpoints_go_down_on_demand(sandbox, bearer, misbehave, account):
    await misbehave("fcm", "expired_bearer")
    assert (await push(sandbox, bearer)).status_code == 401
    await misbehave("fcm", "token_503")
    assert (await token_answer(sandbox, assertion(account))).status_code == 503
    await misbehave("fcm", "503", value=9)
    assert (await push(sandbox, bearer)).headers["retry-after"] == "9"


async def test_a_token_outlives_a_restart(start, account):
    async with start() as sandbox:
        token = (await token_answer(sandbox, assertion(account))).json()["access_token"]
    async with start() as sandbox:
        headers = {"Authorization": f"Bearer {token}"}
        assert (await push(sandbox, headers)).status_code == 200
