"""The phone dials; the hub's screens come back."""

import asyncio

OWNER = "+254700000001"
SCREEN = "CON Karibu Bvester\n1. Salio\n2. Toka"


async def key(sandbox, keys, session_id=None, number=OWNER):
    return await sandbox.post(
        f"/phone/{number}/ussd", json={"session_id": session_id, "input": keys}
    )


async def test_the_whole_path_is_sent_each_time_until_end(sandbox, hub):
    hub.answer = lambda request: (
        (200, "END Salio: KES 5,000") if request.form.get("text") == "1*1234" else (200, SCREEN)
    )
    first = (await key(sandbox, "*384*7#")).json()
    assert first["text"] == "Karibu Bvester\n1. Salio\n2. Toka"
    assert first["more"]
    assert first["session_id"].startswith("ATUid_")
    await key(sandbox, "1", first["session_id"])
    last = (await key(sandbox, "1234", first["session_id"])).json()
    assert (last["text"], last["more"]) == ("Salio: KES 5,000", False)
    requests = hub.at("/callbacks/unguessable-in-tests/ussd")
    assert [request.form["text"] for request in requests] == ["", "1", "1*1234"]
    assert requests[2].form == {
        "sessionId": first["session_id"],
        "serviceCode": "*384*7#",
        "phoneNumber": OWNER,
        "networkCode": "99999",
        "text": "1*1234",
    }
    (event,) = await hub.wait_for("/ussd/events")
    assert event.form["status"] == "Success"
    assert event.form["hopsCount"] == "3"
    assert event.form["input"] == "1*1234"
    assert event.form["lastAppResponse"] == "END Salio: KES 5,000"
    assert int(event.form["durationInMillis"]) >= 0


async def test_what_is_dialled_after_the_code_is_input(sandbox, hub):
    hub.answer = lambda request: (200, SCREEN)
    turn = (await key(sandbox, "*384*7*2*15#")).json()
    assert turn["more"]
    (request,) = hub.at("/ussd")
    assert request.form["text"] == "2*15"
    assert request.form["serviceCode"] == "*384*7#"


async def test_other_codes_and_no_codes_never_reach_the_hub(sandbox, hub):
    for code in ("*384*8#", "*384*71#"):
        turn = (await key(sandbox, code)).json()
        assert turn == {
            "session_id": None,
            "text": "Connection problem or invalid MMI code.",
            "more": False,
        }
    assert (await key(sandbox, "384")).status_code == 400
    assert (await key(sandbox, "")).status_code == 400
    assert (await key(sandbox, "1", "ATUid_unknown")).status_code == 404
    assert hub.all == []


async def test_an_answer_without_con_or_end_or_with_an_error_ends_the_session(sandbox, hub):
    for count, bad in enumerate(((200, "Karibu"), (500, SCREEN), (200, "CONKaribu"))):
        hub.answer = lambda request, bad=bad: bad
        turn = (await key(sandbox, "*384*7#")).json()
        assert not turn["more"]
        assert turn["text"].startswith("Network problem")
        event = (await hub.wait_for("/ussd/events", count + 1))[-1]
        hub.answer = lambda request: (200, "")
        assert event.form["status"] == "Failed"
        assert event.form["errorMessage"]


async def test_a_slow_hub_loses_the_session(sandbox, hub):
    async def slow(request):
        await asyncio.sleep(0.6 if request.path.endswith("/ussd") else 0)
        return 200, SCREEN

    hub.answer = slow
    turn = (await key(sandbox, "*384*7#")).json()
    assert not turn["more"]
    (event,) = await hub.wait_for("/ussd/events")
    assert event.form["status"] == "Failed"


async def test_an_absent_hub_is_a_network_problem(sandbox):
    turn = (await key(sandbox, "*384*7#")).json()
    assert (turn["more"], turn["text"]) == (False, "Network problem. Please try again later.")


async def test_hanging_up_and_dialling_anew_end_the_session_as_incomplete(sandbox, hub):
    hub.answer = lambda request: (200, SCREEN)
    first = (await key(sandbox, "*384*7#")).json()["session_id"]
    second = (await key(sandbox, "*384*7#")).json()["session_id"]
    assert (await key(sandbox, "1", first)).json()["more"] is False
    assert (await sandbox.delete(f"/phone/{OWNER}/ussd/{second}")).status_code == 204
    events = await hub.wait_for("/ussd/events", 2)
    assert {event.form["sessionId"] for event in events} == {first, second}
    assert {event.form["status"] for event in events} == {"Incomplete"}
    assert (await key(sandbox, "1", second, "+254700000002")).status_code == 404


async def test_a_session_ends_after_its_time(start, hub):
    from hub.sandbox import Pace

    hub.answer = lambda request: (200, SCREEN)
    async with start(Pace(ussd_session=150, housekeeping=50)) as sandbox:
        session = (await key(sandbox, "*384*7#")).json()["session_id"]
        (event,) = await hub.wait_for("/ussd/events")
        assert event.form["status"] == "Incomplete"
        assert (await key(sandbox, "1", session)).json()["more"] is False


async def test_a_session_survives_a_restart_of_the_sandbox(start, hub):
    hub.answer = lambda request: (200, SCREEN)
    async with start() as sandbox:
        session = (await key(sandbox, "*384*7#")).json()["session_id"]
    async with start() as sandbox:
        assert (await key(sandbox, "1", session)).json()["more"]
    assert [request.form["text"] for request in hub.at("/ussd")] == ["", "1"]


async def test_two_answers_at_once_are_one_answer(sandbox, hub):
    async def slow(request):
        await asyncio.sleep(0.1)
        return 200, SCREEN

    hub.answer = slow
    session = (await key(sandbox, "*384*7#")).json()["session_id"]
    answers = await asyncio.gather(key(sandbox, "1", session), key(sandbox, "2", session))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200, 409]
    assert [request.form["text"] for request in hub.at("/ussd")] == ["", "1"]
    assert (await key(sandbox, "2", session)).json()["more"]


async def test_a_phone_shows_no_more_than_182_characters(sandbox, hub):
    hub.answer = lambda request: (200, "CON " + "a" * 300)
    assert len((await key(sandbox, "*384*7#")).json()["text"]) == 182
    hub.answer = lambda request: (200, "CON " + "₦" * 300)
    assert len((await key(sandbox, "*384*7#")).json()["text"]) == 80


async def test_bad_networks_repeat_drop_and_misread(sandbox, hub, misbehave):
    hub.answer = lambda request: (200, SCREEN)
    await misbehave("africas_talking", "ussd_repeat", match=OWNER)
    assert (await key(sandbox, "*384*7#")).json()["more"]
    first, repeated = hub.at("/ussd")
    assert first.body == repeated.body
    await misbehave("africas_talking", "ussd_drop")
    assert (await key(sandbox, "*384*7#")).json()["more"] is False
    await misbehave("africas_talking", "ussd_bad_answer")
    assert (await key(sandbox, "*384*7#")).json()["more"] is False
    events = await hub.wait_for("/ussd/events", 3)
    assert [event.form["status"] for event in events] == ["Incomplete", "Incomplete", "Failed"]
