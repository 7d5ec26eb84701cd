"""Conversations over HTTP."""

import logging
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient, Response

from hub.database import Database
from hub.identity import Person
from hub.ids import BusinessId
from hub.messaging import Conversation


async def write(
    client: AsyncClient, conversation: Any, text: str, key: str | None = None
) -> Response:
    return await client.post(
        f"/v1/conversations/{conversation}/messages",
        json={"text": text},
        headers={"Idempotency-Key": key or str(uuid4())},
    )


async def test_an_investor_and_a_shop_owner_talk(
    as_: Any, ada: Person, otieno: Person, business: BusinessId
) -> None:
    opened = await as_(ada).post("/v1/conversations", json={"business_id": str(business)})
    assert opened.status_code == 200, opened.text
    talk = opened.json()
    assert (talk["subject"], talk["business_id"]) == ("Ziwa Fish", str(business))
    assert {member["display_name"] for member in talk["members"]} == {"Ada", "Otieno"}
    sent = await write(as_(ada), talk["id"], "Karibu!\r\nHow is the catch?")
    assert sent.status_code == 201, sent.text
    assert sent.json()["text"] == "Karibu!\nHow is the catch?"

    seen = (await as_(otieno).get("/v1/conversations")).json()["items"]
    assert [(item["id"], item["unread"]) for item in seen] == [(talk["id"], 1)]
    page = (await as_(otieno).get(f"/v1/conversations/{talk['id']}/messages")).json()
    assert page == {"items": [sent.json()], "next_cursor": None}
    read = await as_(otieno).post(f"/v1/conversations/{talk['id']}/read")
    assert read.status_code == 204, read.text
    again = await as_(otieno).post(
        f"/v1/conversations/{talk['id']}/read", json={"message_id": sent.json()["id"]}
    )
    assert again.status_code == 204
    seen = (await as_(otieno).get("/v1/conversations")).json()["items"]
    assert seen[0]["unread"] == 0


async def test_a_repeated_send_writes_one_message(
    as_: Any, ada: Person, talk: Conversation, database: Database
) -> None:
    first = await write(as_(ada), talk.id, "once", "key-1")
    again = await write(as_(ada), talk.id, "once", "key-1")
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    other = await write(as_(ada), talk.id, "twice", "key-1")
    assert other.status_code == 422
    assert other.json()["type"].endswith("/idempotency_key_reused")
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM messages") == 1
        stored = await connection.fetchval("SELECT body FROM idempotency_keys")
    assert b"once" not in stored


async def test_strangers_get_the_same_answer_as_for_what_does_not_exist(
    as_: Any, ada: Person, mallory: Person, talk: Conversation
) -> None:
    await write(as_(ada), talk.id, "between us")
    client = as_(mallory)
    for conversation in (talk.id, uuid4()):
        path = f"/v1/conversations/{conversation}"
        answers = [
            await client.get(f"{path}/messages"),
            await client.post(f"{path}/read", json={}),
            await write(client, conversation, "hello"),
        ]
        assert [answer.status_code for answer in answers] == [404] * 3
        assert {answer.json()["detail"] for answer in answers} == {"You have no such conversation."}


async def test_wrong_requests_change_nothing(
    as_: Any, ada: Person, otieno: Person, talk: Conversation, business: BusinessId,
    database: Database,
) -> None:  # fmt: skip
    client, path = as_(ada), f"/v1/conversations/{talk.id}"
    statuses = [
        (await client.post(f"{path}/messages", json={"text": "no key"})).status_code,
        (await write(client, talk.id, "")).status_code,
        (await write(client, talk.id, "x" * 1001)).status_code,
        (await write(client, talk.id, "bell\x07")).status_code,
        (await write(client, talk.id, "ok", "k" * 256)).status_code,
        (await client.get("/v1/conversations/abc/messages")).status_code,
        (await client.get(f"{path}/messages?cursor=abc")).status_code,
        (await client.post("/v1/conversations", json={"business_id": "abc"})).status_code,
        (await client.post("/v1/conversations", json={})).status_code,
    ]
    assert statuses == [400] * 9
    unknown = await client.post("/v1/conversations", json={"business_id": str(uuid4())})
    assert unknown.status_code == 404
    own = await as_(otieno).post("/v1/conversations", json={"business_id": str(business)})
    assert (own.status_code, own.json()["type"][-12:]) == (422, "own_business")
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM messages") == 0
        assert await connection.fetchval("SELECT count(*) FROM conversations") == 1


async def test_long_conversations_come_in_pages(
    as_: Any, ada: Person, talk: Conversation, redis: Any
) -> None:
    for n in range(60):
        await redis.flushall()
        await write(as_(ada), talk.id, f"{n}")
    path = f"/v1/conversations/{talk.id}/messages"
    first = (await as_(ada).get(path)).json()
    second = (await as_(ada).get(path, params={"cursor": first["next_cursor"]})).json()
    texts = [item["text"] for page in (first, second) for item in page["items"]]
    assert texts == [str(n) for n in reversed(range(60))]
    assert second["next_cursor"] is None


async def test_a_flood_of_messages_is_stopped(as_: Any, ada: Person, talk: Conversation) -> None:
    statuses = [(await write(as_(ada), talk.id, "x")).status_code for _ in range(32)]
    assert (statuses.count(201), statuses.count(429)) == (30, 2)


async def test_texts_are_never_logged(
    as_: Any, ada: Person, talk: Conversation, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    await write(as_(ada), talk.id, "a secret recipe")
    await write(as_(ada), talk.id, "a secret recipe\x07")
    await as_(ada).get(f"/v1/conversations/{talk.id}/messages")
    assert "secret recipe" not in caplog.text + "".join(capfd.readouterr())
