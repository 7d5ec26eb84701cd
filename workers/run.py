"""The relay and worker processes: their parts put together, and a clean end on SIGTERM."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import Any

from channels.ussd import Promises, Sessions
from hub.countries import country
from hub.database import Connection
from hub.events.numbering import NumberedRecipient
from hub.health import HEARTBEAT_SECONDS, heartbeat
from hub.identity import sweep_sign_ins
from hub.investments import settle_offerings
from hub.ledger import expire_holds
from hub.notifications import schedule
from hub.root import Hub, open_hub
from hub.settings import Settings
from workers.deliver import Deliver, deliver_due
from workers.duties import Duties, Duty
from workers.housekeeping import cut_streams
from workers.jobs import taking_hints
from workers.relay import Relay
from workers.settle import reconcile_payments, settle_webhooks

__all__ = ["run_relay", "run_worker"]

_HOUR = 3600.0


async def run_relay(settings: Settings) -> int:
    """Relays until SIGTERM or SIGINT; returns an exit code."""
    async with open_hub(settings) as hub:

        async def escalate(tx: Connection, numbered: Sequence[NumberedRecipient]) -> None:
            await schedule(
                tx,
                numbered,
                at=hub.clock.now(),
                wait_percent=settings.escalation.wait_percent,
            )

        relay = Relay(hub.database, hub.redis, hub.broker, escalate, hub.clock)
        await _until_told(relay.run())
    return 0


async def run_worker(settings: Settings) -> int:
    """Does every duty until SIGTERM or SIGINT; returns an exit code."""
    async with open_hub(settings) as hub:
        duties = Duties(_duties(hub))
        async with taking_hints(hub.jobs, duties):
            await _until_told(duties.run())
    return 0


def _duties(hub: Hub) -> list[Duty]:
    delivery = Deliver(
        database=hub.database,
        clock=hub.clock,
        keyring=hub.keyring,
        channels=hub.channels,
        wording=hub.wording,
        country=country,
    )

    async def deliver() -> None:
        while await deliver_due(delivery, limit=200) == 200:
            pass

    async def settle() -> None:
        await settle_webhooks(hub.database, hub.clock, hub.redis, hub.gateways)

    async def reconcile() -> None:
        await reconcile_payments(hub.database, hub.clock, hub.redis, hub.gateways)

    async def offerings() -> None:
        await settle_offerings(hub.database, hub.clock, redis=hub.redis)

    async def holds() -> None:
        await expire_holds(hub.database, hub.clock)

    async def report() -> None:
        await heartbeat(hub.redis)

    async def ussd_promises() -> None:
        await Promises(hub.database, hub.redis, hub.clock).keep_all()

    async def ussd_sessions() -> None:
        await Sessions(hub.database, hub.keyring, hub.clock).forget(timedelta(days=1))

    async def sign_ins() -> None:
        await hub.database.transaction(lambda tx: sweep_sign_ins(tx, hub.clock.now()))

    async def streams() -> None:
        await cut_streams(hub.database, hub.clock)

    return [
        Duty("deliver", 0.5, deliver),
        Duty("settle", 2, settle),
        Duty("offerings", 2, offerings),
        Duty("reconcile", 10, reconcile),
        Duty("holds", 60, holds),
        Duty("heartbeat", HEARTBEAT_SECONDS, report),
        Duty("ussd-promises", 15, ussd_promises),
        Duty("ussd-sessions", _HOUR, ussd_sessions),
        Duty("streams", _HOUR, streams),
        Duty("sign-ins", _HOUR, sign_ins),
    ]


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    """Runs ``work`` until it fails or the process is told to end."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    working = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(told.wait())
    done, _ = await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if working in done:
        working.result()
        return
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working
