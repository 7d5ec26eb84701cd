"""Commands that come beside their connection: what ``POST /emulation`` brings.

A client without a WebSocket reads one endless answer and sends each later command as a request of
its own, which may reach any node. The session is found by its secret; the node that holds it by
the id that the client was given. What is for another node travels through the broker. A node that
is alive is noted as present there, so that only a dead one is answered by "unknown".
"""

import asyncio
import logging
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from google.protobuf.message import DecodeError

from hub.realtime.errors import BrokerDown
from hub.realtime.ports import Broker
from hub.realtime.protobuf import schema
from hub.realtime.publication import Message

if TYPE_CHECKING:
    from hub.realtime.session import Session

__all__ = ["Emulation", "EmulationRequest"]

logger = logging.getLogger(__name__)

_KIND = b"e"
_RETRY_SECONDS = 1.0
_HEARTBEAT_SECONDS = 20


class _Asked(msgspec.Struct, frozen=True):
    """The request in JSON: the frame is a string of lines."""

    node: str
    session: str
    data: str


class EmulationRequest(msgspec.Struct, frozen=True):
    """A frame for a session, as a client sends it beside its stream."""

    node: str
    session: str
    frame: bytes

    @classmethod
    def read(cls, body: bytes, *, binary: bool) -> "EmulationRequest":
        """Reads the body of a request. Raises ``ValueError`` for one that is none."""
        if not binary:
            asked = msgspec.json.decode(body, type=_Asked)
            return cls(asked.node, asked.session, asked.data.encode())
        try:
            found = schema.EmulationRequest.FromString(body)
        except DecodeError as fault:
            raise ValueError(str(fault)) from None
        return cls(found.node, found.session, found.data)


class _Envelope(msgspec.Struct, frozen=True):
    """A frame on its way to another node; bytes travel as base64, so that any broker carries it."""

    session: str
    frame: bytes


class Emulation:
    """The sessions of one node that are spoken to by requests, and the way to those of others."""

    def __init__(self, broker: Broker, node_id: str) -> None:
        self._broker = broker
        self._sessions: dict[str, Session] = {}
        self.node_id = node_id
        self.address = _address(node_id)

    def register(self, session: "Session") -> str:
        """A secret by which this session is found from now on."""
        secret = secrets.token_urlsafe(24)
        self._sessions[secret] = session
        return secret

    def forget(self, secret: str) -> None:
        self._sessions.pop(secret, None)

    async def deliver(self, request: EmulationRequest) -> bool:
        """Gives a frame to the session it is for. False if no node has that id (any more).

        A session that has ended takes nothing; its stream has told the client. Raises
        ``BrokerDown`` where another node cannot be reached.
        """
        if request.node == self.node_id:
            self._take(request.session, request.frame)
            return True
        address = _address(request.node)
        if not request.node or not await self._broker.presence(address):
            return False
        envelope = msgspec.json.encode(_Envelope(request.session, request.frame))
        await self._broker.announce(address, envelope, kind=_KIND)
        return True

    def receive(self, message: Message) -> None:
        """Takes what another node forwarded."""
        if message.kind != _KIND:
            return
        with suppress(msgspec.DecodeError):
            envelope = msgspec.json.decode(message.publication.data, type=_Envelope)
            self._take(envelope.session, envelope.frame)

    async def keep_present(self) -> None:
        """Listens for other nodes and says again and again that this one is alive."""
        while True:
            try:
                await self._broker.subscribe(self.address)
                await self._broker.enter(self.address, {self.node_id: b"{}"})
                pause: float = _HEARTBEAT_SECONDS
            except BrokerDown as fault:
                logger.warning("this node cannot be found by others: %s", fault.message)
                pause = _RETRY_SECONDS
            await asyncio.sleep(pause)

    async def leave(self) -> None:
        """This node stops: others need not wait for its heartbeat to run out."""
        with suppress(BrokerDown):
            await self._broker.leave(self.address, self.node_id)

    def _take(self, secret: str, frame: bytes) -> None:
        session = self._sessions.get(secret)
        if session is not None:
            session.receive(frame)


def _address(node_id: str) -> str:
    """A channel no client can name: channels of clients are printable."""
    return f"\0node:{node_id}"
