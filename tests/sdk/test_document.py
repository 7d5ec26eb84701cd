"""What docs/realtime.md says about the gateway alone is what happens."""

from pathlib import Path

from hub.embedded import Addresses
from hub.redis_client import RedisClient
from tests.sdk.document import examples, running
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
            await chat.until("service says The market opens at nine.")
            await chat.until("left the room 2000")
