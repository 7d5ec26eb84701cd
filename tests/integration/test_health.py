"""Readiness and metrics, which anybody on the network may ask for."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.di import Provide

import hub.health
from hub import events
from hub.clock import ManualClock
from hub.database import Connection, Database
from hub.edge import exception_handlers
from hub.ids import PaymentId, new_id
from hub.money import Money
from hub.payments import PaymentFailed
from hub.root import Hub
from hub.settings import Settings


def _app(settings: Settings, clock: ManualClock, database: Database) -> httpx.AsyncClient:
    parts = object.__new__(Hub)  # the parts these routes take
    object.__setattr__(parts, "database", database)
    object.__setattr__(parts, "clock", clock)
    object.__setattr__(parts, "settings", settings)
    app = Litestar(
        hub.health.routes,
        dependencies={
            "hub": Provide(lambda: parts, sync_to_thread=False),
            "settings": Provide(lambda: settings, sync_to_thread=False),
        },
        exception_handlers=exception_handlers,
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://hub.test")


async def test_asking_for_readiness_often_asks_the_servers_once_a_second(
    settings: Settings, clock: ManualClock, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def check(_: Any) -> dict[str, str]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        return {"database": "up"}

    monkeypatch.setattr(hub.health, "check", check)
    async with _app(settings, clock, database) as client:
        answers = await asyncio.gather(*(client.get("/health/ready") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        assert asked == 1
        clock.advance(timedelta(seconds=2))
        assert (await client.get("/health/ready")).status_code == 200
        assert asked == 2


@pytest.mark.parametrize(
    ("environment_name", "token", "shown", "status"),
    [
        ("development", "", "", 200),
        ("development", "secret", "", 404),
        ("production", "", "", 404),
        ("production", "secret", "guess", 404),
        ("production", "secret", "secret", 200),
    ],
)
async def test_metrics_are_for_who_shows_the_token(
    environment: dict[str, str], clock: ManualClock, database: Database,
    environment_name: str, token: str, shown: str, status: int,
) -> None:  # fmt: skip
    given = {
        **environment, "HUB_METRICS_TOKEN": token, "HUB_ENV": environment_name,
        "HUB_SANDBOX": "0", "HUB_AT_USERNAME": "u", "HUB_FCM_PROJECT": "p",
    }  # fmt: skip
    async with _app(Settings.load(given), clock, database) as client:
        headers = {"Authorization": f"Bearer {shown}"} if shown else {}
        assert (await client.get("/metrics", headers=headers)).status_code == status


async def test_metrics_tell_how_long_events_wait_while_no_relay_runs(
    settings: Settings, clock: ManualClock, database: Database
) -> None:
    async def figures() -> dict[str, float]:
        text = (await client.get("/metrics")).text
        lines = (line.split(" ") for line in text.splitlines() if line.startswith("hub_"))
        return {name: float(value) for name, value, *_ in lines if "{" not in name}

    async def fail(tx: Connection) -> None:
        event = PaymentFailed(
            payment_id=PaymentId(new_id(clock.now())), amount=Money(1, "KES"), reason="declined"
        )
        await events.append(tx, event, at=clock.now(), actor="system", topics=["t:1"])

    async with _app(settings, clock, database) as client:
        assert (await figures())["hub_outbox_waiting"] == 0
        await database.transaction(fail)
        clock.advance(timedelta(seconds=7))
        found = await figures()
    assert (found["hub_outbox_waiting"], found["hub_outbox_oldest_seconds"]) == (1, 7)
