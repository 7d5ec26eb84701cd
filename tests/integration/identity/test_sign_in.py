"""Signing in over HTTP, with a real database and Valkey."""

import asyncio
import logging
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient, Response

from hub.clock import ManualClock
from hub.database import Database
from hub.identity import Person, Tokens

AMINA = "+254700000001"
STRANGER = "+254700000009"
WEB = {"platform": "web", "name": "Firefox"}
ANDROID = {"platform": "android", "name": "Pixel"}


async def ask(client: AsyncClient, phone: str = AMINA) -> str:
    answer = await client.post("/v1/sign-in/codes", json={"phone": phone})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["challenge_id"])


async def give(
    client: AsyncClient, challenge: str, code: str, device: dict[str, str] = ANDROID
) -> Response:
    return await client.post(
        "/v1/sign-in/sessions", json={"challenge_id": challenge, "code": code, "device": device}
    )


async def sign_in(client: AsyncClient, sender: Any, device: dict[str, str] = ANDROID) -> Response:
    answer = await give(client, await ask(client), sender.last_code, device)
    assert answer.status_code == 201, answer.text
    return answer


def bearer(answer: Response) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def other(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


async def test_a_code_on_the_phone_signs_its_owner_in(
    client: AsyncClient, sender: Any, amina: Person, tokens: Tokens, database: Database
) -> None:
    session = (await sign_in(client, sender)).json()
    assert sender.sent[-1][::2] == (AMINA, "sw")
    assert session["person"] == {
        "id": str(amina.id), "display_name": "Amina", "language": "sw", "country": "KE",
        "roles": ["owner"], "kyc_level": 1,
    }  # fmt: skip
    principal = tokens.verify_access(session["access_token"])
    assert (principal.person_id, session["expires_in"]) == (amina.id, 900)
    async with database.connection() as connection:
        kinds = await connection.fetch("SELECT kind, recipients FROM outbox WHERE lead ORDER BY id")
    assert [(row["kind"], row["recipients"]) for row in kinds][-1] == (
        "identity.signed_in",
        [amina.id],
    )


async def test_a_code_works_once(client: AsyncClient, sender: Any, amina: Person) -> None:
    challenge = await ask(client)
    assert (await give(client, challenge, sender.last_code)).status_code == 201
    again = await give(client, challenge, sender.last_code)
    assert (again.status_code, again.json()["type"][-15:]) == (401, "sign_in_refused")


async def test_five_wrong_codes_use_up_the_right_one(
    client: AsyncClient, sender: Any, amina: Person
) -> None:
    challenge = await ask(client)
    left = [
        (await give(client, challenge, other(sender.last_code))).json()["attempts_left"]
        for _ in range(5)
    ]
    assert left == [4, 3, 2, 1, 0]
    assert (await give(client, challenge, sender.last_code)).status_code == 401


async def test_a_code_expires(
    client: AsyncClient, sender: Any, amina: Person, clock: ManualClock
) -> None:
    challenge = await ask(client)
    clock.advance(timedelta(minutes=10))
    assert (await give(client, challenge, sender.last_code)).status_code == 401


async def test_nobody_learns_who_is_a_member(
    client: AsyncClient, sender: Any, amina: Person
) -> None:
    member = await client.post("/v1/sign-in/codes", json={"phone": AMINA})
    stranger = await client.post("/v1/sign-in/codes", json={"phone": STRANGER})
    assert len(sender.sent) == 1
    assert (member.status_code, member.json().keys(), member.headers.keys()) == (
        stranger.status_code,
        stranger.json().keys(),
        stranger.headers.keys(),
    )
    wrong = [
        await give(client, answer.json()["challenge_id"], other(sender.last_code))
        for answer in (member, stranger)
    ]
    assert wrong[0].json() == wrong[1].json()
    nothing = await give(client, str(uuid4()), "000000")
    assert nothing.status_code == 401


async def test_a_text_that_is_no_number_is_refused(client: AsyncClient) -> None:
    for phone in ("", "hello", "+999123", "0700000001", "+2547000000010000"):
        answer = await client.post("/v1/sign-in/codes", json={"phone": phone})
        assert answer.status_code == 400, phone


async def test_a_number_gets_five_codes_and_then_has_to_wait(
    client: AsyncClient, sender: Any, amina: Person
) -> None:
    for _ in range(5):
        await ask(client)
    refused = await client.post("/v1/sign-in/codes", json={"phone": AMINA})
    assert refused.status_code == 429
    assert len(sender.sent) == 5


async def test_walking_through_a_block_of_numbers_is_stopped(client: AsyncClient) -> None:
    statuses = [
        (await client.post("/v1/sign-in/codes", json={"phone": f"+25470000{n:04d}"})).status_code
        for n in range(40, 80)
    ]
    assert statuses.count(202) == 30


async def test_without_redis_a_person_still_gets_only_five_codes(
    client: AsyncClient, sender: Any, amina: Person, redis: Any
) -> None:
    for _ in range(7):
        await redis.flushall()
        await ask(client)
    assert len(sender.sent) == 5


async def test_a_person_gets_twenty_codes_a_day_however_slowly_they_are_asked_for(
    client: AsyncClient, sender: Any, amina: Person, clock: ManualClock
) -> None:
    for _ in range(22):
        await ask(client)
        clock.advance(timedelta(minutes=30))
    assert len(sender.sent) == 20
    clock.advance(timedelta(hours=14))
    await ask(client)
    assert len(sender.sent) == 21


async def test_a_provider_that_is_down_changes_nothing_in_the_answer(
    client: AsyncClient, sender: Any, amina: Person, capfd: pytest.CaptureFixture[str]
) -> None:
    sender.broken = True
    await ask(client)
    logged = "".join(capfd.readouterr())
    assert "could not be sent" in logged
    assert AMINA not in logged


async def test_browsers_get_a_cookie_that_scripts_cannot_read(
    client: AsyncClient, sender: Any, amina: Person
) -> None:
    answer = await sign_in(client, sender, WEB)
    assert answer.json()["refresh_token"] is None
    cookie = answer.headers["set-cookie"]
    for part in ("hub_refresh=", "HttpOnly", "SameSite=strict", "Path=/v1/sign-in"):
        assert part in cookie
    refreshed = await client.post("/v1/sign-in/refresh")
    assert refreshed.status_code == 200, refreshed.text
    assert refreshed.json()["refresh_token"] is None
    assert refreshed.headers["set-cookie"] != cookie


async def test_refresh_without_any_token_is_refused(client: AsyncClient) -> None:
    for body in ({}, {"refresh_token": "x" * 43}, {"refresh_token": None}):
        assert (await client.post("/v1/sign-in/refresh", json=body)).status_code == 401


async def refresh(client: AsyncClient, token: str) -> Response:
    return await client.post("/v1/sign-in/refresh", json={"refresh_token": token})


async def test_each_refresh_gives_the_next_token(
    client: AsyncClient, sender: Any, amina: Person, clock: ManualClock
) -> None:
    token = (await sign_in(client, sender)).json()["refresh_token"]
    for _ in range(3):
        clock.advance(timedelta(days=20))
        answer = await refresh(client, token)
        assert answer.status_code == 200
        token = answer.json()["refresh_token"]
    clock.advance(timedelta(days=30))
    assert (await refresh(client, token)).status_code == 401


async def test_a_refresh_token_used_twice_ends_the_session_for_both(
    client: AsyncClient, sender: Any, amina: Person, clock: ManualClock, database: Database
) -> None:
    first = (await sign_in(client, sender)).json()["refresh_token"]
    second = (await refresh(client, first)).json()["refresh_token"]
    clock.advance(timedelta(seconds=11))
    assert (await refresh(client, first)).status_code == 401
    assert (await refresh(client, second)).status_code == 401
    async with database.connection() as connection:
        last = await connection.fetchval("SELECT kind FROM outbox ORDER BY id DESC LIMIT 1")
    assert last == "identity.session_revoked"


async def test_a_stolen_token_is_no_retry_once_its_successor_was_used(
    client: AsyncClient, sender: Any, amina: Person
) -> None:
    first = (await sign_in(client, sender)).json()["refresh_token"]
    second = (await refresh(client, first)).json()["refresh_token"]
    third = (await refresh(client, second)).json()["refresh_token"]
    assert (await refresh(client, first)).status_code == 401
    assert (await refresh(client, third)).status_code == 401


async def test_an_answer_lost_on_the_way_can_be_asked_for_again(
    client: AsyncClient, sender: Any, amina: Person, clock: ManualClock
) -> None:
    first = (await sign_in(client, sender)).json()["refresh_token"]
    lost = (await refresh(client, first)).json()["refresh_token"]
    clock.advance(timedelta(seconds=5))
    again = await refresh(client, first)
    assert again.status_code == 200
    clock.advance(timedelta(seconds=20))
    assert (await refresh(client, again.json()["refresh_token"])).status_code == 200
    assert (await refresh(client, lost)).status_code == 401


async def test_two_tabs_that_refresh_at_once_stay_signed_in(
    client: AsyncClient, sender: Any, amina: Person, clock: ManualClock, database: Database
) -> None:
    first = (await sign_in(client, sender)).json()["refresh_token"]
    answers = await asyncio.gather(*(refresh(client, first) for _ in range(2)))
    assert [answer.status_code for answer in answers] == [200, 200]
    clock.advance(timedelta(minutes=10))
    hashes = [sha256(answer.json()["refresh_token"].encode()).digest() for answer in answers]
    async with database.connection() as connection:
        live = await connection.fetch("SELECT token_hash FROM refresh_tokens WHERE used_at IS NULL")
    assert [row["token_hash"] in hashes for row in live] == [True]
    token = answers[hashes.index(live[0]["token_hash"])].json()["refresh_token"]
    assert (await refresh(client, token)).status_code == 200


async def test_signing_out_ends_the_session_and_silences_the_device(
    client: AsyncClient, sender: Any, amina: Person, database: Database
) -> None:
    session = await sign_in(client, sender)
    await client.put(
        "/v1/devices/current/push-token", json={"token": "fcm-1"}, headers=bearer(session)
    )
    assert (await client.post("/v1/sign-out", headers=bearer(session))).status_code == 204
    assert (await refresh(client, session.json()["refresh_token"])).status_code == 401
    for method, path, body in (
        ("GET", "/v1/realtime/token", None),
        ("PUT", "/v1/me/pin", {"pin": "9173"}),
    ):
        answer = await client.request(method, path, json=body, headers=bearer(session))
        assert answer.status_code == 401, path
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(push_token) FROM devices") == 0


async def test_a_suspended_person_can_neither_sign_in_nor_refresh(
    client: AsyncClient, sender: Any, amina: Person, database: Database
) -> None:
    token = (await sign_in(client, sender)).json()["refresh_token"]
    challenge = await ask(client)
    async with database.connection() as connection:
        await connection.execute("UPDATE people SET state = 'suspended'")
    assert (await give(client, challenge, sender.last_code)).status_code == 401
    assert (await refresh(client, token)).status_code == 401
    await ask(client)
    assert len(sender.sent) == 2


async def test_codes_tokens_pins_and_numbers_are_never_logged(
    client: AsyncClient,
    sender: Any,
    amina: Person,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    challenge = await ask(client)
    await give(client, challenge, other(sender.last_code))
    session = await give(client, challenge, sender.last_code)
    await client.put("/v1/me/pin", json={"pin": "9173"}, headers=bearer(session))
    await client.put("/v1/me/pin", json={"pin": "917"}, headers=bearer(session))
    token = session.json()["refresh_token"]
    await refresh(client, token)
    await refresh(client, token)
    logged = caplog.text + "".join(capfd.readouterr())
    for secret in (AMINA, sender.last_code, "9173", token, session.json()["access_token"]):
        assert secret not in logged
