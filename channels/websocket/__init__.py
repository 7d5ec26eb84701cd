"""Live delivery over WebSocket, in the Centrifugo client protocol (see ``hub.realtime``), and over
HTTP where WebSockets do not get through (``http_stream``, ``sse``, ``emulation``).

Start uvicorn with ``http=DirectHttpProtocol, ws=DirectWebSocketProtocol`` for the direct
transport; with any other server, or other classes, the same sessions run over ASGI messages.
"""

from channels.websocket.api import api_routes
from channels.websocket.direct import DirectHttpProtocol, DirectWebSocketProtocol
from channels.websocket.doorway import listeners
from channels.websocket.origins import origin_allowed
from channels.websocket.routes import routes

__all__ = [
    "DirectHttpProtocol",
    "DirectWebSocketProtocol",
    "api_routes",
    "listeners",
    "origin_allowed",
    "routes",
]
