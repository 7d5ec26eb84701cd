"""Who may read what became of a notice, and switching channels."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar, Response
from litestar.di import Provide

from hub.clock import ManualClock
from hub.database import Database
from hub.errors import HubError
from hub.identity import Person, Principal
from hub.ids import EventId, new_id
from hub.limits import Limits
from hub.notifications.routes import routes
from hub.problems import MEDIA_TYPE, problem, status_of
from hub.redis_client import RedisClient


class Caller:
    """Whoever the test says is signed in."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.principal: Principal | None = None

    def be(self, person: Person, *roles: str) -> None:
        self.principal = Principal(person.id, frozenset(roles), None, person.id)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["user"] = self.principal
        await self.app(scope, receive, send)


@pytest.fixture
def caller(database: Database, clock: ManualClock, redis: RedisClient) -> Caller:
    def refuse(_: Any, error: HubError) -> Response[bytes]:
        return Response(problem(error), status_code=status_of(error), media_type=MEDIA_TYPE)

    app = Litestar(
        routes,
        dependencies={
            "database": Provide(lambda: database, sync_to_thread=False),
            "clock": Provide(lambda: clock, sync_to_thread=False),
        },
        exception_handlers={HubError: refuse},
        openapi_config=None,
    )
    app.state.hub = SimpleNamespace(limits=Limits(redis, clock))
    return Caller(app)


@pytest_asyncio.fixture
async def client(caller: Caller) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=caller)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as opened:
        yield opened


async def test_a_person_reads_what_became_of_their_notice(
    client: httpx.AsyncClient, caller: Caller, line: Any, owner: Person, after: Any
) -> None:
    event_id = await line.paid(owner.id)
    await after(seconds=30)
    caller.be(owner)
    answer = await client.get(f"/v1/notices/{event_id}/timeline")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["kind"], body["state"]) == ("payment.settled", "pending")
    assert [step["step"] for step in body["steps"]] == ["scheduled", "skipped", "sending", "sent"]


async def test_others_find_nothing_and_support_does(
    client: httpx.AsyncClient, caller: Caller, line: Any, owner: Person, register: Any
) -> None:
    event_id = await line.paid(owner.id)
    other = await register("+254700000002")
    path = f"/v1/notices/{event_id}/timeline?person_id={owner.id}"
    caller.be(other)
    assert (await client.get(path)).status_code == 404
    caller.be(other, "support")
    assert (await client.get(path)).status_code == 200
    caller.be(other, "operations")
    assert (await client.get(path)).status_code == 200


async def test_a_notice_that_never_was_is_not_found(
    client: httpx.AsyncClient, caller: Caller, owner: Person, clock: ManualClock
) -> None:
    caller.be(owner)
    answer = await client.get(f"/v1/notices/{EventId(new_id(clock.now()))}/timeline")
    assert answer.status_code == 404
    assert answer.json()["type"].endswith("no_such_notice")


async def test_channels_are_switched_one_by_one(
    client: httpx.AsyncClient, caller: Caller, owner: Person
) -> None:
    caller.be(owner)
    on = {"push": True, "sms": True, "email": True}
    assert (await client.get("/v1/me/channels")).json() == on
    answer = await client.put("/v1/me/channels", json={"sms": False})
    assert answer.json() == {**on, "sms": False}
    assert (await client.get("/v1/me/channels")).json() == {**on, "sms": False}
    assert (await client.put("/v1/me/channels", json={"sms": True})).json() == on


@pytest.mark.parametrize("body", [{"fax": True}, {"sms": "no"}, []])
async def test_a_channel_nobody_has_is_refused(
    client: httpx.AsyncClient, caller: Caller, owner: Person, body: Any
) -> None:
    caller.be(owner)
    assert (await client.put("/v1/me/channels", json=body)).status_code == 400
