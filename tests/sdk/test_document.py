"""What docs/realtime.md says about the gateway alone is what happens."""

import re
from itertools import product
from pathlib import Path

import msgspec
import pytest

from hub.embedded import Addresses
from hub.realtime import Namespace, codes
from hub.realtime.codes import Disconnect, Error, Unsubscribed
from hub.redis_client import RedisClient
from tests.sdk.document import DOCUMENT, examples, running
from tests.sdk.gateway import gateway_process


async def test_the_chat_of_the_document_runs_on_the_gateway_of_the_document(
    servers: Addresses, redis: RedisClient, tmp_path: Path
) -> None:
    files = examples(tmp_path)
    environment = {
        "HUB_REDIS_URL": servers.redis_url,
        "HUB_REALTIME_CONFIG": str(files["gateway.toml"]),
    }
    async with running(files["tokens.py"]) as tokens:
        token = await tokens.until("ey")
    async with gateway_process(environment, "--only", "realtime") as gateway:
        address = f"127.0.0.1:{gateway.port}"
        chat_facts = {"GATEWAY_URL": f"ws://{address}", "TOKEN": token}
        facts = {"GATEWAY_URL": f"http://{address}", "API_KEY": "change me too"}
        async with running(files["chat.mjs"], **chat_facts) as chat:
            await chat.until("Ada says Habari!")
            assert "0 before, 1 here" in chat.printed
            async with running(files["service.py"], **facts) as service:
                await service.until("published at 2")
                await service.until("present 1")
                await service.ended()
            await chat.until("service says The market opens at nine.")
            await chat.until("left the room 2000")


@pytest.mark.parametrize("kind", [Error, Disconnect, Unsubscribed])
def test_every_code_is_in_the_document(kind: type[Error | Disconnect | Unsubscribed]) -> None:
    text = DOCUMENT.read_text("utf-8")
    ends_without_a_frame = {codes.CONNECTION_CLOSED.code}
    known = {each.code for each in vars(codes).values() if isinstance(each, kind)}
    assert {
        code for code in known - ends_without_a_frame if not re.search(rf"\b{code}\b", text)
    } == set()


def test_every_option_of_a_namespace_is_in_the_document() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert "allow_{subscribe,publish,presence,history}_for_{client,subscriber,anonymous}" in text
    rights = product(
        ("subscribe", "publish", "presence", "history"), ("client", "subscriber", "anonymous")
    )
    told = {f"allow_{what}_for_{whom}" for what, whom in rights}
    product_only = {"durable", "personal", "members_only", "typing"}
    options = {field.name for field in msgspec.structs.fields(Namespace)}
    assert {each for each in options - told - product_only if each not in text} == set()
