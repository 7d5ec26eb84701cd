"""What the worker does about payments: webhooks that came in, and those that never came.

``settle_webhooks`` and ``reconcile_payments`` are duties: they do what is due and return. Any
number of workers may run them at once.
"""

from hub import events
from hub.clock import Clock
from hub.database import Database
from hub.payments import Gateways, reconcile_pending, settle_inbox
from hub.redis_client import RedisClient

__all__ = ["reconcile_payments", "settle_webhooks"]

_BATCH = 64


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
