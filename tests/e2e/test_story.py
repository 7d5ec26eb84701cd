"""One investment, from a phone in Lagos to a shop in Kisumu, on real parts only.

Processes started by ``hub up``, PostgreSQL, Valkey, the official Python SDK, providers speaking
their real HTTP APIs, and the web process killed in the middle.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from centrifuge import (
    Client,
    ClientEventHandler,
    ConnectedContext,
    PublicationContext,
    ServerPublicationContext,
    ServerSubscribedContext,
    SubscriptionEventHandler,
)

from tests.e2e.conftest import ApiClient, RunningHub, SandboxPhone, eventually, sign_in

ADA, OTIENO = "+2348030000001", "+254700000001"


class Listener(ClientEventHandler, SubscriptionEventHandler):
    """Keeps every event that reaches the app, with its offset."""

    def __init__(self) -> None:
        self.events: list[tuple[int, dict[str, Any]]] = []
        self.topic_events: list[dict[str, Any]] = []
        self.connections = 0
        self.recovered: list[bool] = []

    async def on_connected(self, ctx: ConnectedContext) -> None:
        self.connections += 1

    async def on_subscribed(self, ctx: ServerSubscribedContext) -> None:
        if getattr(ctx, "was_recovering", False):
            self.recovered.append(ctx.recovered)

    async def on_publication(self, ctx: ServerPublicationContext | PublicationContext) -> None:
        data = ctx.pub.data if isinstance(ctx.pub.data, dict) else json.loads(ctx.pub.data)
        if isinstance(ctx, ServerPublicationContext):
            self.events.append((ctx.pub.offset, data))
        else:
            self.topic_events.append(data)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [data for _, data in self.events if data["event"] == kind]


@asynccontextmanager
async def connected(hub: RunningHub, api: ApiClient) -> AsyncIterator[tuple[Client, Listener]]:
    listener = Listener()
    client = Client(
        hub.socket_url,
        events=listener,
        get_token=api.realtime_token,
        max_reconnect_delay=1.0,
    )
    await client.connect()
    await client.ready(timeout=10)
    try:
        yield client, listener
    finally:
        with contextlib.suppress(Exception):
            await client.disconnect()


async def top_up(api: ApiClient, sandbox: httpx.AsyncClient, amount: int, key: str) -> str:
    """Opens a payment and pays on the gateway's page; the payment's id."""
    opened = await api.post(
        "/v1/payments", {"amount": {"amount": amount, "currency": "KES"}, "purpose": "top_up"}, key
    )
    assert opened.status_code == 201, opened.text
    checkout = opened.json()["checkout_url"]
    assert (await sandbox.get(checkout)).status_code == 200
    paid = await sandbox.post(f"{checkout}/pay")
    assert paid.status_code < 400, paid.text
    payment: str = opened.json()["id"]
    return payment


async def invest(api: ApiClient, offering: str, amount: int, key: str) -> httpx.Response:
    return await api.post(
        "/v1/investments",
        {"offering_id": offering, "amount": {"amount": amount, "currency": "KES"}},
        key,
    )


async def test_one_investment_from_a_phone_in_lagos_to_a_shop_in_kisumu(
    hub: RunningHub, sandbox: httpx.AsyncClient, phone: Callable[[str], SandboxPhone]
) -> None:
    ada_phone, otieno_phone = phone(ADA), phone(OTIENO)

    # 1. Ada signs in with a code read on her phone; her app connects with the official SDK.
    ada = await sign_in(hub, ada_phone)
    async with connected(hub, ada) as (client, app):
        start = await ada.balance()

        # 2. She tops up through Paystack; the balance changes live.
        await top_up(ada, sandbox, 500_000, "story-top-up")
        await eventually(lambda: app.of("payment.settled"))
        assert app.of("payment.settled")[0]["wallet_balance"]["amount"] == start + 500_000
        assert await ada.balance() == start + 500_000

        # 3. She backs the fish shop; the money is held in escrow, and watchers see it.
        offerings = (await ada.get("/v1/offerings"))["items"]
        fish = next(item for item in offerings if "cold store" in item["title"])
        watching = client.new_subscription(f"offering:{fish['id']}", events=app)
        await watching.subscribe()
        await watching.ready(timeout=10)
        made = await invest(ada, fish["id"], 400_000, "story-invest-1")
        assert made.status_code == 201, made.text
        again = await invest(ada, fish["id"], 400_000, "story-invest-1")
        assert (again.status_code, again.json()) == (201, made.json())
        await eventually(lambda: app.of("investment.confirmed"))
        await eventually(lambda: [e for e in app.topic_events if e["event"] == "investment.made"])
        assert await ada.balance() == start + 100_000

        # 6. The web process dies. The supervisor starts it again; the app resumes by itself.
        before = list(app.events)
        hub.kill("web")

        # 4. Otieno has a feature phone: no push, so an SMS; he dials, signs in and looks.
        sms = await otieno_phone.await_sms("Ada Obi", seconds=30)
        assert "4,000" in sms["text"]
        await eventually(lambda: app.connections >= 2, 30)
        await asyncio.sleep(0.5)
        assert app.events[: len(before)] == before
        assert len(app.of("investment.confirmed")) == 1, "nothing twice"
        assert all(app.recovered), "the stream went on where it stopped"

        screen = await otieno_phone.dial("*384*7#")
        assert "PIN" in screen
        menu = await otieno_phone.press("2580")
        balance = await otieno_phone.press("1")
        assert "KES" in balance
        await otieno_phone.press("0")
        investments = await otieno_phone.press("2")
        assert "Ada" in investments, (menu, investments)

        # He and Ada talk: she writes on the dashboard, he answers by SMS.
        talk = await ada.post("/v1/conversations", {"business_id": fish["business_id"]})
        assert talk.status_code in (200, 201), talk.text
        conversation = talk.json()["id"]
        sent = await ada.post(
            f"/v1/conversations/{conversation}/messages",
            {"text": "Karibu! How is the catch?"},
            "story-message",
        )
        assert sent.status_code == 201, sent.text
        question = await otieno_phone.await_sms("How is the catch?", seconds=30)
        await otieno_phone.text(question["peer"], "Asante Ada, samaki ni wengi leo")
        await eventually(lambda: app.of("message.sent"))
        assert app.of("message.sent")[-1]["sent_via"] == "sms"
        thread = (await ada.get(f"/v1/conversations/{conversation}/messages"))["items"]
        assert "Asante Ada, samaki ni wengi leo" in {item["text"] for item in thread}

        # 5. The rest comes in; escrow is released to the shop, each sees it on their own channel.
        await top_up(ada, sandbox, 600_000, "story-top-up-2")
        await eventually(lambda: len(app.of("payment.settled")) == 2)
        assert (await invest(ada, fish["id"], 600_000, "story-invest-2")).status_code == 201
        await eventually(lambda: app.of("offering.funded"))
        await otieno_phone.await_sms("120,000", seconds=40)
        await otieno_phone.dial("*384*7#")
        await otieno_phone.press("2580")
        assert "120,000" in await otieno_phone.press("1")

        # Every offset once, in order, without a gap.
        offsets = [offset for offset, _ in app.events]
        assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))

    proof = hub.run("verify")
    assert proof.returncode == 0, proof.stdout + proof.stderr
