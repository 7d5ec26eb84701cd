"""The HTTP of investments: status codes, problems, and who may see what."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest_asyncio
from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import ASGIApp, Receive, Scope, Send

from hub.edge import exception_handlers
from hub.identity import Person, Principal
from hub.ids import new_id
from hub.investments.routes import routes
from hub.ledger import AccountRef
from hub.limits import Limits
from hub.redis_client import RedisClient

if TYPE_CHECKING:
    from conftest import Town


class Door:
    """The routes behind a door that believes a header; signing in is identity's own test."""

    def __init__(self, town: "Town", client: httpx.AsyncClient) -> None:
        self.town, self.client = town, client

    async def get(self, person: Person, path: str) -> httpx.Response:
        return await self.client.get(path, headers=who(person))

    async def invest(
        self, person: Person, body: dict[str, Any], key: str | None = "k"
    ) -> httpx.Response:
        headers = who(person) | ({"Idempotency-Key": key} if key is not None else {})
        return await self.client.post("/v1/investments", json=body, headers=headers)


def who(person: Person) -> dict[str, str]:
    return {"x-person": str(person.id), "x-roles": " ".join(person.roles)}


def sign_in(app: ASGIApp) -> ASGIApp:
    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        scope["user"] = msgspec.convert(
            {
                "person_id": headers["x-person"],
                "roles": headers["x-roles"].split(),
                "device_id": None,
                "session_id": headers["x-person"],
            },
            Principal,
        )
        await app(scope, receive, send)

    return middleware


@pytest_asyncio.fixture
async def door(town: "Town", redis: RedisClient) -> AsyncIterator[Door]:
    def provide(value: object) -> Provide:
        return Provide(lambda: value, sync_to_thread=False)

    app = Litestar(
        routes,
        middleware=[sign_in],
        dependencies={
            "database": provide(town.database),
            "investing": provide(town.investing),
            "clock": provide(town.clock),
        },
        exception_handlers=exception_handlers,
        openapi_config=None,
        state=State({"hub": SimpleNamespace(limits=Limits(redis, town.clock))}),
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as client:
        yield Door(town, client)


def kes(amount: int) -> dict[str, object]:
    return {"amount": amount, "currency": "KES"}


async def test_investing_answers_201_and_the_same_again(door: Door) -> None:
    ada, owner = await door.town.person("Ada", 50_000), await door.town.person("Otieno")
    offering = await door.town.offering(owner)
    body = {"offering_id": str(offering.id), "amount": kes(20_000)}
    first = await door.invest(ada, body)
    assert first.status_code == 201
    assert first.headers["content-type"] == "application/json"
    assert (await door.invest(ada, body)).content == first.content
    other = await door.invest(ada, {**body, "amount": kes(20_001)})
    assert other.status_code == 422
    assert other.json()["type"].endswith("/idempotency_key_reused")
    (mine,) = (await door.get(ada, "/v1/investments")).json()["items"]
    assert mine["id"] == first.json()["id"]
    assert (mine["raised"], mine["business_name"]) == (kes(20_000), "Ziwa Fish")


async def test_a_refusal_is_a_problem(door: Door) -> None:
    ada = await door.town.person("Ada", 10)
    offering = await door.town.offering(await door.town.person("Otieno"))
    body = {"offering_id": str(offering.id), "amount": kes(20_000)}
    refused = await door.invest(ada, body)
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["available"] == 10


async def test_bad_requests_change_nothing(door: Door) -> None:
    ada = await door.town.person("Ada", 50_000)
    offering = await door.town.offering(await door.town.person("Otieno"))
    good = {"offering_id": str(offering.id), "amount": kes(1_000)}
    unknown = str(new_id(door.town.clock.now()))
    for body, key, status in (
        ({**good, "amount": kes(-1)}, "k", 400),
        ({**good, "amount": kes(0)}, "k", 400),
        ({**good, "amount": {"amount": 10.5, "currency": "KES"}}, "k", 400),
        ({**good, "amount": {"amount": 1_000, "currency": "XYZ"}}, "k", 400),
        ({**good, "amount": {"amount": 1_000, "currency": "NGN"}}, "k", 400),
        ({**good, "amount": kes(2**60)}, "k", 400),
        ({"amount": kes(1_000)}, "k", 400),
        ({**good, "surprise": 1}, "k", 400),
        ({**good, "offering_id": "7"}, "k", 400),
        ({**good, "offering_id": unknown}, "k", 404),
        (good, "", 400),
        (good, None, 400),
        (good, "x" * 256, 400),
    ):
        answer = await door.invest(ada, body, key)
        assert answer.status_code == status, (body, key, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await door.get(ada, "/v1/investments")).json()["items"] == []
    assert (await door.invest(ada, good)).status_code == 201


async def test_offerings_are_listed_while_open_and_found_afterwards(door: Door) -> None:
    ada, owner = await door.town.person("Ada", 500_000), await door.town.person("Otieno")
    offering = await door.town.offering(owner)
    (listed,) = (await door.get(ada, "/v1/offerings")).json()["items"]
    assert listed["id"] == str(offering.id)
    assert (listed["raised"], listed["target"]) == (kes(0), kes(100_000))
    assert listed["rate_percent"] == "12"
    await door.town.invest(ada, offering, 100_000)
    assert (await door.get(ada, "/v1/offerings")).json() == {"items": [], "next_cursor": None}
    closed = (await door.get(ada, f"/v1/offerings/{offering.id}")).json()
    assert (closed["state"], closed["raised"], closed["investors"]) == ("funded", kes(100_000), 1)
    assert (await door.get(ada, "/v1/offerings/7")).status_code == 400
    missing = await door.get(ada, f"/v1/offerings/{new_id(door.town.clock.now())}")
    assert missing.status_code == 404


async def test_long_lists_come_in_pages(door: Door) -> None:
    ada, owner = await door.town.person("Ada", 500_000), await door.town.person("Otieno")
    offering = await door.town.offering(owner)
    for _ in range(52):
        await door.town.invest(ada, offering, 100)
    for path in ("/v1/investments", f"/v1/businesses/{offering.business_id}/investments"):
        first = (await door.get(owner if "businesses" in path else ada, path)).json()
        assert len(first["items"]) == 50
        rest = await door.get(
            owner if "businesses" in path else ada, f"{path}?cursor={first['next_cursor']}"
        )
        assert len(rest.json()["items"]) == 2
        assert rest.json()["next_cursor"] is None


async def test_only_the_owner_and_staff_look_into_a_business(door: Door) -> None:
    ada, owner = await door.town.person("Ada", 500_000), await door.town.person("Otieno")
    offering = await door.town.offering(owner)
    await door.town.invest(ada, offering, 100_000)
    path = f"/v1/businesses/{offering.business_id}"
    shown = (await door.get(ada, path)).json()
    assert (shown["name"], shown["wallets"]) == ("Ziwa Fish", None)
    assert (await door.get(ada, f"{path}/investments")).status_code == 404
    staff = msgspec.structs.replace(ada, roles=frozenset({"support"}))
    for person in (owner, staff):
        assert (await door.get(person, path)).json()["wallets"][0]["available"] == 100_000
        (backing,) = (await door.get(person, f"{path}/investments")).json()["items"]
        assert (backing["investor_name"], backing["amount"]) == ("Ada", kes(100_000))
    (mine,) = (await door.get(owner, "/v1/businesses")).json()["items"]
    assert mine["id"] == str(offering.business_id)
    assert (await door.get(ada, "/v1/businesses")).json()["items"] == []


async def test_too_many_investments_in_a_minute_are_put_off(door: Door) -> None:
    ada, owner = await door.town.person("Ada", 50_000), await door.town.person("Otieno")
    offering = await door.town.offering(owner)
    body = {"offering_id": str(offering.id), "amount": kes(1)}
    answers = [await door.invest(ada, body) for _ in range(31)]
    assert {answer.status_code for answer in answers[:30]} <= {201, 422}
    assert answers[30].status_code == 429
    assert int(answers[30].headers["retry-after"]) >= 1


async def test_nobody_invests_in_their_own_business(door: Door) -> None:
    owner = await door.town.person("Otieno", 50_000)
    offering = await door.town.offering(owner)
    refused = await door.invest(owner, {"offering_id": str(offering.id), "amount": kes(20_000)})
    assert refused.status_code == 422
    assert refused.json()["type"].endswith("own_business_investment")
    assert await door.town.has(AccountRef(f"person:{owner.id}", "wallet", "KES")) == 50_000
