"""A stand-in for Paystack over real HTTP, and the payments' routes in front of real services."""

import asyncio
import hmac
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha512
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
import pytest_asyncio
import uvicorn
from litestar import Litestar, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import Provide
from litestar.params import FromPath

from hub.clock import ManualClock
from hub.database import Database
from hub.edge import exception_handlers
from hub.identity import Person, Principal, register_person
from hub.ids import DeviceId, PersonId, new_id
from hub.jobs import Jobs
from hub.limits import Limits
from hub.payments import Gateways, open_gateways
from hub.payments.routes import routes
from hub.phone import Phone
from hub.redis_client import RedisClient
from hub.sealing import Keyring
from hub.settings import Settings


class PaystackDouble:
    """Speaks ``initialize`` and ``verify``; ``plan`` holds what goes wrong with the next requests.

    A plan is ``503``, ``503_but_done``, ``401`` or ``429``. ``on_initialize`` runs after a
    transaction exists and before its answer goes out.
    """

    def __init__(self, key: str) -> None:
        self.url = ""
        self.key = key
        self.transactions: dict[str, dict[str, Any]] = {}
        self.bodies: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.plan: deque[str] = deque()
        self.on_initialize: Callable[[str], Awaitable[None]] | None = None

    def pay(self, reference: str, **changes: Any) -> None:
        """The payer pays on the checkout page; ``changes`` say what differs from the order."""
        self.transactions[reference] |= {"status": "success", **changes}

    def webhook(self, reference: str, **changes: Any) -> tuple[bytes, dict[str, str]]:
        """``charge.success`` as Paystack sends it: body and headers."""
        data = {
            **self.transactions.get(reference, {"reference": reference, "status": "success"}),
            "id": 4_099_260_516,
            "gateway_response": "Approved 4084 0840 8408 4081",
            "metadata": "",
            "ip_address": "197.210.64.10",
            "log": {"history": [{"type": "input", "message": "card 4084084084084081"}]},
            "authorization": {
                "authorization_code": "AUTH_72btv547",
                "bin": "408408",
                "last4": "4081",
                "exp_month": "12",
                "exp_year": "2030",
                "card_number": "4084084084084081",
            },
            "customer": {"email": "amina@example.com", "phone": "+2348012345678"},
            **changes,
        }
        body = msgspec.json.encode({"event": "charge.success", "data": data})
        return body, self.sign(body)

    def sign(self, body: bytes) -> dict[str, str]:
        digest = hmac.new(self.key.encode(), body, sha512).hexdigest()
        return {"x-paystack-signature": digest, "content-type": "application/json"}

    def app(self) -> Litestar:
        @post("/transaction/initialize", status_code=200)
        async def initialize(request: Request[Any, Any, State]) -> Response[Any]:
            return await self._initialize(request, await request.json())

        @get("/transaction/verify/{reference:str}")
        async def verify(
            request: Request[Any, Any, State], reference: FromPath[str]
        ) -> Response[Any]:
            return self._verify(request, reference)

        return Litestar([initialize, verify], openapi_config=None)

    def _fault(self, request: Request[Any, Any, State]) -> Response[Any] | None:
        wrong_key = request.headers.get("authorization") != f"Bearer {self.key}"
        if wrong_key or (self.plan and self.plan[0] == "401"):
            return Response({"status": False, "message": "Invalid key"}, status_code=401)
        if self.plan and self.plan[0] != "503_but_done":
            return Response("<html>busy</html>", status_code=int(self.plan.popleft()))
        return None

    async def _initialize(
        self, request: Request[Any, Any, State], body: dict[str, Any]
    ) -> Response[Any]:
        self.bodies.append(body)
        if (fault := self._fault(request)) is not None:
            return fault
        reference = body["reference"]
        if reference in self.transactions:
            return _refusal("Duplicate Transaction Reference", "duplicate_reference")
        if body["amount"] < 300:
            return _refusal("Invalid Amount Sent", "invalid_amount")
        self.transactions[reference] = {
            "reference": reference,
            "status": "abandoned",
            "amount": body["amount"],
            "currency": body["currency"],
        }
        if self.on_initialize is not None:
            await self.on_initialize(reference)
        if self.plan:
            return Response("<html>busy</html>", status_code=int(self.plan.popleft()[:3]))
        data = {
            "authorization_url": f"{self.url}/pay/{reference}",
            "access_code": reference[-8:],
            "reference": reference,
        }
        return Response({"status": True, "message": "Authorization URL created", "data": data})

    def _verify(self, request: Request[Any, Any, State], reference: str) -> Response[Any]:
        self.asked.append(reference)
        if (fault := self._fault(request)) is not None:
            return fault
        found = self.transactions.get(reference)
        if found is None:
            return Response(
                {"status": False, "message": "Transaction reference not found."}, status_code=404
            )
        data = {"id": 1, "metadata": "", **found}
        return Response({"status": True, "message": "Verification successful", "data": data})


def _refusal(message: str, code: str) -> Response[Any]:
    return Response({"status": False, "message": message, "code": code}, status_code=400)


@pytest_asyncio.fixture
async def paystack(environment: dict[str, str]) -> AsyncIterator[PaystackDouble]:
    double = PaystackDouble(environment["HUB_PAYSTACK_SECRET_KEY"])
    config = uvicorn.Config(double.app(), host="127.0.0.1", port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    double.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield double
    server.should_exit = True
    await serving


@pytest.fixture
def settings(environment: dict[str, str], database_url: str, paystack: PaystackDouble) -> Settings:
    return Settings.load(
        {**environment, "HUB_DATABASE_URL": database_url, "HUB_PAYSTACK_URL": paystack.url}
    )


@pytest_asyncio.fixture
async def gateways(settings: Settings, clock: ManualClock) -> AsyncIterator[Gateways]:
    async with open_gateways(settings, clock) as opened:
        yield opened


@pytest_asyncio.fixture
async def person(database: Database, keyring: Keyring, clock: ManualClock) -> Person:
    """An investor in Nairobi whom the rules let top up."""
    return await database.transaction(
        lambda tx: register_person(
            tx,
            keyring,
            clock,
            phone=Phone("+254712000001"),
            display_name="Amina",
            legal_name="Amina Odhiambo",
            language="en",
            country="KE",
            roles=["investor"],
            kyc_level=2,
        )
    )


@pytest.fixture
def woken() -> list[str]:
    """The duties that were asked to run."""
    return []


class Hints(Jobs):
    """Takes the place of the job queue."""

    def __init__(self, woken: list[str]) -> None:
        self._woken = woken

    async def wake(self, duty: str) -> None:
        self._woken.append(duty)


@pytest_asyncio.fixture
async def client(
    database: Database,
    redis: RedisClient,
    clock: ManualClock,
    settings: Settings,
    gateways: Gateways,
    person: Person,
    woken: list[str],
) -> AsyncIterator[httpx.AsyncClient]:
    """The payments' routes with Amina signed in; header ``x-as`` signs in somebody else."""
    parts = {
        "database": database,
        "redis": redis,
        "clock": clock,
        "settings": settings,
        "gateways": gateways,
        "limits": Limits(redis, clock),
        "jobs": Hints(woken),
    }

    def sign_in(app: Any) -> Any:
        async def middleware(scope: Any, receive: Any, send: Any) -> None:
            other = dict(scope["headers"]).get(b"x-as")
            scope["user"] = Principal(
                person_id=PersonId(UUID(other.decode())) if other else person.id,
                roles=person.roles,
                device_id=DeviceId(new_id(clock.now())),
                session_id=new_id(clock.now()),
            )
            await app(scope, receive, send)

        return middleware

    def provide(part: Any) -> Provide:
        return Provide(lambda: part, sync_to_thread=False)

    app = Litestar(
        routes,
        middleware=[sign_in],
        dependencies={name: provide(part) for name, part in parts.items()},
        exception_handlers=exception_handlers,
        openapi_config=None,
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://hub.test"
    ) as opened:
        yield opened
