"""The SMS side of Africa's Talking."""

import asyncio
from typing import Any

import httpx
import pytest

OWNER = "+254700000001"
KEY = {"apiKey": "at-key", "Accept": "application/json"}


async def send(
    sandbox: httpx.AsyncClient, headers: dict[str, str] = KEY, **fields: str
) -> httpx.Response:
    form = {"username": "sandbox", "to": OWNER, "message": "Habari", "from": "BVESTER", **fields}
    return await sandbox.post("/version1/messaging", data=form, headers=headers)


async def inbox(sandbox: httpx.AsyncClient, number: str = OWNER) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await sandbox.get(f"/phone/{number}/messages")).json()["items"]
    return items


async def test_a_message_is_accepted_and_reaches_the_phone(sandbox, hub):
    answer = await send(sandbox)
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    data = answer.json()["SMSMessageData"]
    assert data["Message"] == "Sent to 1/1 Total Cost: KES 0.8000 Message parts: 1"
    (recipient,) = data["Recipients"]
    assert recipient["messageId"].startswith("ATXid_")
    assert len(recipient["messageId"]) == 38
    assert recipient == {
        "statusCode": 102,
        "number": OWNER,
        "status": "Success",
        "cost": "KES 0.8000",
        "messageId": recipient["messageId"],
    }
    (message,) = await inbox(sandbox)
    assert message["text"] == "Habari"
    assert message["peer"] == "BVESTER"
    assert message["direction"] == "in"
    assert message["id"] == recipient["messageId"]


async def test_reports_come_later_and_in_the_end_say_success(sandbox, hub):
    answer = await send(sandbox)
    (recipient,) = answer.json()["SMSMessageData"]["Recipients"]
    reports = await hub.wait_for("/callbacks/unguessable-in-tests/sms/delivery", 2)
    assert [report.form["status"] for report in reports] == ["Sent", "Success"]
    assert reports[1].headers["content-type"] == "application/x-www-form-urlencoded"
    assert reports[1].form == {
        "id": recipient["messageId"],
        "phoneNumber": OWNER,
        "networkCode": "99999",
        "retryCount": "0",
        "status": "Success",
    }


async def test_an_unqueued_send_is_answered_sent(sandbox, hub):
    answer = await send(sandbox, enqueue="0")
    assert answer.json()["SMSMessageData"]["Recipients"][0]["statusCode"] == 101


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ({"Accept": "application/json"}, {}),
        ({**KEY, "apiKey": "other"}, {}),
        (KEY, {"username": "somebody"}),
    ],
)
async def test_wrong_credentials_are_401_in_plain_text(sandbox, headers, fields):
    answer = await send(sandbox, headers, **fields)
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text == "The supplied authentication is invalid"
    assert await inbox(sandbox) == []


async def test_who_does_not_ask_for_json_gets_xml(sandbox, hub):
    answer = await send(sandbox, {"apiKey": "at-key"})
    assert answer.status_code == 201
    assert answer.headers["content-type"].startswith("application/xml")
    assert "<statusCode>102</statusCode>" in answer.text


async def test_a_body_that_is_no_form_or_lacks_fields_is_refused(sandbox):
    answer = await sandbox.post("/version1/messaging", json={"to": OWNER}, headers=KEY)
    assert answer.status_code == 415
    assert (await send(sandbox, message="")).status_code == 400
    assert (await send(sandbox, to="")).status_code == 400


async def test_many_numbers_each_have_their_outcome(sandbox, hub):
    answer = await send(sandbox, to=f"{OWNER},0700000002,+254700000003")
    data = answer.json()["SMSMessageData"]
    assert data["Message"] == "Sent to 2/3 Total Cost: KES 1.6000 Message parts: 1"
    assert [one["statusCode"] for one in data["Recipients"]] == [102, 403, 102]
    assert data["Recipients"][1]["status"] == "InvalidPhoneNumber"
    assert data["Recipients"][1]["messageId"] == "None"


async def test_an_unknown_sender_is_a_201_without_recipients(sandbox):
    answer = await send(sandbox, **{"from": "SOMEBODY"})
    assert answer.status_code == 201
    assert answer.json() == {"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("€" * 80, 1),
        ("a" * 152 + "€" + "a" * 152, 3),
        ("₦" * 70, 1),
        ("₦" * 71, 2),
        ("😀" * 35, 1),
        ("😀" * 67, 3),
    ],
)
async def test_long_and_foreign_texts_cost_more_parts(sandbox, hub, text, parts):
    data = (await send(sandbox, message=text)).json()["SMSMessageData"]
    assert data["Message"].endswith(f"Message parts: {parts}")
    assert data["Recipients"][0]["cost"] == f"KES {parts * 8 // 10}.{parts * 8 % 10}000"


async def test_a_reply_from_the_phone_comes_as_a_callback(sandbox, hub):
    answer = await sandbox.post(
        f"/phone/{OWNER}/messages", json={"to": "bvester", "text": "Asante & karibu"}
    )
    assert answer.status_code == 201
    (request,) = await hub.wait_for("/callbacks/unguessable-in-tests/sms/inbound")
    form = request.form
    assert form["from"] == OWNER
    assert form["text"] == "Asante & karibu"
    assert form["id"] == answer.json()["id"]
    assert form["linkId"] == ""
    assert len(form["date"]) == len("2026-11-24 09:00:00")
    query = {"username": "sandbox", "lastReceivedId": "0"}
    fetched = await sandbox.get("/version1/messaging", params=query, headers=KEY)
    (message,) = fetched.json()["SMSMessageData"]["Messages"]
    assert message["text"] == "Asante & karibu"
    later = await sandbox.get(
        "/version1/messaging", params={**query, "lastReceivedId": message["id"]}, headers=KEY
    )
    assert later.json() == {"SMSMessageData": {"Messages": []}}


async def test_one_phone_texts_another_without_the_hub(sandbox, hub):
    other = "+254700000002"
    await sandbox.post(f"/phone/{OWNER}/messages", json={"to": other, "text": "hi"})
    (message,) = await inbox(sandbox, other)
    assert (message["peer"], message["direction"]) == (OWNER, "in")
    await hub.stays_at("/sms/inbound", 0, 0.1)


async def test_who_opted_out_gets_406_until_opted_in(sandbox, hub):
    assert (await sandbox.put(f"/phone/{OWNER}/opt-out")).status_code == 204
    (told,) = await hub.wait_for("/callbacks/unguessable-in-tests/sms/opt-out")
    assert told.form == {"senderId": "BVESTER", "phoneNumber": OWNER}
    (recipient,) = (await send(sandbox)).json()["SMSMessageData"]["Recipients"]
    assert (recipient["statusCode"], recipient["status"]) == (406, "UserInBlacklist")
    assert await inbox(sandbox) == []
    await sandbox.delete(f"/phone/{OWNER}/opt-out")
    assert (await send(sandbox)).json()["SMSMessageData"]["Recipients"][0]["statusCode"] == 102


async def test_the_account_tells_its_balance(sandbox):
    answer = await sandbox.get("/version1/user", params={"username": "sandbox"}, headers=KEY)
    assert answer.json()["UserData"]["balance"].startswith("KES ")
    refused = await sandbox.get("/version1/user", params={"username": "x"}, headers=KEY)
    assert refused.status_code == 401


# Bad manners


async def test_429_says_when_and_500_sends_nothing(sandbox, hub, misbehave):
    await misbehave("africas_talking", "429", value=7)
    limited = await send(sandbox)
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    await misbehave("africas_talking", "500")
    assert (await send(sandbox)).status_code == 500
    assert await inbox(sandbox) == []
    assert (await send(sandbox)).status_code == 201


async def test_500_may_have_been_sent(sandbox, hub, misbehave):
    await misbehave("africas_talking", "500_but_sent")
    assert (await send(sandbox)).status_code == 500
    assert len(await inbox(sandbox)) == 1
    await hub.wait_for("/sms/delivery", 2)


async def test_empty_recipients_and_failing_numbers(sandbox, hub, misbehave):
    await misbehave("africas_talking", "empty_recipients")
    assert (await send(sandbox)).json()["SMSMessageData"]["Recipients"] == []
    await misbehave("africas_talking", "blacklist", times=None, match=OWNER)
    await misbehave("africas_talking", "status_code", match="+254700000003", value=405)
    data = (await send(sandbox, to=f"{OWNER},+254700000002,+254700000003")).json()
    codes = [one["statusCode"] for one in data["SMSMessageData"]["Recipients"]]
    assert codes == [406, 102, 405]


async def test_a_failed_message_is_reported_and_never_on_the_phone(sandbox, hub, misbehave):
    await misbehave("africas_talking", "dlr_failed")
    await send(sandbox)
    reports = await hub.wait_for("/sms/delivery", 2)
    assert reports[1].form["status"] == "Failed"
    assert reports[1].form["failureReason"] == "DeliveryFailure"
    assert await inbox(sandbox) == []


async def test_a_report_may_come_before_the_answer(sandbox, hub, misbehave):
    await misbehave("africas_talking", "dlr_before_answer")
    answer = await send(sandbox)
    (report,) = hub.at("/sms/delivery")
    assert report.form["id"] == answer.json()["SMSMessageData"]["Recipients"][0]["messageId"]
    assert report.form["status"] == "Success"
    await hub.stays_at("/sms/delivery", 1)


async def test_reports_may_come_twice_reversed_or_never(sandbox, hub, misbehave):
    await misbehave("africas_talking", "dlr_duplicate")
    await send(sandbox)
    reports = await hub.wait_for("/sms/delivery", 4)
    assert sorted(report.form["status"] for report in reports) == ["Sent"] * 2 + ["Success"] * 2
    await misbehave("africas_talking", "dlr_out_of_order")
    await send(sandbox)
    reports = (await hub.wait_for("/sms/delivery", 6))[4:]
    assert [report.form["status"] for report in reports] == ["Success", "Sent"]
    await misbehave("africas_talking", "no_dlr")
    await send(sandbox)
    await hub.stays_at("/sms/delivery", 6)


# The hub is down, the sandbox restarts


async def test_reports_wait_for_a_hub_that_is_down(start, open_hub):
    async with start() as sandbox:
        await send(sandbox)
        await asyncio.sleep(0.3)
        calls = (await sandbox.get("/callbacks")).json()["items"]
        assert len(calls) == 2
        assert calls[0]["problem"] == "ConnectError"
        async with open_hub() as double:
            await double.wait_for("/sms/delivery", 2)
            await asyncio.sleep(0.1)
            assert (await sandbox.get("/callbacks")).json()["items"] == []


async def test_a_restart_loses_neither_messages_nor_owed_callbacks(start, open_hub):
    async with start() as sandbox:
        await send(sandbox)
        await sandbox.post(f"/phone/{OWNER}/messages", json={"to": "BVESTER", "text": "Ndiyo"})
        await sandbox.post("/behaviour", json={"provider": "fcm", "what": "503", "times": 3})
    async with open_hub() as double, start() as sandbox:
        await double.wait_for("/sms/delivery", 2)
        (reply,) = await double.wait_for("/sms/inbound")
        assert reply.form["text"] == "Ndiyo"
        assert [one["direction"] for one in await inbox(sandbox)] == ["in", "out"]
        assert (await sandbox.get("/behaviour")).json()["items"][0]["times"] == 3


async def test_a_refused_callback_is_not_repeated_but_a_broken_hub_is_asked_again(sandbox, hub):
    hub.answer = lambda request: (404, "")
    await sandbox.post(f"/phone/{OWNER}/messages", json={"to": "BVESTER", "text": "one"})
    await hub.wait_for("/sms/inbound")
    await hub.stays_at("/sms/inbound", 1)
    (given_up,) = (await sandbox.get("/callbacks")).json()["items"]
    assert given_up["given_up"]
    assert given_up["problem"] == "HTTP 404"
    hub.answer = lambda request: (503 if len(hub.at("/sms/inbound")) < 4 else 200, "")
    await sandbox.post(f"/phone/{OWNER}/messages", json={"to": "BVESTER", "text": "two"})
    await hub.wait_for("/sms/inbound", 4)
    await hub.stays_at("/sms/inbound", 4)
