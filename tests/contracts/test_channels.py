"""What every channel promises, each against the local stand-in of its provider over real HTTP."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
import uvicorn

import hub.investments.events
import hub.messaging.events
import hub.payments.events  # noqa: F401  # all of them enter the catalogue
from channels.base import Address, Channel, Dead, Notice, Retry, SendInDoubt, Sent
from channels.push import FcmClient, PushChannel
from channels.sms import AfricasTalking, SmsChannel
from hub.clock import ManualClock, SystemClock
from hub.database import Connection, Database
from hub.events import catalogue
from hub.identity import Person, devices_of, register_device, register_person, set_push_token
from hub.ids import EventId, PersonId, new_id
from hub.notifications import Wording
from hub.phone import Phone
from hub.sandbox import create_sandbox, fresh_service_account
from hub.sealing import Keyring
from hub.settings import Settings

PHONE = Phone("+254700000001")
TOKEN = "app-token:of-a-phone"


class Case(msgspec.Struct):
    """How one channel is told apart: its address, its provider's manners, where things arrive."""

    provider: str
    address: Address
    arrived: str
    busy: str
    dead: str
    failing: str


CASES = {
    "sms": Case(
        provider="africas_talking",
        address=Address(PHONE),
        arrived=f"/phone/{PHONE}/messages",
        busy="429",
        dead="blacklist",
        failing="500",
    ),
    "push": Case(
        provider="fcm",
        address=Address(TOKEN),
        arrived=f"/push/{TOKEN}",
        busy="429",
        dead="unregistered",
        failing="503",
    ),
}


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve(app: Any, port: int) -> AsyncIterator[None]:
    server = _Server(
        uvicorn.Config(app, port=port, log_config=None, ws="none", timeout_graceful_shutdown=1)
    )
    task = asyncio.get_running_loop().create_task(server.serve())
    while not server.started:
        assert not task.done(), task
        await asyncio.sleep(0.005)
    try:
        yield
    finally:
        server.should_exit = True
        await task


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def service_account() -> str:
    return fresh_service_account("http://placeholder")


@pytest.fixture
def settings(
    environment: dict[str, str], database_url: str, tmp_path: Path, service_account: str
) -> Settings:
    port = free_port()
    account = service_account.replace("http://placeholder", f"http://127.0.0.1:{port}")
    return Settings.load(
        {
            **environment,
            "HUB_DATABASE_URL": database_url,
            "HUB_DATA_DIR": str(tmp_path),
            "HUB_SANDBOX_PORT": str(port),
            "HUB_FCM_SERVICE_ACCOUNT": account,
        }
    )


@pytest_asyncio.fixture
async def sandbox(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serve(create_sandbox(settings), settings.sandbox.port),
        httpx.AsyncClient(base_url=settings.sandbox.url, timeout=5, trust_env=False) as client,
    ):
        yield client


@pytest_asyncio.fixture
async def channels(
    settings: Settings,
    sandbox: httpx.AsyncClient,
    database: Database,
    keyring: Keyring,
    clock: ManualClock,
) -> AsyncIterator[dict[str, Channel]]:
    wording = Wording.load(catalogue())
    async with (
        AfricasTalking.open(settings.africas_talking) as messages,
        FcmClient.open(settings.fcm, SystemClock()) as pushes,
    ):
        yield {
            "sms": SmsChannel(messages, database, keyring, clock, wording),
            "push": PushChannel(pushes, clock),
        }


@pytest.fixture(params=sorted(CASES))
def name(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def case(name: str) -> Case:
    return CASES[name]


@pytest.fixture
def channel(name: str, channels: dict[str, Channel]) -> Channel:
    return channels[name]


@pytest.fixture
def notice(case: Case, clock: ManualClock) -> Notice:
    event_id = EventId(new_id(clock.now()))
    return Notice(
        event_id=event_id,
        kind="payment.settled",
        person_id=PersonId(new_id(clock.now())),
        address=case.address,
        title="Malipo",
        text="KES 1,250 zimefika, “asante”",
        verbatim=False,
        urgency="normal",
        number=1,
        expires_at=clock.now() + timedelta(hours=1),
        data={"event": "payment.settled", "id": str(event_id)},
    )


Misbehave = Callable[..., Awaitable[None]]


@pytest.fixture
def misbehave(sandbox: httpx.AsyncClient, case: Case) -> Misbehave:
    async def tell(what: str, **how: Any) -> None:
        order = {"provider": case.provider, "what": what, **how}
        answer = await sandbox.post("/behaviour", json=order)
        assert answer.status_code == 201, answer.text

    return tell


async def arrived(sandbox: httpx.AsyncClient, case: Case) -> list[Any]:
    answer = await sandbox.get(case.arrived)
    items: list[Any] = answer.json()["items"]
    return items


async def test_a_channel_has_the_name_it_is_registered_by(channel: Channel, name: str) -> None:
    assert channel.name == name
    assert channel.provider


async def test_a_notice_arrives_with_its_words(
    channel: Channel, notice: Notice, sandbox: httpx.AsyncClient, case: Case
) -> None:
    outcome = await channel.send(notice)
    assert isinstance(outcome, Sent)
    assert outcome.provider_id
    (item,) = await arrived(sandbox, case)
    assert "KES 1,250 zimefika" in str(item)


async def test_a_busy_provider_is_obeyed(
    channel: Channel,
    notice: Notice,
    misbehave: Misbehave,
    sandbox: httpx.AsyncClient,
    case: Case,
) -> None:
    await misbehave(case.busy, value=42)
    outcome = await channel.send(notice)
    assert isinstance(outcome, Retry)
    assert outcome.after == 42
    assert await arrived(sandbox, case) == []
    assert isinstance(await channel.send(notice), Sent)


async def test_a_failing_provider_is_no_loss(
    channel: Channel, notice: Notice, misbehave: Misbehave, case: Case
) -> None:
    await misbehave(case.failing)
    outcome = await channel.send(notice)
    assert isinstance(outcome, Retry)
    assert outcome.after >= 10


async def test_a_dead_address_is_retired(
    channel: Channel, notice: Notice, misbehave: Misbehave, case: Case
) -> None:
    await misbehave(case.dead)
    outcome = await channel.send(notice)
    assert isinstance(outcome, Dead)
    assert outcome.retire
    assert outcome.reason


async def test_a_provider_that_is_gone_never_raises_anything_but_doubt(
    settings: Settings, database: Database, keyring: Keyring, clock: ManualClock, notice: Notice
) -> None:
    wording = Wording.load(catalogue())
    async with (
        AfricasTalking.open(settings.africas_talking) as messages,
        FcmClient.open(settings.fcm, SystemClock()) as pushes,
    ):
        gone: list[Channel] = [
            SmsChannel(messages, database, keyring, clock, wording),
            PushChannel(pushes, clock),
        ]
        for channel in gone:
            try:
                assert isinstance(await channel.send(notice), Retry)
            except SendInDoubt:
                continue


async def test_addresses_come_and_go(
    channel: Channel, name: str, database: Database, keyring: Keyring, clock: ManualClock
) -> None:
    async def register(tx: Connection) -> Person:
        person = await register_person(
            tx,
            keyring,
            clock,
            phone=PHONE,
            display_name="Wanjiru",
            legal_name="Wanjiru Kamau",
            language="sw",
            country="KE",
            roles=(),
            kyc_level=1,
        )
        device = await register_device(tx, clock, person.id, platform="android", name="Tecno")
        await register_device(tx, clock, person.id, platform="web", name="Browser")
        await set_push_token(tx, device.id, TOKEN)
        return person

    person = await database.transaction(register)
    async with database.connection() as c:
        (address,) = await channel.can_reach(c, person)
    assert address.value not in repr(address)

    async def retire(tx: Connection) -> None:
        await channel.retire(tx, address, "dead", clock.now())
        await channel.retire(tx, address, "dead", clock.now())

    await database.transaction(retire)
    async with database.connection() as c:
        assert list(await channel.can_reach(c, person)) == []
        assert len(await devices_of(c, person.id)) == 2
