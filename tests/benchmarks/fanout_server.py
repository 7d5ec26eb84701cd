"""A server process of fan-out and storm: the product's door, node, tokens and broker.

``fanout_server.py <signing key file> <Redis URL>`` listens on a free port and prints it. SIGUSR1
makes it collect garbage, so that memory is compared at rest. Only PostgreSQL is missing: the node
runs without durable streams.
"""

import asyncio
import gc
import signal
import socket
import sys
from pathlib import Path

import uvicorn
from litestar import Litestar
from litestar.di import Provide

from channels.websocket import DirectHttpProtocol, DirectWebSocketProtocol, routes
from channels.websocket.doorway import listeners
from hub.clock import SystemClock
from hub.identity import Tokens
from hub.realtime import Node, RedisBroker, product_namespaces
from hub.redis_client import open_redis
from hub.settings import Secret, Settings


class Nowhere:
    """Takes acknowledgements; in the product they go to PostgreSQL."""

    async def delivered(self, user: str, device: str | None, channel: str, offset: int) -> None:
        pass

    async def seen(self, user: str, device: str | None, channel: str, offset: int) -> None:
        pass


async def main(key: Path, redis_url: str) -> None:
    clock = SystemClock()
    settings = Settings.load(
        {
            "HUB_ENV": "test",
            "HUB_DATABASE_URL": "postgresql://unused",
            "HUB_REDIS_URL": redis_url,
            "HUB_MASTER_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "HUB_SIGNING_KEY": key.read_text(),
            "HUB_PAYSTACK_SECRET_KEY": "unused",
            "HUB_AT_API_KEY": "unused",
            "HUB_AT_CALLBACK_TOKEN": "unused-by-this-benchmark",
            "HUB_FCM_SERVICE_ACCOUNT": "{}",
        }
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    async with open_redis(redis_url) as redis:
        node = Node(
            broker=RedisBroker(redis, clock),
            namespaces=product_namespaces(),
            authenticator=Tokens(Secret(key.read_text()), clock),
            acknowledgements=Nowhere(),
            clock=clock,
        )
        app = Litestar(
            routes,
            dependencies={
                "node": Provide(lambda: node, sync_to_thread=False),
                "settings": Provide(lambda: settings, sync_to_thread=False),
            },
            openapi_config=None,
        )
        config = uvicorn.Config(
            app,
            http=DirectHttpProtocol,
            ws=DirectWebSocketProtocol,
            ws_per_message_deflate=False,
            loop="uvloop",
            log_level="error",
            access_log=False,
            lifespan="off",
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, gc.collect)
        async with node.running():
            print(listener.getsockname()[1], flush=True)
            await uvicorn.Server(config).serve(sockets=listeners(listener))


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(Path(sys.argv[1]), sys.argv[2]))
