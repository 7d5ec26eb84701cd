"""Starts the web process, the gateway alone, and the sandbox under uvicorn.

uvicorn is pinned exactly, because the direct WebSocket transport hooks into its protocol class.
"""

import gc
import signal
import sys
from contextlib import ExitStack

import uvicorn
from litestar.types import ASGIApp

from hub.settings import GatewaySettings, Settings

__all__ = ["serve", "serve_gateway", "serve_sandbox"]

MAX_FRAME = 65_536
_GRACE_SECONDS = 10


def serve(settings: Settings) -> int:
    """Serves the hub until SIGTERM or SIGINT; live sessions are then sent away by code 3001,
    spread over the drain time."""
    from hub.app import create_app

    _run(
        create_app(settings),
        settings.http.host,
        settings.http.port,
        deflate=settings.realtime.deflate,
        trusted_proxies=settings.http.trusted_proxies,
        drain_seconds=settings.realtime.drain_seconds,
    )
    return 0


def serve_gateway(settings: GatewaySettings) -> int:
    """Serves the real-time gateway alone, with a Valkey of its own where no Redis is given.
    Raises ``ConfigFault`` or ``EmbeddedFault`` with what to do about it."""
    from hub.embedded import embedded_valkey
    from hub.gateway import create_gateway
    from hub.realtime import load_config

    config = load_config(settings.config)
    # When it has stopped, uvicorn sends itself the signal again; the block below must still end
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ExitStack() as stack:
        redis_url = settings.redis_url or stack.enter_context(embedded_valkey(settings.data_dir))
        _run(create_gateway(config, redis_url), settings.host, settings.port)
    return 0


def _run(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    deflate: bool = False,
    trusted_proxies: str | None = None,
    drain_seconds: int = 0,
) -> None:
    """uvicorn with our protocol classes, so that live sessions leave ASGI after their handshake."""
    from channels.websocket import DirectHttpProtocol, DirectWebSocketProtocol, listeners

    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=DirectHttpProtocol,
        ws=DirectWebSocketProtocol,
        ws_max_size=MAX_FRAME,
        ws_per_message_deflate=deflate,
        ws_ping_interval=None,
        access_log=False,  # the paths of callbacks are secrets
        forwarded_allow_ips=trusted_proxies,
        server_header=False,
        log_level="warning",
        backlog=4096,
        timeout_graceful_shutdown=drain_seconds + _GRACE_SECONDS,
    )
    # What was loaded at start never becomes garbage: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    uvicorn.Server(config).run(sockets=listeners(config.bind_socket()))


def serve_sandbox(settings: Settings) -> int:
    """Serves the stand-ins for the outside world. Raises ``SettingsFault`` where they are off."""
    from hub.sandbox import create_sandbox
    from hub.settings import SettingsFault

    if not settings.sandbox.enabled:
        raise SettingsFault("The sandbox is off (HUB_SANDBOX=0).")
    uvicorn.run(
        create_sandbox(settings),
        host=settings.sandbox.host,
        port=settings.sandbox.port,
        loop="uvloop",
        access_log=False,
        server_header=False,
        log_level="warning",
        timeout_graceful_shutdown=3,
    )
    return 0
