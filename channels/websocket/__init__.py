"""Live delivery over WebSocket, in the Centrifugo client protocol (see ``hub.realtime``).

Start uvicorn with ``http=DirectHttpProtocol, ws=DirectWebSocketProtocol`` for the direct
transport; with any other server, or other classes, the same sessions run over ASGI messages.
"""

from channels.websocket.direct import DirectHttpProtocol, DirectWebSocketProtocol
from channels.websocket.routes import origin_allowed, routes

__all__ = ["DirectHttpProtocol", "DirectWebSocketProtocol", "origin_allowed", "routes"]
