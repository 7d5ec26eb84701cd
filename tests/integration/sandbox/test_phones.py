"""The phone API, the terminal phone, the pages and the bad manners' switchboard."""

import asyncio
import sys

import pytest

from hub.sandbox import run_phone
from hub.sandbox.behaviour import KNOWN

OWNER = "+254700000001"
ORIGIN = {"Origin": "http://127.0.0.1:8000"}
SCREEN = "CON Karibu\n1. Salio"


async def test_a_message_list_continues_after_an_id(sandbox, hub):
    ids = []
    for number in range(3):
        sent = await sandbox.post(
            f"/phone/{OWNER}/messages", json={"to": "BVESTER", "text": str(number)}
        )
        ids.append(sent.json()["id"])
    path = f"/phone/{OWNER}/messages"
    later = (await sandbox.get(path, params={"after": ids[0]})).json()["items"]
    assert [message["id"] for message in later] == ids[1:]
    assert (await sandbox.get(path, params={"after": ids[2]})).json() == {"items": []}
    assert (await sandbox.get(path, params={"after": "nothing"})).status_code == 404
    encoded = await sandbox.get("/phone/%2B254700000001/messages")
    bare = await sandbox.get("/phone/254700000001/messages")
    assert encoded.json() == bare.json()
    assert len(bare.json()["items"]) == 3


@pytest.mark.parametrize(
    "body", [{"to": "BVESTER"}, {"to": "BVESTER", "text": ""}, {"to": "x", "text": "y", "z": 1}]
)
async def test_a_wrong_body_is_refused_and_sends_nothing(sandbox, hub, body):
    assert (await sandbox.post(f"/phone/{OWNER}/messages", json=body)).status_code == 400
    assert (await sandbox.get(f"/phone/{OWNER}/messages")).json() == {"items": []}


async def test_nobody_there_no_number_and_foreign_forms_are_refused(sandbox):
    path = f"/phone/{OWNER}/messages"
    nobody = await sandbox.post(path, json={"to": "SOMEBODY", "text": "hi"})
    assert nobody.status_code == 400
    assert nobody.headers["content-type"].startswith("application/problem+json")
    assert (await sandbox.get("/phone/abc/messages")).status_code == 400
    plain = {"content-type": "text/plain"}
    body = b'{"to": "BVESTER", "text": "hi"}'
    assert (await sandbox.post(path, content=body, headers=plain)).status_code == 400
    keyed = b'{"input": "*384*7#"}'
    refused = await sandbox.post(f"/phone/{OWNER}/ussd", content=keyed, headers=plain)
    assert refused.status_code == 400


async def test_the_hubs_pages_may_use_the_phones_and_no_others(sandbox):
    path = f"/phone/{OWNER}/messages"
    simple = await sandbox.get(path, headers=ORIGIN)
    assert simple.headers["access-control-allow-origin"] == ORIGIN["Origin"]
    asking = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    preflight = await sandbox.options(path, headers={**ORIGIN, **asking})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == ORIGIN["Origin"]
    foreign = {"Origin": "http://evil.example"}
    refused = await sandbox.options(path, headers={**foreign, **asking})
    assert "access-control-allow-origin" not in refused.headers
    assert "access-control-allow-origin" not in (await sandbox.get(path, headers=foreign)).headers


async def test_the_pages_and_their_parts_are_served(sandbox):
    assert (await sandbox.get("/")).headers["location"] == "/phone"
    for path in ("/phone", "/pages/phone.js", "/pages/checkout.js", "/pages/sandbox.css"):
        answer = await sandbox.get(path)
        assert answer.status_code == 200
    policy = (await sandbox.get("/phone")).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert (await sandbox.get("/health")).json() == {"status": "ok"}


async def test_bad_manners_are_listed_switched_on_and_taken_back(sandbox, misbehave):
    listed = (await sandbox.get("/behaviour")).json()
    assert listed == {"items": [], "known": KNOWN}
    first = await misbehave("paystack", "429", times=2, match="verify")
    await misbehave("fcm", "500", times=None)
    items = (await sandbox.get("/behaviour")).json()["items"]
    assert [item["what"] for item in items] == ["429", "500"]
    assert items[1]["times"] is None
    assert (await sandbox.delete(f"/behaviour/{first['id']}")).status_code == 204
    assert (await sandbox.delete(f"/behaviour/{first['id']}")).status_code == 404
    await sandbox.delete("/behaviour")
    assert (await sandbox.get("/behaviour")).json()["items"] == []


@pytest.mark.parametrize(
    "order",
    [
        {"provider": "paystack", "what": "sing"},
        {"provider": "nobody", "what": "429"},
        {"provider": "fcm", "what": "429", "times": 0},
        {"provider": "fcm", "what": "429", "value": -1},
        {"provider": "fcm"},
    ],
)
async def test_unknown_manners_are_refused(sandbox, order):
    assert (await sandbox.post("/behaviour", json=order)).status_code == 400


async def use_phone(settings, *lines):
    """Types the lines into a terminal phone; a callable is awaited between them."""
    shown = []

    async def typed():
        for line in lines:
            if callable(line):
                await line()
            else:
                yield line

    await run_phone(settings.sandbox.url, OWNER, lines=typed(), show=shown.append)
    return shown


async def incoming(sandbox, text):
    form = {"username": "sandbox", "to": OWNER, "message": text, "from": "BVESTER"}
    await sandbox.post("/version1/messaging", data=form, headers={"apiKey": "at-key"})


async def test_the_terminal_phone_dials_and_answers(sandbox, hub, settings):
    hub.answer = lambda request: (
        (200, "END Salio: KES 1") if request.form.get("text") == "1" else (200, SCREEN)
    )
    shown = await use_phone(settings, "*384*7#", "1", "1", "help", "quit", "*384*7#")
    assert "| Karibu\n| 1. Salio" in shown
    assert "| Salio: KES 1" in shown
    assert "(session ended)" in shown
    assert "Not understood; type help for help." in shown
    assert len(hub.at("/ussd")) == 2


async def test_the_terminal_phone_cancels(sandbox, hub, settings):
    hub.answer = lambda request: (200, SCREEN)
    await use_phone(settings, "*384*7#", "cancel")
    (event,) = await hub.wait_for("/ussd/events")
    assert event.form["status"] == "Incomplete"


async def test_the_terminal_phone_shows_what_comes_and_answers_it(sandbox, hub, settings):
    shown = await use_phone(
        settings,
        "> too early",
        lambda: incoming(sandbox, "Umepokea KES 5,000"),
        "wait 5",
        "> Asante",
        "sms Karibu",
        "sms +254700000002 hello",
        "inbox",
        "wait 0",
    )
    assert shown[1] == "No message to answer yet; write: sms +NUMBER text"
    assert shown[2] == "[SMS from BVESTER] Umepokea KES 5,000"
    assert "(sent to BVESTER)" in shown
    assert "[SMS to +254700000002] hello" in shown
    assert "(no message came)" in shown
    requests = await hub.wait_for("/sms/inbound", 2)
    assert [request.form["text"] for request in requests] == ["Asante", "Karibu"]


async def test_old_messages_are_not_shown_again_but_can_be_answered(sandbox, hub, settings):
    await incoming(sandbox, "old")
    shown = await use_phone(settings, "> yes")
    assert "[SMS from BVESTER] old" not in shown
    (request,) = await hub.wait_for("/sms/inbound")
    assert request.form["text"] == "yes"


async def test_the_terminal_phone_says_when_there_is_no_network(settings):
    shown = await use_phone(settings, "*384*7#", "inbox")
    assert shown.count("(no network: the sandbox does not answer)") == 1


async def test_the_terminal_phone_works_in_a_pipe(sandbox, hub, settings):
    hub.answer = lambda request: (200, SCREEN)
    code = "import asyncio, sys; from hub.sandbox.terminal import run_phone; "
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        code + f"asyncio.run(run_phone({settings.sandbox.url!r}, {OWNER!r}))",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(b"*384*7#\n"), 20)
    assert process.returncode == 0
    assert "| 1. Salio" in out.decode()
