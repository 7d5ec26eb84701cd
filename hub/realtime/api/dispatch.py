"""From a method's name and its JSON to the JSON of its result."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from hub.errors import HubError
from hub.realtime.api import looking, publishing, sessions
from hub.realtime.api.refusals import Unreadable, bad_request
from hub.realtime.api.requests import (
    BatchRequest,
    Broadcast,
    ChannelOnly,
    ChannelsRequest,
    DisconnectRequest,
    HistoryRequest,
    Nothing,
    OneOfBatch,
    Publish,
    RefreshRequest,
    RpcRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)
from hub.realtime.codes import INTERNAL, METHOD_NOT_FOUND, Disconnect, Error, Refusal

if TYPE_CHECKING:
    from hub.realtime.node import Node

__all__ = ["Answer", "Api"]

logger = logging.getLogger(__name__)

_MOST_COMMANDS = 1_000


class _Method:
    """A method's request and what serves it."""

    def __init__(self, shape: Any, serve: Callable[["Node", Any], Awaitable[object]]) -> None:
        self.decoder = msgspec.json.Decoder(shape)
        self.serve = serve


_METHODS = {
    "publish": _Method(Publish, publishing.publish),
    "broadcast": _Method(Broadcast, publishing.broadcast),
    "subscribe": _Method(SubscribeRequest, sessions.subscribe),
    "unsubscribe": _Method(UnsubscribeRequest, sessions.unsubscribe),
    "disconnect": _Method(DisconnectRequest, sessions.disconnect),
    "refresh": _Method(RefreshRequest, sessions.refresh),
    "presence": _Method(ChannelOnly, looking.presence),
    "presence_stats": _Method(ChannelOnly, looking.presence_stats),
    "history": _Method(HistoryRequest, looking.history),
    "history_remove": _Method(ChannelOnly, looking.history_remove),
    "channels": _Method(ChannelsRequest, sessions.channels),
    "info": _Method(Nothing, sessions.info),
    "rpc": _Method(RpcRequest, looking.rpc),
}
_BATCH = msgspec.json.Decoder(BatchRequest)


class _Old(msgspec.Struct):
    """What the single endpoint of old takes."""

    method: str = ""
    params: msgspec.Raw = msgspec.Raw(b"{}")


_OLD = msgspec.json.Decoder(_Old)


class Answer(msgspec.Struct, frozen=True):
    """The JSON to send; ``error`` where that is what it holds."""

    body: bytes
    error: Error | None = None


class Api:
    """The server API of one node."""

    def __init__(self, node: "Node") -> None:
        self._node = node

    async def call(self, method: str, body: bytes) -> Answer:
        """Serves one request. Raises ``Unreadable``."""
        if method == "batch":
            return await self._batch(_decoded(_BATCH, body))
        known = _METHODS.get(method)
        if known is None:
            return _failed(METHOD_NOT_FOUND)
        outcome = await self._serve(known, _decoded(known.decoder, body or b"{}"))
        if isinstance(outcome, Error):
            return _failed(outcome)
        return Answer(msgspec.json.encode({"result": outcome}))

    async def call_old(self, body: bytes) -> Answer:
        """Serves ``{"method", "params"}``. Raises ``Unreadable``."""
        asked = _decoded(_OLD, body)
        return await self.call(asked.method, bytes(asked.params))

    async def _batch(self, request: BatchRequest) -> Answer:
        if len(request.commands) > _MOST_COMMANDS:
            return _failed(Error(107, f"bad request: more than {_MOST_COMMANDS} commands"))
        if request.parallel:
            replies = await asyncio.gather(*map(self._reply, request.commands))
        else:
            replies = [await self._reply(command) for command in request.commands]
        return Answer(msgspec.json.encode({"replies": replies}))

    async def _reply(self, command: OneOfBatch) -> dict[str, object]:
        for name in command.__struct_fields__:
            given = getattr(command, name)
            if given is not None:
                outcome = await self._serve(_METHODS[name], given)
                return {"error" if isinstance(outcome, Error) else name: outcome}
        return {"error": METHOD_NOT_FOUND}

    async def _serve(self, method: _Method, request: object) -> object:
        """The result, or an ``Error``."""
        try:
            return await method.serve(self._node, request)
        except Refusal as refusal:
            outcome = refusal.outcome
            return outcome if not isinstance(outcome, Disconnect) else bad_request("").outcome
        except HubError as fault:
            logger.warning("a request of the server API failed: %s", fault.message)
        except Exception:
            logger.exception("a request of the server API failed")
        return Error(INTERNAL.code, INTERNAL.message)


def _decoded(decoder: "msgspec.json.Decoder[Any]", body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise Unreadable(str(fault)) from None


def _failed(error: Error) -> Answer:
    # "temporary" is for clients; the server API has code and message
    plain = {"error": {"code": error.code, "message": error.message}}
    return Answer(msgspec.json.encode(plain), error)
