"""Starts the web process and the sandbox under uvicorn.

uvicorn is pinned exactly, because the direct WebSocket transport hooks into its protocol class.
"""

import uvicorn

from hub.settings import Settings

__all__ = ["serve", "serve_sandbox"]

MAX_FRAME = 65_536
_DRAIN_SECONDS = 10


def serve(settings: Settings) -> int:
    """Serves the hub until SIGTERM or SIGINT; sessions are drained with code 3001."""
    from channels.websocket import DirectHttpProtocol, DirectWebSocketProtocol
    from hub.app import create_app

    config = uvicorn.Config(
        create_app(settings),
        host=settings.http.host,
        port=settings.http.port,
        loop="uvloop",
        http=DirectHttpProtocol,
        ws=DirectWebSocketProtocol,
        ws_max_size=MAX_FRAME,
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        access_log=False,  # the paths of callbacks are secrets
        forwarded_allow_ips=settings.http.trusted_proxies,
        server_header=False,
        log_level="warning",
        backlog=4096,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    uvicorn.Server(config).run()
    return 0


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
