"""A gateway of its own process: the real-time server and nothing else of the hub.

Argument: the port; the rest comes from the environment. Tokens are JWTs signed with ``SECRET``.
"""

import sys

import jwt
import msgspec
import uvicorn
import uvloop
from litestar import Litestar
from litestar.di import Provide

from channels.websocket import DirectHttpProtocol, DirectWebSocketProtocol, routes
from hub.clock import SystemClock
from hub.errors import Unauthenticated
from hub.realtime import Namespace, Namespaces, Node, RedisBroker
from hub.redis_client import RedisClient, open_redis
from hub.settings import Settings

SECRET = "a secret of at least thirty-two bytes"
NAMESPACES = [
    Namespace(name="personal", personal=True, presence=True),
    Namespace(name="room", allow_publish_for_subscriber=True, presence=True, join_leave=True),
    Namespace(name="plain", allow_publish_for_subscriber=True, history_size=0, history_ttl=0),
    Namespace(
        name="last", allow_publish_for_subscriber=True, force_recovery_mode="cache", history_size=1
    ),
    Namespace(name="closed", members_only=True),
]


class Claims(msgspec.Struct):
    user: str
    expires_at: int | None
    info: dict[str, object] | None
    device: str | None


class Door:
    def verify_connection(self, token: str) -> Claims:
        try:
            claims = jwt.decode(token, SECRET, algorithms=["HS256"])
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("The token has expired.", expired=True) from None
        except jwt.InvalidTokenError:
            raise Unauthenticated("The token is not valid.") from None
        return Claims(claims["sub"], claims.get("exp"), claims.get("info"), claims.get("device"))


class Acks:
    """Keeps acknowledgements where the test can read them."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def delivered(self, user: str, device: str | None, channel: str, offset: int) -> None:
        await self._redis.set(f"delivered:{user}", offset)

    async def seen(self, user: str, device: str | None, channel: str, offset: int) -> None:
        await self._redis.set(f"seen:{user}", offset)


async def main(port: int) -> None:
    clock, settings = SystemClock(), Settings.load()
    async with open_redis(settings.redis_url) as redis:
        node = Node(
            broker=RedisBroker(redis, clock),
            namespaces=Namespaces(NAMESPACES),
            authenticator=Door(),
            acknowledgements=Acks(redis),
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
            port=port,
            http=DirectHttpProtocol,
            ws=DirectWebSocketProtocol,
            lifespan="off",
            log_level="warning",
        )
        async with node.running():
            await uvicorn.Server(config).serve()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
