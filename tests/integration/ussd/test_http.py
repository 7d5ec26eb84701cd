"""The aggregator's own requests against the real capabilities, in English and in Swahili."""

import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar
from litestar.di import Provide

from channels.ussd.desk import HubDesk
from channels.ussd.facts import (
    InvestmentsIn,
)
from channels.ussd.routes import routes
from hub.clock import ManualClock
from hub.database import Connection, Database
from hub.edge import exception_handlers
from hub.errors import Forbidden
from hub.identity import Person, register_person
from hub.ids import PostingId, new_id
from hub.investments import Investing, businesses_of, create_business, create_offering
from hub.ledger import AccountRef, Leg, Posting, balance, open_account, post
from hub.limits import Limits
from hub.messaging import conversations_of, messages_of, send_message, start_conversation
from hub.money import Money
from hub.phone import Phone
from hub.redis_client import RedisClient
from hub.sealing import Keyring
from hub.settings import Settings

ADA, OTIENO = Phone("+2348030000001"), Phone("+254700000001")
TOKEN = "callback-token-for-tests"


def kes(amount: int) -> Money:
    return Money(amount * 100, "KES")


class Town:
    """Ada has money and a phone; Otieno has a shop that looks for money."""

    def __init__(self, database: Database, keyring: Keyring, clock: ManualClock) -> None:
        self.database, self.keyring, self.clock = database, keyring, clock
        self.ada: Person
        self.otieno: Person

    async def _person(
        self, tx: Connection, name: str, phone: Phone, language: Any, pin: str
    ) -> Person:
        return await register_person(
            tx,
            self.keyring,
            self.clock,
            phone=phone,
            display_name=name,
            legal_name=f"Legally {name}",
            language=language,
            country="KE",
            roles={"investor"},
            kyc_level=3,
            pin=pin,
        )

    async def found(self, tx: Connection) -> None:
        self.ada = await self._person(tx, "Ada Obi", ADA, "en", "1470")
        self.otieno = await self._person(tx, "Otieno", OTIENO, "sw", "2580")
        fish = await create_business(
            tx,
            self.clock,
            owner=self.otieno.id,
            name="Ziwa Fresh Fish",
            sector="Food",
            country="KE",
        )
        await create_offering(
            tx,
            self.clock,
            business=fish.id,
            title="A cold store for the morning catch",
            summary="Fish stays fresh.",
            target=kes(120_000),
            minimum=kes(500),
            maximum=kes(120_000),
            closes_at=self.clock.now() + timedelta(days=60),
            rate_percent=14,
            term_months=18,
        )
        bank = await open_account(tx, self.clock, AccountRef("gateway:bank", "clearing", "KES"))
        wallet = await open_account(tx, self.clock, self.wallet)
        await post(
            tx,
            self.clock,
            Posting(
                id=PostingId(new_id(self.clock.now())),
                reference="fund:1",
                legs=(
                    Leg(bank.stripe("fund:1"), -500_000, "KES"),
                    Leg(wallet.id, 500_000, "KES"),
                ),
                effective_at=self.clock.now(),
                metadata={},
            ),
        )
        talk = await start_conversation(
            tx,
            self.keyring,
            self.clock,
            members=[self.ada.id, self.otieno.id],
            subject="Ziwa Fresh Fish",
            business_id=fish.id,
        )
        await send_message(
            tx,
            self.keyring,
            self.clock,
            conversation_id=talk.id,
            sender_id=self.ada.id,
            text="How is the catch “today”?",
            via="app",
        )
        self.talk = talk.id

    @property
    def wallet(self) -> AccountRef:
        return AccountRef(f"person:{self.ada.id}", "wallet", "KES")

    async def left(self) -> int:
        async with self.database.connection() as connection:
            return (await balance(connection, self.wallet)).available // 100


class Aggregator:
    """Posts forms as Africa's Talking does."""

    def __init__(self, client: httpx.AsyncClient, phone: Phone, session: str) -> None:
        self.client, self.phone, self.session, self.path = client, phone, session, ""

    async def post(self, token: str = TOKEN) -> httpx.Response:
        form = {
            "sessionId": self.session,
            "serviceCode": "*384*7#",
            "phoneNumber": self.phone,
            "networkCode": "63902",
            "text": self.path,
        }
        return await self.client.post(f"/callbacks/{token}/ussd", data=form)

    async def types(self, *words: str) -> str:
        for word in words:
            self.path = f"{self.path}*{word}" if self.path else word
            response = await self.post()
            assert response.status_code == 200
            assert response.headers["content-type"].startswith("text/plain")
            assert response.text.startswith(("CON ", "END "))
            assert len(response.text) <= 160
        return response.text


@pytest_asyncio.fixture
async def town(database: Database, keyring: Keyring, clock: ManualClock) -> Town:
    town = Town(database, keyring, clock)
    await database.transaction(town.found)
    return town


@pytest_asyncio.fixture
async def client(
    town: Town,
    database: Database,
    keyring: Keyring,
    clock: ManualClock,
    redis: RedisClient,
    settings: Settings,
) -> AsyncIterator[httpx.AsyncClient]:
    investing = Investing(database, redis, clock)
    parts = {
        "settings": settings,
        "database": database,
        "redis": redis,
        "keyring": keyring,
        "clock": clock,
        "limits": Limits(redis, clock),
        "investing": investing,
    }

    def given(part: Any) -> Provide:
        return Provide(lambda: part, sync_to_thread=False)

    app = Litestar(
        routes,
        dependencies={name: given(part) for name, part in parts.items()},
        exception_handlers=exception_handlers,
    )
    app.state.hub = SimpleNamespace(**parts)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # on this very loop
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as client:
        yield client
    await investing.close()


async def test_an_investor_backs_a_shop_from_any_phone(
    client: httpx.AsyncClient, town: Town
) -> None:
    phone = Aggregator(client, ADA, "ATUid_1")
    assert (await phone.post()).text == "CON Bvester: welcome, Ada Obi.\nEnter your PIN:"
    assert await phone.types("1470", "1") == "CON Your money:\nYou: KES 5,000\n0 Back 00 Home"
    assert await phone.types("00", "3") == (
        "CON Open offers:\n1 A cold store for the morning.., Ziwa Fresh Fish\n0 Back 00 Home"
    )
    assert await phone.types("1") == (
        "CON A cold store for the morning catch, Ziwa Fresh Fish\nRaised KES 0 of KES 120,000\n"
        "14% a year, 18 months, until 2027-01-23\n1 Invest\n0 Back 00 Home"
    )
    assert await phone.types("1", "1500") == (
        "CON Invest KES 1,500 in A cold store for the morning catch?\n1 Yes, invest\n2 No\n"
        "0 Back 00 Home"
    )
    done = await phone.types("1")
    assert done == (
        "CON Done. You invested KES 1,500 in A cold store for the morning catch.\n0 Back 00 Home"
    )
    assert [(await phone.post()).text for _ in range(2)] == [done, done]
    assert await town.left() == 3_500
    assert await phone.types("00", "2") == (
        "CON Investments:\nA cold store for the morning catch, Ziwa Fresh Fish: KES 1,500"
        " (KES 1,500 of KES 120,000)\n0 Back 00 Home"
    )
    assert await phone.types("00", "3", "1", "1", "4000", "1") == (
        "CON Not done. There is not enough money in your wallet.\n0 Back 00 Home"
    )
    assert await town.left() == 3_500


async def test_the_owner_sees_it_in_swahili_and_answers(
    client: httpx.AsyncClient, town: Town
) -> None:
    await Aggregator(client, ADA, "ATUid_1").types("", "1470", "3", "1", "1", "1500", "1")
    phone = Aggregator(client, OTIENO, "ATUid_2")
    assert (await phone.post()).text == "CON Bvester: karibu, Otieno.\nWeka PIN yako:"
    assert await phone.types("2580", "1") == (
        "CON Pesa zako:\nZiwa Fresh Fish: KES 0\n0 Rudi 00 Mwanzo"
    )
    assert await phone.types("0", "2") == (
        "CON Ziwa Fresh Fish:\nA cold store for the morning catch: KES 1,500 kati ya KES 120,000\n"
        "Ada Obi: KES 1,500\n0 Rudi 00 Mwanzo"
    )
    assert await phone.types("00", "4") == (
        "CON Ujumbe:\n1 (mpya) Ada Obi: Ziwa Fresh Fish\n0 Rudi 00 Mwanzo"
    )
    assert await phone.types("1") == (
        'CON Ada Obi: How is the catch "today"?\n1 Jibu\n0 Rudi 00 Mwanzo'
    )
    assert await phone.types("1") == "CON Jibu lako kwa Ada Obi:\n0 Rudi 00 Mwanzo"
    sent = await phone.types("Nzuri sana")
    assert sent == "CON Ujumbe wako umetumwa.\n0 Rudi 00 Mwanzo"
    assert (await phone.post()).text == sent
    async with town.database.connection() as connection:
        told = await messages_of(connection, town.keyring, town.talk, town.ada.id)
        [seen] = await conversations_of(connection, town.keyring, town.otieno.id)
    assert [(message.text, message.sent_via) for message in told] == [
        ("Nzuri sana", "ussd"),
        ("How is the catch “today”?", "app"),
    ]
    assert seen.unread == 0


async def test_the_language_is_kept(client: httpx.AsyncClient, town: Town) -> None:
    assert (await Aggregator(client, ADA, "ATUid_1").types("", "1470", "5", "3")).startswith(
        "CON Bvester\n1 Solde"
    )
    again = await Aggregator(client, ADA, "ATUid_2").post()
    assert again.text == "CON Bvester: bienvenue, Ada Obi.\nEntrez votre PIN:"


async def test_somebody_elses_business_stays_closed(town: Town, redis: RedisClient) -> None:
    async with town.database.connection() as connection:
        [fish] = await businesses_of(connection, town.otieno.id)
    desk = HubDesk(
        town.database, town.keyring, town.clock, redis, Investing(town.database, redis, town.clock)
    )
    with pytest.raises(Forbidden):
        await desk.fetch(InvestmentsIn(str(fish.id)), town.ada.id)


async def test_a_wrong_token_finds_nothing(client: httpx.AsyncClient) -> None:
    phone = Aggregator(client, ADA, "ATUid_1")
    for token in ("wrong", TOKEN[:-1], TOKEN + "x", "é"):
        assert (await phone.post(token)).status_code == 404
        ended = await client.post(f"/callbacks/{token}/ussd/events", data={"sessionId": "x"})
        assert ended.status_code == 404


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"sessionId": "ATUid_1", "text": ""},
        {"phoneNumber": ADA, "text": ""},
        {"sessionId": "x" * 129, "phoneNumber": ADA},
        {"sessionId": "a\nb", "phoneNumber": ADA},
        {"sessionId": "ATUid_1", "phoneNumber": "anonymous"},
        {"sessionId": "ATUid_1", "phoneNumber": "+254700"},
    ],
)
async def test_a_form_without_a_session_or_a_number_is_a_problem(
    client: httpx.AsyncClient, database: Database, form: dict[str, str]
) -> None:
    response = await client.post(f"/callbacks/{TOKEN}/ussd", data=form)
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("application/problem+json")
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM ussd_sessions") == 0


async def test_a_body_that_is_no_form_is_a_problem(client: httpx.AsyncClient) -> None:
    for content_type in ("application/json", "multipart/form-data", "text/plain", ""):
        response = await client.post(
            f"/callbacks/{TOKEN}/ussd",
            content=b'{"sessionId": "x"\xff}',
            headers={"content-type": content_type},
        )
        assert response.status_code == 400


async def test_a_field_given_twice_or_missing_is_no_fault(
    client: httpx.AsyncClient,
) -> None:
    response = await client.post(
        f"/callbacks/{TOKEN}/ussd",
        content=f"sessionId=ATUid_7&phoneNumber=%2B{ADA[1:]}&text=&text=".encode(),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert (response.status_code, response.text[:20]) == (200, "CON Bvester: welcome")


async def test_the_end_of_a_session_is_acknowledged_and_not_read(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    form = {"sessionId": "ATUid_1", "status": "Success", "input": "2580*1", "phoneNumber": ADA}
    response = await client.post(f"/callbacks/{TOKEN}/ussd/events", data=form)
    assert response.status_code == 200
    assert "2580" not in caplog.text
