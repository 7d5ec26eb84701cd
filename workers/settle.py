"""What the worker does about payments: webhooks that came in, and those that never came.

``settle_webhooks`` and ``reconcile_payments`` are duties: they do what is due and return.
``wake_on_webhooks`` makes the first one run at once after a webhook; without it (Redis is down)
the duty's own interval is all that is lost.
"""

import asyncio
from collections.abc import Callable

from hub import events
from hub.clock import Clock
from hub.database import Database
from hub.payments import SETTLEMENT_POKE, Gateways, reconcile_pending, settle_inbox
from hub.redis_client import RedisClient, RedisError
from hub.telemetry import logger

__all__ = ["reconcile_payments", "settle_webhooks", "wake_on_webhooks"]

_log = logger("settle")
_BATCH = 64
_RETRY_SECONDS = 1


async def settle_webhooks(
    database: Database, clock: Clock, redis: RedisClient, gateways: Gateways
) -> int:
    """Works on every webhook that is due; returns how many."""
    worked = 0
    while taken := await settle_inbox(database, clock, gateways, limit=_BATCH):
        worked += taken
        await events.poke(redis)
        if taken < _BATCH:
            break
    return worked


async def reconcile_payments(
    database: Database, clock: Clock, redis: RedisClient, gateways: Gateways
) -> int:
    """Asks gateways about every payment that is due to be asked about; returns how many."""
    asked = 0
    while taken := await reconcile_pending(database, clock, gateways, limit=_BATCH):
        asked += taken
        await events.poke(redis)
        if taken < _BATCH:
            break
    return asked


async def wake_on_webhooks(redis: RedisClient, wake: Callable[[], None]) -> None:
    """Calls ``wake`` whenever a webhook was stored, until cancelled; outlives Redis failures."""
    while True:
        try:
            async with redis.pubsub() as pubsub:
                await pubsub.subscribe(SETTLEMENT_POKE)
                wake()  # what came while nobody listened
                while True:
                    if await pubsub.get_message(ignore_subscribe_messages=True, timeout=5):
                        wake()
        except (RedisError, OSError) as fault:
            _log.warning("webhooks wait for the next turn", fault=type(fault).__name__)
            await asyncio.sleep(_RETRY_SECONDS)
