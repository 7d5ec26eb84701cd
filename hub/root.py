"""Puts the parts of a process together: the one place where real things are chosen.

``open_hub`` opens what every process needs (pools, keys, the registry of gateways and channels) and
closes it again in the opposite order. Web, relay, worker and the commands take from it what they
name; nothing below this floor knows it.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from channels.push import FcmClient, PushChannel
from channels.sms import AfricasTalking, SmsChannel, SmsCodeSender
from hub.clock import Clock, SystemClock
from hub.database import Database
from hub.events import Streams
from hub.identity import Tokens
from hub.investments import Investing
from hub.limits import Limits
from hub.payments.gateways import Gateway, Paystack
from hub.realtime import Broker
from hub.redis_client import RedisClient, open_redis
from hub.sealing import Keyring
from hub.settings import Settings

__all__ = ["Hub", "open_hub"]


@dataclass(frozen=True, slots=True)
class Hub:
    """One process's parts."""

    settings: Settings
    clock: Clock
    database: Database
    redis: RedisClient
    keyring: Keyring
    tokens: Tokens
    streams: Streams
    limits: Limits
    broker: Broker
    investing: Investing
    gateways: dict[str, Gateway]
    sms: SmsChannel
    push: PushChannel
    code_sender: SmsCodeSender


@asynccontextmanager
async def open_hub(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Hub]:
    """Opens a process's parts on ``settings``."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.open(settings.database_url))
        redis = await stack.enter_async_context(open_redis(settings.redis_url))
        keyring = Keyring(settings.keys.master_bytes())
        messages = await stack.enter_async_context(AfricasTalking.open(settings.africas_talking))
        pushes = await stack.enter_async_context(FcmClient.open(settings.fcm, clock))
        paystack = await stack.enter_async_context(Paystack.open(settings.paystack))
        yield Hub(
            settings=settings,
            clock=clock,
            database=database,
            redis=redis,
            keyring=keyring,
            tokens=Tokens(settings.keys.signing, clock),
            streams=Streams(database),
            limits=Limits(redis, clock),
            broker=Broker(redis),
            investing=Investing(database, redis, clock),
            gateways={paystack.name: paystack},
            sms=SmsChannel(messages, database, keyring),
            push=PushChannel(pushes, database),
            code_sender=SmsCodeSender(messages),
        )
