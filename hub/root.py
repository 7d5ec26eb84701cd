"""Puts the parts of a process together: the one place where real things are chosen.

``open_hub`` opens what every process needs (pools, keys, the registry of gateways and channels) and
closes it again in the opposite order. Web, relay, worker and the commands take from it what they
name; nothing below this floor knows it.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import channels.ussd  # noqa: F401 - its events belong to every process's catalogue
from channels.base import Channel
from channels.push import FcmClient, PushChannel
from channels.sms import AfricasTalking, SmsChannel, SmsCodeSender
from hub.clock import Clock, SystemClock
from hub.database import Connection, Database
from hub.errors import NotFound
from hub.events import Streams, catalogue
from hub.identity import Tokens
from hub.ids import BusinessId
from hub.investments import Investing, get_business
from hub.jobs import Jobs, open_jobs
from hub.limits import Limits
from hub.messaging import BusinessContact, BusinessContacts
from hub.notifications import Acks, Wording
from hub.payments import Gateways, open_gateways
from hub.realtime import RedisBroker
from hub.redis_client import RedisClient, open_redis
from hub.sealing import Keyring
from hub.settings import Settings

__all__ = ["Hub", "open_hub"]


class _Contacts:
    """Tells messaging who answers for a business."""

    async def contact(
        self, connection: Connection, business_id: BusinessId
    ) -> BusinessContact | None:
        try:
            business = await get_business(connection, business_id)
        except NotFound:
            return None
        return BusinessContact(business.owner_id, business.name)


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
    jobs: Jobs
    broker: RedisBroker
    acks: Acks
    investing: Investing
    gateways: Gateways
    wording: Wording
    sms: SmsChannel
    push: PushChannel
    code_sender: SmsCodeSender
    business_contacts: BusinessContacts

    @property
    def channels(self) -> dict[str, Channel]:
        """The ways to reach a person, by the names that a ``Reach`` uses."""
        return {self.push.name: self.push, self.sms.name: self.sms}


@asynccontextmanager
async def open_hub(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Hub]:
    """Opens a process's parts on ``settings``."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.open(settings.database_url))
        redis = await stack.enter_async_context(open_redis(settings.redis_url))
        jobs = await stack.enter_async_context(open_jobs(settings.jobs_redis_url))
        keyring = Keyring(settings.keys.master_bytes())
        messages = await stack.enter_async_context(AfricasTalking.open(settings.africas_talking))
        pushes = await stack.enter_async_context(FcmClient.open(settings.fcm, clock))
        gateways = await stack.enter_async_context(open_gateways(settings, clock))
        wording = Wording.load(catalogue())
        sms = SmsChannel(messages, database, keyring, clock, wording)
        investing = Investing(database, redis, clock)
        stack.push_async_callback(investing.close)
        yield Hub(
            settings=settings,
            clock=clock,
            database=database,
            redis=redis,
            keyring=keyring,
            tokens=Tokens(settings.keys.signing, clock),
            streams=Streams(database),
            limits=Limits(redis, clock),
            jobs=jobs,
            broker=RedisBroker(redis, clock),
            acks=Acks(database, clock),
            investing=investing,
            gateways=gateways,
            wording=wording,
            sms=sms,
            push=PushChannel(pushes, clock),
            code_sender=SmsCodeSender(sms),
            business_contacts=_Contacts(),
        )
