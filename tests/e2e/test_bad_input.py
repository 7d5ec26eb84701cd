"""Bad input to the running product: each has a clear error, and changes nothing."""

import asyncio
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import websockets

from hub.settings import read_env_file
from tests.e2e.conftest import ApiClient, RunningHub, SandboxPhone, sign_in

LINDIWE = "+27821000004"
INVEST = "/v1/investments"
UNKNOWN = "01900000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
async def lindiwe(hub: RunningHub) -> ApiClient:
    async with httpx.AsyncClient(base_url=hub.sandbox, timeout=30) as sandbox:
        return await sign_in(hub, SandboxPhone(sandbox, LINDIWE))


@pytest.fixture
def callback(hub: RunningHub) -> str:
    """The base of the unsigned callbacks, with the right token in its path."""
    kept = read_env_file(_data_dir(hub) / "development.env")
    return f"{hub.url}/callbacks/{kept['HUB_AT_CALLBACK_TOKEN']}"


def _data_dir(hub: RunningHub) -> Any:
    return hub.log_path.with_suffix("")


def _money(amount: object = 100_000, currency: object = "KES") -> dict[str, object]:
    return {"amount": amount, "currency": currency}


@pytest.mark.parametrize(
    ("path", "body", "key", "status", "kind"),
    [
        (INVEST, {}, "k", 400, "invalid"),
        (INVEST, {"offering_id": UNKNOWN}, "k", 400, "invalid"),
        (INVEST, {"offering_id": UNKNOWN, "amount": _money()}, "k", 404, "offering_not_found"),
        (INVEST, {"offering_id": "seven", "amount": _money()}, "k", 400, "invalid"),
        (INVEST, {"offering_id": UNKNOWN, "amount": _money("lots")}, "k", 400, "invalid"),
        (INVEST, {"offering_id": UNKNOWN, "amount": _money(1.5)}, "k", 400, "invalid"),
        (INVEST, {"offering_id": UNKNOWN, "amount": _money(-5)}, "k", 400, "invalid"),
        (INVEST, {"offering_id": UNKNOWN, "amount": _money(0)}, "k", 400, "invalid"),
        (INVEST, {"offering_id": UNKNOWN, "amount": _money(2**70)}, "k", 400, "invalid"),
        (INVEST, {"offering_id": UNKNOWN, "amount": _money(5, "XXX")}, "k", 400, "invalid"),
        (INVEST, {"offering_id": UNKNOWN, "amount": _money(), "x": 1}, "k", 400, "invalid"),
        (INVEST, {"offering_id": UNKNOWN, "amount": _money()}, None, 400, "invalid"),
        (INVEST, {"offering_id": UNKNOWN, "amount": _money()}, "k" * 300, 400, "invalid"),
        (INVEST, [], "k", 400, "invalid"),
        ("/v1/payments", {"amount": _money(currency="UGX"), "purpose": "top_up"}, "p", 400, None),
        ("/v1/payments", {"amount": _money(), "purpose": "gift"}, "p", 400, "invalid"),
        ("/v1/payments", {"amount": _money(), "purpose": "top_up", "gateway": "x"}, "p", 404, None),
        ("/v1/payments", {"amount": _money(), "purpose": "top_up",
                          "return_url": "https://evil.example/"}, "p", 400, None),
        ("/v1/payments", {"amount": _money(), "purpose": "top_up",
                          "return_url": "http://[::1"}, "p", 400, None),
        ("/v1/conversations", {"business_id": UNKNOWN}, None, 404, None),
        (f"/v1/conversations/{UNKNOWN}/messages", {"text": "hello"}, "m", 404, None),
        ("/v1/sign-in/codes", {"phone": "+999123"}, None, 400, "invalid"),
        ("/v1/sign-in/codes", {"phone": 7}, None, 400, "invalid"),
        ("/v1/sign-in/sessions", {"challenge_id": UNKNOWN, "code": "123456",
                                  "device": {"platform": "web", "name": "x"}}, None, 401, None),
        ("/v1/sign-in/refresh", {"refresh_token": "forged"}, None, 401, None),
        ("/v1/nowhere", {}, None, 404, "not_found"),
    ],
)  # fmt: skip
async def test_a_wrong_request_gets_its_problem(
    lindiwe: ApiClient, path: str, body: Any, key: str | None, status: int, kind: str | None
) -> None:
    answer = await lindiwe.post(
        path, body, key if key is None or len(key) > 1 else f"{key}-{uuid.uuid4()}"
    )
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem["status"] == status
    assert problem["detail"]
    assert problem["type"].startswith("https://bvester.com/problems/")
    if kind is not None:
        assert problem["type"].endswith(f"/{kind}")
    assert "Traceback" not in answer.text


async def test_figures_beyond_the_databases_are_no_fault_of_ours(lindiwe: ApiClient) -> None:
    beyond = 10**24
    wallets = (await lindiwe.get("/v1/wallets"))["items"]
    paths = [f"/v1/feed?before={beyond}", f"/v1/feed?limit={beyond}"]
    paths += [f"/v1/wallets/{wallet['id']}/entries?cursor={beyond}" for wallet in wallets[:1]]
    for path in paths:
        assert (await lindiwe.http.get(path)).status_code == 200, path


async def test_a_body_nested_without_end_is_refused(lindiwe: ApiClient) -> None:
    answer = await lindiwe.http.post(
        INVEST,
        content=b'{"a":' * 20_000,
        headers={"Idempotency-Key": "deep", "Content-Type": "application/json"},
    )
    assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (400, "invalid")


async def test_nobody_without_a_token_gets_in(hub: RunningHub) -> None:
    async with httpx.AsyncClient(base_url=hub.url) as client:
        for path in ("/v1/me", "/v1/wallets", "/v1/feed", "/v1/investments", "/v1/ops/overview"):
            for headers in ({}, {"Authorization": "Bearer x.y.z"}, {"Authorization": "Basic eA=="}):
                answer = await client.get(path, headers=headers)
                assert answer.status_code == 401, path
                assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_role_opens_only_its_doors(
    hub: RunningHub, phone: Callable[[str], SandboxPhone]
) -> None:
    kwame = await sign_in(hub, phone("+233244000003"))
    answer = await kwame.http.get("/v1/ops/overview")
    assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (403, "forbidden")


async def test_a_body_too_large_is_refused(lindiwe: ApiClient) -> None:
    answer = await lindiwe.http.post("/v1/conversations", content=b"x" * 300_000)
    assert answer.status_code in (400, 413)
    assert answer.headers["content-type"].startswith("application/problem+json")


async def test_a_repeated_key_has_one_outcome(
    hub: RunningHub, phone: Callable[[str], SandboxPhone]
) -> None:
    zawadi = await sign_in(hub, phone("+233244000003"))
    offerings = (await zawadi.get("/v1/offerings"))["items"]
    oven = next(item for item in offerings if "second oven" in item["title"])
    before = await zawadi.balance()
    body = {"offering_id": oven["id"], "amount": _money(150_000)}
    key = f"repeat-{uuid.uuid4()}"
    answers = await asyncio.gather(*(zawadi.post(INVEST, body, key) for _ in range(12)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    made = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.text for answer in made}) == 1
    assert await zawadi.balance() == before - 150_000
    other = await zawadi.post(INVEST, {**body, "amount": _money(160_000)}, key)
    assert other.status_code == 422
    assert other.json()["type"].endswith("idempotency_key_reused")
    poor = await zawadi.post(INVEST, {**body, "amount": _money(20_000_000)}, f"{key}-2")
    assert poor.status_code == 422


async def test_a_forged_webhook_leaves_nothing(hub: RunningHub) -> None:
    body = json.dumps({"event": "charge.success", "data": {"reference": "x", "id": 1}}).encode()
    signature = hmac.new(b"sk_test_wrong", body, hashlib.sha512).hexdigest()
    async with httpx.AsyncClient(base_url=hub.url) as client:
        for headers in ({}, {"x-paystack-signature": signature}, {"x-paystack-signature": "é"}):
            raw = {name: value.encode() for name, value in headers.items()}
            answer = await client.post("/webhooks/paystack", content=body, headers=raw)
            assert answer.status_code == 401
        assert (await client.post("/webhooks/nobody", content=body)).status_code == 404


async def test_unsigned_callbacks_need_the_secret_path(hub: RunningHub, callback: str) -> None:
    form = {
        "sessionId": "ATUid_1",
        "phoneNumber": "+254700000001",
        "serviceCode": "*384*7#",
        "text": "",
    }
    async with httpx.AsyncClient() as client:
        for path in ("ussd", "sms/inbound", "sms/delivery"):
            wrong = await client.post(f"{hub.url}/callbacks/guess/{path}", data=form)
            assert wrong.status_code == 404
        assert (await client.post(f"{callback}/ussd", data={})).status_code == 400
        nowhere = await client.post(f"{callback}/ussd", data={**form, "phoneNumber": "hello"})
        assert nowhere.status_code in (200, 400)
        stranger = await client.post(
            f"{callback}/ussd", data={**form, "phoneNumber": "+254799999999"}
        )
        assert (stranger.status_code, stranger.text[:4]) == (200, "END ")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("not json", 3501),
        ("", 3501),
        ("{}", 3501),
        ('{"id":1,"subscribe":{"channel":"x"}}', 3501),
        ('{"id":1,"connect":{"token":"forged"}}', 3500),
        ('{"id":1,"connect":{}}', 3501),
        (b"\x00\xff", 3506),
        ("x" * 70_000, 1009),
    ],
)
async def test_a_garbage_frame_closes_with_its_code(
    hub: RunningHub, frame: str | bytes, code: int
) -> None:
    async with websockets.connect(hub.socket_url) as socket:
        await socket.send(frame)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await asyncio.wait_for(_until_closed(socket), 10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code in ({code, 3501} if isinstance(frame, bytes) else {code})


async def _until_closed(socket: websockets.ClientConnection) -> None:
    while True:
        await socket.recv()


async def test_a_foreign_page_may_not_connect(hub: RunningHub) -> None:
    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(hub.socket_url, origin=websockets.Origin("https://evil.example"))


async def test_someone_elses_channels_stay_closed(hub: RunningHub, lindiwe: ApiClient) -> None:
    async with websockets.connect(hub.socket_url) as socket:
        await socket.send(
            json.dumps({"id": 1, "connect": {"token": await lindiwe.realtime_token()}})
        )
        await socket.recv()
        for channel, code in (
            (f"personal:#{UNKNOWN}", 103),
            (f"conversation:{UNKNOWN}", 103),
            ("nothing:1", 102),
            ("x" * 300, 107),
        ):
            await socket.send(json.dumps({"id": 2, "subscribe": {"channel": channel}}))
            while (reply := json.loads(await socket.recv())).get("id") != 2:
                pass
            assert reply["error"]["code"] == code, channel


def test_all_of_it_left_the_books_whole(hub: RunningHub) -> None:
    proof = hub.run("verify")
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert "Everything holds." in proof.stdout
    assert hub.run("doctor").returncode == 0


def test_the_logs_hold_no_secret(hub: RunningHub) -> None:
    log = hub.log
    kept = read_env_file(_data_dir(hub) / "development.env")
    for name in (
        "HUB_MASTER_KEY",
        "HUB_PAYSTACK_SECRET_KEY",
        "HUB_AT_API_KEY",
        "HUB_AT_CALLBACK_TOKEN",
    ):
        assert kept[name] not in log, name
    printed = "\n".join(line for line in log.splitlines() if "| " in line)  # by the processes
    assert "+2547" not in printed
    assert "+2348" not in printed
    assert "Traceback" not in log
