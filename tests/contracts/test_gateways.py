"""What every payment gateway promises, held against the provider's stand-in over real HTTP.

A gateway in the registry is picked up by itself; what it needs here is a line in ``PAYERS`` that
says how its customer pays.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvicorn
from litestar import Litestar, Request, post
from litestar.datastructures import State
from litestar.params import FromPath

from hub.clock import SystemClock
from hub.ids import new_id
from hub.money import Money, currency_exponent
from hub.payments import GatewayDown, GatewayRefused, Gateways, open_gateways
from hub.payments.errors import BadSignature, BadWebhook, ReferenceUsed
from hub.payments.gateways import Gateway, Order
from hub.sandbox import create_sandbox, fresh_service_account
from hub.settings import Settings

CLOCK = SystemClock()
Webhook = tuple[dict[str, str], bytes]


async def pay_at_paystack(client: httpx.AsyncClient, checkout_url: str) -> None:
    (await client.post(f"{checkout_url}/pay")).raise_for_status()


PAYERS: dict[str, Callable[[httpx.AsyncClient, str], Awaitable[None]]] = {
    "paystack": pay_at_paystack,
}


class World:
    """The gateways, the stand-ins of their providers, and the webhooks these sent."""

    def __init__(self, gateways: Gateways, client: httpx.AsyncClient, sandbox_url: str) -> None:
        self.gateways = gateways
        self.client = client
        self.sandbox_url = sandbox_url
        self.webhooks: asyncio.Queue[Webhook] = asyncio.Queue()

    async def pay(self, gateway: Gateway, checkout_url: str) -> Webhook:
        await PAYERS[gateway.name](self.client, checkout_url)
        return await asyncio.wait_for(self.webhooks.get(), 10)

    async def misbehave(self, gateway: Gateway, what: str, times: int = 1) -> None:
        order = {"provider": gateway.name, "what": what, "times": times}
        (await self.client.post(f"{self.sandbox_url}/behaviour", json=order)).raise_for_status()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def serve(app: Any, port: int) -> AsyncIterator[None]:
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, ws="none")
    )
    serving = asyncio.ensure_future(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = server.force_exit = True
        await serving


@pytest_asyncio.fixture
async def world(environment: dict[str, str], tmp_path: Path) -> AsyncIterator[World]:
    hub_port, sandbox_port = free_port(), free_port()
    settings = Settings.load(
        {
            **environment,
            "HUB_DATA_DIR": str(tmp_path),
            "HUB_PORT": str(hub_port),
            "HUB_SANDBOX_PORT": str(sandbox_port),
            "HUB_FCM_SERVICE_ACCOUNT": fresh_service_account(
                "bvester", f"http://127.0.0.1:{sandbox_port}/token"
            ),
        }
    )
    made: list[World] = []

    @post("/webhooks/{gateway:str}", status_code=200)
    async def catch(request: Request[Any, Any, State], gateway: FromPath[str]) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        await made[0].webhooks.put((headers, await request.body()))

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serve(create_sandbox(settings), sandbox_port))
        await stack.enter_async_context(serve(Litestar([catch], openapi_config=None), hub_port))
        client = await stack.enter_async_context(httpx.AsyncClient())
        gateways = await stack.enter_async_context(open_gateways(settings, CLOCK))
        made.append(World(gateways, client, settings.sandbox.url))
        yield made[0]


@pytest.fixture(params=sorted(PAYERS))
def gateway(request: pytest.FixtureRequest, world: World) -> Gateway:
    return world.gateways.named(request.param)


def order(gateway: Gateway, amount: int = 250_000) -> Order:
    return Order(
        reference=str(new_id(CLOCK.now())),
        amount=Money(amount, min(gateway.currencies)),
        payer_email="person@pay.bvester.com",
        return_url="http://127.0.0.1/",
        metadata={"payment_id": "1"},
    )


async def test_every_gateway_of_the_registry_is_held_to_the_contract(world: World) -> None:
    assert {gateway.name for gateway in world.gateways} == set(PAYERS)


async def test_it_has_a_plain_name_and_real_currencies(gateway: Gateway) -> None:
    assert gateway.name.isidentifier()
    assert gateway.name == gateway.name.lower()
    assert all(currency_exponent(currency) >= 0 for currency in gateway.currencies)


async def test_what_is_paid_is_what_was_ordered(world: World, gateway: Gateway) -> None:
    wanted = order(gateway)
    assert await gateway.ask(wanted.reference) is None, "unknown until it is ordered"
    checkout = await gateway.start(wanted)
    assert checkout.reference == wanted.reference
    before = await gateway.ask(wanted.reference)
    assert before is not None
    assert before.status == "open"
    headers, body = await world.pay(gateway, checkout.url)
    after = await gateway.ask(wanted.reference)
    assert after is not None
    assert (after.reference, after.status, after.amount) == (
        wanted.reference,
        "paid",
        wanted.amount,
    )
    notice = gateway.read_webhook(headers, body)
    assert (notice.reference, notice.settles) == (wanted.reference, True)
    assert notice.key == gateway.read_webhook(headers, body).key
    kept = str(notice.record)
    assert wanted.payer_email not in kept
    assert "authorization" not in kept


async def test_a_webhook_somebody_else_signed_is_refused(world: World, gateway: Gateway) -> None:
    checkout = await gateway.start(order(gateway))
    headers, body = await world.pay(gateway, checkout.url)
    for other_headers, other_body in (({}, body), (headers, body + b" ")):
        with pytest.raises(BadSignature):
            gateway.read_webhook(other_headers, other_body)
    with pytest.raises((BadSignature, BadWebhook)):
        gateway.read_webhook(headers, b"")


async def test_a_reference_opens_one_checkout_only(gateway: Gateway) -> None:
    wanted = order(gateway)
    await gateway.start(wanted)
    with pytest.raises(ReferenceUsed):
        await gateway.start(wanted)


async def test_a_refusal_is_told_from_a_failure(world: World, gateway: Gateway) -> None:
    with pytest.raises(GatewayRefused):
        await gateway.start(order(gateway, amount=1))
    await world.misbehave(gateway, "503")
    with pytest.raises(GatewayDown):
        await gateway.start(order(gateway))
    await world.misbehave(gateway, "503", times=2)
    assert await gateway.ask("unknown") is None, "a question is asked again after a failure"


async def test_done_though_it_said_otherwise_is_noticed(world: World, gateway: Gateway) -> None:
    wanted = order(gateway)
    await world.misbehave(gateway, "503_but_done")
    with pytest.raises(GatewayDown):
        await gateway.start(wanted)
    with pytest.raises(ReferenceUsed):
        await gateway.start(wanted)
