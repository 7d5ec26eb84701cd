"""One's own settings over HTTP, and the door in front of them."""

from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from httpx import AsyncClient

from hub.clock import ManualClock
from hub.database import Connection, Database
from hub.errors import Forbidden, Unauthenticated
from hub.identity import Person, Principal, Tokens, has_role, sweep_sign_ins, verify_pin
from hub.identity.errors import PinWrong
from hub.ids import DeviceId, new_id
from hub.sealing import Keyring


@pytest_asyncio.fixture
async def signed(client: AsyncClient, sender: Any, amina: Person) -> AsyncClient:
    """The client with an access token of Amina's."""
    challenge = (await client.post("/v1/sign-in/codes", json={"phone": "+254700000001"})).json()
    answer = await client.post(
        "/v1/sign-in/sessions",
        json={
            "challenge_id": challenge["challenge_id"],
            "code": sender.last_code,
            "device": {"platform": "android", "name": "Pixel"},
        },
    )
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return client


async def test_me_shows_and_changes_what_is_mine(signed: AsyncClient, amina: Person) -> None:
    mine = (await signed.get("/v1/me")).json()
    assert mine == {
        "id": str(amina.id), "display_name": "Amina", "language": "sw", "country": "KE",
        "roles": ["owner"], "kyc_level": 1, "timezone": "Africa/Nairobi",
        "phone": "+254700000001", "has_pin": True,
    }  # fmt: skip
    assert (await signed.patch("/v1/me", json={"language": "fr"})).status_code == 204
    assert (await signed.get("/v1/me")).json()["language"] == "fr"
    for body in ({"language": "xx"}, {}, {"language": "en", "kyc_level": 3}):
        assert (await signed.patch("/v1/me", json=body)).status_code == 400


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer x.y.z", "Basic YTpi", "Bearer é", "token"]
)
async def test_nothing_opens_without_a_valid_token(client: AsyncClient, header: str) -> None:
    answer = await client.get("/v1/me", headers={"Authorization": header.encode()})
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("application/problem+json")


async def test_an_access_token_fades_after_fifteen_minutes(
    signed: AsyncClient, clock: ManualClock
) -> None:
    clock.advance(timedelta(seconds=899))
    assert (await signed.get("/v1/me")).status_code == 200
    clock.advance(timedelta(seconds=1))
    assert (await signed.get("/v1/me")).status_code == 401


async def test_a_pin_needs_a_fresh_sign_in(
    signed: AsyncClient, clock: ManualClock, database: Database, keyring: Keyring, amina: Person
) -> None:
    assert (await signed.put("/v1/me/pin", json={"pin": "9173"})).status_code == 204
    await verify_pin(database, keyring, clock, amina.id, "9173")
    for pin in ("123", "1234567", "12a4", "1234", "8888", "9876", "٤٥٦٨"):
        assert (await signed.put("/v1/me/pin", json={"pin": pin})).status_code == 400, pin
    clock.advance(timedelta(minutes=11))
    answer = await signed.put("/v1/me/pin", json={"pin": "1928"})
    assert (answer.status_code, answer.json()["type"][-15:]) == (401, "sign_in_too_old")
    with pytest.raises(PinWrong):
        await verify_pin(database, keyring, clock, amina.id, "1928")


async def test_pins_are_not_hashed_as_often_as_one_likes(signed: AsyncClient) -> None:
    statuses = [
        (await signed.put("/v1/me/pin", json={"pin": "9173"})).status_code for _ in range(12)
    ]
    assert statuses == [204] * 10 + [429] * 2


async def test_the_connection_token_names_person_and_device_and_opens_no_route(
    signed: AsyncClient, tokens: Tokens, amina: Person, clock: ManualClock
) -> None:
    answer = (await signed.get("/v1/realtime/token")).json()
    claims = tokens.verify_connection(answer["token"])
    assert (claims.user, answer["expires_in"]) == (str(amina.id), 3600)
    assert claims.expires_at == int(clock.now().timestamp()) + 3600
    assert claims.info == {"name": "Amina"}
    assert claims.device is not None
    signed.headers["Authorization"] = f"Bearer {answer['token']}"
    assert (await signed.get("/v1/me")).status_code == 401


async def test_a_push_token_belongs_to_the_device_that_is_signed_in(
    signed: AsyncClient, database: Database
) -> None:
    path = "/v1/devices/current/push-token"
    assert (await signed.put(path, json={"token": "fcm-1"})).status_code == 204
    assert (await signed.put(path, json={"token": ""})).status_code == 400
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT push_token FROM devices") == "fcm-1"


async def test_the_public_key_is_public(client: AsyncClient, tokens: Tokens) -> None:
    keys = (await client.get("/.well-known/jwks.json")).json()["keys"]
    assert [(key["kid"], key["alg"], "d" in key) for key in keys] == [(tokens.kid, "EdDSA", False)]


async def test_guards_ask_for_a_person_and_for_a_role(amina: Person, clock: ManualClock) -> None:
    class Knock:
        def __init__(self, user: Principal | None) -> None:
            self.user = user
            self.scope = {"user": user}

    officer = Principal(
        amina.id, frozenset({"operations"}), DeviceId(new_id(clock.now())), new_id(clock.now())
    )
    guard: Any = has_role("operations", "support")
    await guard(Knock(officer), None)
    with pytest.raises(Forbidden):
        await guard(Knock(Principal(amina.id, frozenset(), None, new_id(clock.now()))), None)
    with pytest.raises(Unauthenticated):
        await guard(Knock(None), None)


async def test_what_is_long_over_is_swept(
    signed: AsyncClient, database: Database, clock: ManualClock
) -> None:
    async def sweep(tx: Connection) -> int:
        return await sweep_sign_ins(tx, clock.now())

    assert await database.transaction(sweep) == 0
    clock.advance(timedelta(days=32))
    assert await database.transaction(sweep) == 2
