"""Callbacks of the SMS provider, through a real app and the real tables."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar, Response
from litestar.di import Provide

import hub.investments.events
import hub.payments.events  # noqa: F401  # both enter the catalogue
from channels.base import Address, Notice, Sent
from channels.sms import AfricasTalking, SmsChannel, SmsCodeSender, SmsNotSent, routes
from hub.clock import ManualClock
from hub.database import Connection, Database
from hub.errors import HubError
from hub.events import catalogue
from hub.identity import Person, register_person
from hub.ids import EventId, PersonId, new_id
from hub.limits import Limits
from hub.messaging import Message, messages_of, send_message, start_conversation
from hub.notifications import Wording, address_hash, is_retired
from hub.phone import Phone
from hub.problems import MEDIA_TYPE, problem, status_of
from hub.redis_client import RedisClient
from hub.sealing import Keyring
from hub.settings import Secret, Settings

OWNER, ADA = Phone("+254700000001"), Phone("+2348030000001")
TOKEN = "callback-token-for-tests"
SENT = {
    "SMSMessageData": {
        "Message": "Sent to 1/1",
        "Recipients": [
            {
                "statusCode": 101,
                "number": OWNER,
                "status": "Success",
                "cost": "KES 0.8000",
                "messageId": "ATXid_out",
            }
        ],
    }
}


@pytest_asyncio.fixture
async def sms(
    double: Any, database: Database, keyring: Keyring, clock: ManualClock
) -> AsyncIterator[SmsChannel]:
    double.answer("/messaging", 201, SENT)
    async with httpx.AsyncClient(base_url=double.url, timeout=5) as http:
        provider = AfricasTalking(http, username="u", api_key=Secret("k"), sender_id="BVESTER")
        yield SmsChannel(provider, database, keyring, clock, Wording.load(catalogue()))


@pytest_asyncio.fixture
async def client(
    sms: SmsChannel,
    database: Database,
    keyring: Keyring,
    clock: ManualClock,
    redis: RedisClient,
    settings: Settings,
) -> AsyncIterator[httpx.AsyncClient]:
    parts = {
        "sms": sms,
        "database": database,
        "keyring": keyring,
        "clock": clock,
        "redis": redis,
        "settings": settings,
    }

    def give(part: Any) -> Provide:
        return Provide(lambda: part, sync_to_thread=False)

    def refuse(_: Any, error: HubError) -> Response[bytes]:
        return Response(problem(error), status_code=status_of(error), media_type=MEDIA_TYPE)

    app = Litestar(
        routes,
        dependencies={name: give(part) for name, part in parts.items()},
        exception_handlers={HubError: refuse},
        openapi_config=None,
    )
    app.state.hub = SimpleNamespace(settings=settings, limits=Limits(redis, clock))
    transport = httpx.ASGITransport(app=app)  # in this loop, where the pools live
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as opened:
        yield opened


class Talk:
    """Ada has written to the owner of a shop."""

    def __init__(self, database: Database, keyring: Keyring, clock: ManualClock) -> None:
        self.database = database
        self.keyring = keyring
        self.clock = clock
        self.owner: Person
        self.ada: Person
        self.id: Any = None

    async def person(self, phone: Phone, name: str, country: str, language: Any) -> Person:
        async def work(tx: Connection) -> Person:
            return await register_person(
                tx,
                self.keyring,
                self.clock,
                phone=phone,
                display_name=name,
                legal_name=name,
                language=language,
                country=country,
                roles=(),
                kyc_level=1,
            )

        return await self.database.transaction(work)

    async def begin(self) -> None:
        async def work(tx: Connection) -> None:
            talk = await start_conversation(
                tx, self.keyring, self.clock, members=[self.ada.id, self.owner.id], subject="Shop"
            )
            self.id = talk.id
            await send_message(
                tx,
                self.keyring,
                self.clock,
                conversation_id=talk.id,
                sender_id=self.ada.id,
                text="How is business?",
                via="app",
            )

        await self.database.transaction(work)

    async def messages(self) -> list[Message]:
        async with self.database.connection() as c:
            return await messages_of(c, self.keyring, self.id, self.ada.id)


@pytest_asyncio.fixture
async def talk(database: Database, keyring: Keyring, clock: ManualClock) -> Talk:
    made = Talk(database, keyring, clock)
    made.owner = await made.person(OWNER, "Wanjiru", "KE", "sw")
    made.ada = await made.person(ADA, "Ada", "NG", "en")
    return made


def incoming(text: str, sender: str = OWNER, message_id: str = "in-1") -> dict[str, str]:
    return {
        "date": "2026-11-24 12:00:00",
        "from": sender,
        "id": message_id,
        "linkId": "",
        "text": text,
        "to": "BVESTER",
        "networkCode": "63902",
    }


async def inbound(client: httpx.AsyncClient, form: dict[str, str]) -> int:
    response = await client.post(f"/callbacks/{TOKEN}/sms/inbound", data=form)
    return response.status_code


async def fates(database: Database) -> list[str]:
    async with database.connection() as c:
        rows = await c.fetch("SELECT outcome FROM sms_inbound ORDER BY received_at, provider_id")
    return [row["outcome"] for row in rows]


async def test_an_sms_reply_lands_in_the_conversation(
    client: httpx.AsyncClient, talk: Talk
) -> None:
    await talk.begin()
    assert await inbound(client, incoming("Nzuri sana! Asante é €")) == 200
    newest = (await talk.messages())[0]
    assert (newest.sender_id, newest.text, newest.sent_via) == (
        talk.owner.id,
        "Nzuri sana! Asante é €",
        "sms",
    )


async def test_a_repeated_callback_counts_once(client: httpx.AsyncClient, talk: Talk) -> None:
    await talk.begin()
    answers = await asyncio.gather(*[inbound(client, incoming("Nzuri")) for _ in range(5)])
    assert answers == [200] * 5
    assert len(await talk.messages()) == 2


async def test_nothing_to_answer_is_kept_sealed_and_the_sender_is_told(
    client: httpx.AsyncClient, talk: Talk, double: Any, database: Database
) -> None:
    assert await inbound(client, incoming("Habari?")) == 200
    assert await fates(database) == ["no_conversation"]
    assert double.requests[0].form["message"].startswith("Bado huna mazungumzo")
    async with database.connection() as c:
        row = await c.fetchrow("SELECT sealed, wrapped_key FROM sms_inbound")
    assert row is not None
    key = talk.keyring.unwrap(row["wrapped_key"], "sms:in-1")
    assert key.open(row["sealed"], "sms_inbound/in-1") == '["+254700000001","Habari?"]'
    assert b"Habari" not in row["sealed"]


async def test_an_unknown_number_is_told_once_a_day(
    client: httpx.AsyncClient, double: Any, database: Database, clock: ManualClock
) -> None:
    from datetime import timedelta

    for n in range(3):
        assert await inbound(client, incoming("Hi", "+2250707070707", f"in-{n}")) == 200
    assert await fates(database) == ["unknown_sender"] * 3
    assert len(double.requests) == 1
    assert double.requests[0].form["message"].startswith("Ce numéro n'est pas inscrit")
    clock.advance(timedelta(days=1, seconds=1))
    await inbound(client, incoming("Hi", "+2250707070707", "in-9"))
    assert len(double.requests) == 2


async def test_a_sender_that_is_no_number_is_kept_and_not_answered(
    client: httpx.AsyncClient, double: Any, database: Database
) -> None:
    assert await inbound(client, incoming("Top up now!", "SAFARICOM")) == 200
    assert await fates(database) == ["unknown_sender"]
    assert double.requests == []


async def test_a_text_the_conversation_refuses_is_kept(
    client: httpx.AsyncClient, talk: Talk, database: Database
) -> None:
    await talk.begin()
    assert await inbound(client, incoming("   ")) == 200
    assert await fates(database) == ["refused"]
    assert len(await talk.messages()) == 1


async def test_an_answer_that_cannot_be_sent_does_not_lose_the_message(
    client: httpx.AsyncClient, talk: Talk, double: Any, database: Database
) -> None:
    double.answers["/messaging"].clear()
    double.answer("/messaging", 503, b"")
    assert await inbound(client, incoming("Habari?")) == 200
    assert await fates(database) == ["no_conversation"]


async def test_guessing_the_secret_is_refused_for_a_while_and_the_provider_is_not(
    client: httpx.AsyncClient,
) -> None:
    statuses = [
        (await client.post(f"/callbacks/guess{n}/sms/delivery", data={})).status_code
        for n in range(22)
    ]
    assert statuses == [404] * 20 + [429] * 2
    assert await inbound(client, incoming("Habari?")) == 200


@pytest.mark.parametrize("path", ["sms/inbound", "sms/delivery", "sms/opt-out"])
@pytest.mark.parametrize("token", ["wrong", TOKEN + "x", TOKEN[:-1], "é"])
async def test_a_wrong_token_finds_nothing(
    client: httpx.AsyncClient, path: str, token: str, database: Database
) -> None:
    form = {**incoming("x"), "status": "Success", "phoneNumber": OWNER}
    response = await client.post(f"/callbacks/{token}/{path}", data=form)
    assert response.status_code == 404
    assert await fates(database) == []


@pytest.mark.parametrize("missing", ["id", "from"])
async def test_a_missing_field_is_named_and_changes_nothing(
    client: httpx.AsyncClient, missing: str, database: Database
) -> None:
    form = incoming("x")
    del form[missing]
    response = await client.post(f"/callbacks/{TOKEN}/sms/inbound", data=form)
    assert response.status_code == 400
    assert response.json()["field"] == missing
    assert await fates(database) == []


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"{}", b"id=1&from=%00", b"&" * 200 + b"a=1", b"id=" + b"9" * 500]
)
async def test_garbage_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, body: bytes, database: Database
) -> None:
    for path in ("inbound", "delivery", "opt-out"):
        response = await client.post(f"/callbacks/{TOKEN}/sms/{path}", content=body)
        assert response.status_code == 400, (path, response.text)
    assert await fates(database) == []


async def test_a_body_of_a_megabyte_is_refused(client: httpx.AsyncClient) -> None:
    body = b"id=1&from=%2B254700000001&text=" + b"x" * 1_000_000
    response = await client.post(f"/callbacks/{TOKEN}/sms/inbound", content=body)
    assert response.status_code == 413


async def test_a_null_character_in_a_text_does_no_harm(
    client: httpx.AsyncClient, talk: Talk
) -> None:
    await talk.begin()
    assert await inbound(client, incoming("Nzu\0ri")) == 200
    assert (await talk.messages())[0].text == "Nzuri"


async def test_reports_of_codes_and_unknown_messages_are_kept_and_harm_nothing(
    client: httpx.AsyncClient, sms: SmsChannel, database: Database
) -> None:
    await SmsCodeSender(sms).send_code(OWNER, "482913", "en")
    for message_id in ("ATXid_out", "ATXid_other"):
        form = {"id": message_id, "status": "Success", "phoneNumber": OWNER}
        response = await client.post(f"/callbacks/{TOKEN}/sms/delivery", data=form)
        assert response.status_code == 200
    async with database.connection() as c:
        rows = await c.fetch("SELECT purpose, outcome FROM delivery_reports ORDER BY provider_id")
    assert [(row["purpose"], row["outcome"]) for row in rows] == [
        ("", "delivered"),
        ("code", "delivered"),
    ]


async def test_who_opts_out_is_not_written_to_until_they_write_themselves(
    client: httpx.AsyncClient, talk: Talk, sms: SmsChannel, database: Database
) -> None:
    form = {"senderId": "BVESTER", "phoneNumber": OWNER}
    response = await client.post(f"/callbacks/{TOKEN}/sms/opt-out", data=form)
    assert response.status_code == 200
    async with database.connection() as c:
        assert await sms.can_reach(c, talk.owner) == ()
        assert await is_retired(c, "sms", address_hash(talk.keyring, Address(OWNER)))
    await inbound(client, incoming("I am back"))
    async with database.connection() as c:
        assert await sms.can_reach(c, talk.owner) == (Address(OWNER),)


async def test_a_code_is_in_the_sms_and_nowhere_else(
    sms: SmsChannel, double: Any, database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    await SmsCodeSender(sms).send_code(OWNER, "482913", "fr")
    text = double.requests[0].form["message"]
    assert text.startswith("482913 est votre code")
    double.answers["/messaging"].clear()
    double.answer("/messaging", 401, b"The supplied authentication is invalid")
    with pytest.raises(SmsNotSent) as caught:
        await SmsCodeSender(sms).send_code(OWNER, "482913", "fr")
    assert "482913" not in str(caught.value) + str(caught.value.facts)
    output = capfd.readouterr()
    assert "482913" not in output.out + output.err
    assert OWNER not in output.out + output.err
    async with database.connection() as c:
        rows = await c.fetch("SELECT t::text AS t FROM delivery_reports t")
    assert all("482913" not in row["t"] for row in rows)


@pytest.mark.parametrize(
    ("verbatim", "sent"),
    [(False, 'Adébayo "yes"'), (True, 'Adébáyọ̀ "yes"')],
)
async def test_names_are_spelt_plainly_and_a_persons_own_words_are_not(
    sms: SmsChannel, double: Any, clock: ManualClock, verbatim: bool, sent: str
) -> None:
    notice = Notice(
        event_id=EventId(new_id(clock.now())),
        kind="message.sent",
        person_id=PersonId(new_id(clock.now())),
        address=Address(OWNER),
        title="",
        text="Adébáyọ̀ “yes”",
        verbatim=verbatim,
        urgency="normal",
        number=1,
        expires_at=clock.now(),
        data={},
    )
    assert isinstance(await sms.send(notice), Sent)
    assert double.requests[0].form["message"] == sent
