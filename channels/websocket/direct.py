"""uvicorn's protocols, taught to hand a WebSocket over to its session after the handshake.

``DirectWebSocketProtocol`` (uvicorn's ``ws=``) puts ``hub.detach`` into the scope's extensions.
The route accepts, calls it, and returns: the transport then belongs to a ``SlimProtocol`` that
takes this one's place in uvicorn's set of connections. ``DirectHttpProtocol`` (uvicorn's
``http=``) keeps what a client sent right behind its handshake, which uvicorn 0.54 drops. Bytes
are held unparsed until either the route detaches or an ordinary ASGI handler asks for a message,
so nothing is ever half-read by the wrong parser. uvicorn is pinned exactly because of this file.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from channels.websocket.doorway import doorway
from channels.websocket.slim import SlimProtocol
from hub.realtime import Encoding, Node

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent

__all__ = ["DETACH", "HOLD", "DirectHttpProtocol", "DirectWebSocketProtocol"]

DETACH = "hub.detach"
HOLD = "hub.hold"
_SUBPROTOCOL = "Sec-WebSocket-Protocol"
_MOST_EARLY_BYTES = 128 * 1024


class DirectWebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's own protocol up to the accept; from there whatever the route decides."""

    _early = b""
    _asgi_reads = False
    _detached = False

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        # Every browser offers deflate; what is negotiated here would bind the session too. Where
        # it is wanted nevertheless, those connections stay with the parser that knows it.
        if not self.config.ws_per_message_deflate:
            self.conn.available_extensions = []

    def data_received(self, data: bytes) -> None:
        if not self.handshake_initiated or self._asgi_reads:
            super().data_received(data)
            return
        self._early += data
        if len(self._early) > _MOST_EARLY_BYTES:
            self.transport.abort()  # nobody may speak that long before being let in

    def handle_connect(self, event: Request) -> None:
        # Some SDKs send an empty list of subprotocols, which the parser behind refuses.
        offered = [each for each in event.headers.get_all(_SUBPROTOCOL) if each.strip()]
        if _SUBPROTOCOL in event.headers:
            del event.headers[_SUBPROTOCOL]
            for each in offered:
                event.headers[_SUBPROTOCOL] = each
        super().handle_connect(event)
        if self.response.status_code == 101 and not self.conn.extensions:
            extensions = cast("dict[str, Any]", self.scope["extensions"])
            extensions[DETACH] = self._detach

    async def receive(self) -> "ASGIReceiveEvent":
        if self.handshake_complete:
            self._read_for_asgi()
        return await super().receive()

    async def send(self, message: "ASGISendEvent") -> None:
        await super().send(message)
        if message["type"] == "websocket.close":
            self._read_for_asgi()  # or the peer's answer would never be seen

    def _read_for_asgi(self) -> None:
        """The route did not detach: what was held goes to uvicorn's own parser."""
        if not self._asgi_reads:
            self._asgi_reads = True
            early, self._early = self._early, b""
            if early:
                super().data_received(early)

    async def run_asgi(self) -> None:
        await super().run_asgi()
        if self._detached:  # the scope knows us by ``hub.detach``: cut the circle, free the memory
            self.scope["extensions"] = {}

    def _detach(self, node: Node, encoding: Encoding, address: str = "") -> bool:
        """Gives the connection to a new session of ``node``; False if it is gone already."""
        if self.transport.is_closing() or self.disconnected or self._asgi_reads:
            return False
        self.stop_keepalive()
        self._detached = True
        transport, self.transport = self.transport, cast("asyncio.Transport", _Gone())
        connections = cast("Any", self.connections)
        slim = SlimProtocol(node, encoding, transport, connections, address)
        self.connections.discard(self)
        transport.set_protocol(slim)
        early, self._early = self._early, b""
        if early:
            slim.data_received(early)
        return True


class DirectHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, without losing the bytes behind an upgrade request.

    ``hub.hold`` in the scope's extensions is for answers that do not end by themselves: the route
    gives what to call when the server stops, and gets what drops the connection at once.
    """

    _stopping: Callable[[], None] | None = None
    _behind: bytes | None = None

    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)["extensions"] = {HOLD: self._hold}

    def shutdown(self) -> None:
        super().shutdown()
        if self._stopping is not None:
            self._stopping()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stopping = None

    def on_response_complete(self) -> None:
        self._stopping = None
        super().on_response_complete()

    def _upgrade(self) -> None:
        if self.transport.is_closing():
            return  # it gave up waiting
        self.handle_websocket_upgrade()
        behind, self._behind = self._behind, None
        if behind:
            cast("asyncio.Protocol", self.transport.get_protocol()).data_received(behind)

    def _hold(self, stopping: Callable[[], None]) -> Callable[[], None]:
        self._stopping = stopping
        return self.transport.abort

    def data_received(self, data: bytes) -> None:
        if self._behind is not None:
            # It waits at the doorway, and is read meanwhile: otherwise nobody would see it leave
            self._behind += data
            if len(self._behind) > _MOST_EARLY_BYTES:
                self.transport.abort()
            return
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if not self._should_upgrade():
                self._unsupported_upgrade_warning()
                return
            self._behind = data[upgrade.args[0] :]
            doorway().enter(self._upgrade)
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self.send_400_response("Invalid HTTP request received.")


class _Gone:
    """Stands where the transport was, for what uvicorn still does when the route returns."""

    def is_closing(self) -> bool:
        return True

    def close(self) -> None:
        pass
