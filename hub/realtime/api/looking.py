"""Commands that read: presence and history of a channel; and the application's procedures."""

from typing import TYPE_CHECKING

import msgspec

from hub.realtime.api.publishing import channel_of
from hub.realtime.api.refusals import bad_request, not_available
from hub.realtime.api.requests import ChannelOnly, HistoryRequest, RpcRequest
from hub.realtime.codes import METHOD_NOT_FOUND, NOT_AVAILABLE, UNRECOVERABLE_POSITION, Refusal
from hub.realtime.ports import Caller
from hub.realtime.publication import Publication

if TYPE_CHECKING:
    from hub.realtime.node import Node

__all__ = ["history", "history_remove", "presence", "presence_stats", "rpc"]

MOST_PUBLICATIONS = 2_000


class _Who(msgspec.Struct):
    user: str = ""


async def presence(node: "Node", request: ChannelOnly) -> dict[str, object]:
    """Raises ``Refusal`` or ``BrokerDown``, as all of them do."""
    present = await _present(node, request.channel)
    return {"presence": {client: msgspec.Raw(info) for client, info in present.items()}}


async def presence_stats(node: "Node", request: ChannelOnly) -> dict[str, object]:
    present = await _present(node, request.channel)
    users = {msgspec.json.decode(info, type=_Who).user for info in present.values()}
    return {"num_clients": len(present), "num_users": len(users)}


async def _present(node: "Node", channel: str) -> dict[str, bytes]:
    if not channel_of(node, channel).presence:
        raise not_available("the namespace keeps no presence")
    return await node.broker.presence(channel)


async def history(node: "Node", request: HistoryRequest) -> dict[str, object]:
    namespace = channel_of(node, request.channel)
    if not namespace.numbered:
        raise not_available("the namespace keeps no history")
    since = request.since
    if request.reverse and since is not None and not since.offset:
        raise bad_request("nothing comes before offset 0")
    limit = MOST_PUBLICATIONS if request.limit < 0 else min(request.limit, MOST_PUBLICATIONS)
    after = since.offset if since else 0
    page = await node.histories.page(
        namespace, request.channel, after=after, limit=limit, reverse=request.reverse
    )
    if since is not None and since.epoch and since.epoch != page.top.epoch:
        raise Refusal(UNRECOVERABLE_POSITION)
    return {
        "publications": [_wire(each) for each in page.publications],
        "offset": page.top.offset,
        "epoch": page.top.epoch,
    }


def _wire(publication: Publication) -> dict[str, object]:
    shown: dict[str, object] = {"offset": publication.offset}
    if publication.binary:
        shown["b64data"] = publication.data  # bytes become base64
    else:
        shown["data"] = msgspec.Raw(publication.data)
    if publication.info:
        shown["info"] = msgspec.Raw(publication.info)
    if publication.tags:
        shown["tags"] = publication.tags
    if publication.time_ms:
        shown["time"] = publication.time_ms
    return shown


async def history_remove(node: "Node", request: ChannelOnly) -> dict[str, object]:
    namespace = channel_of(node, request.channel)
    if not namespace.numbered:
        raise not_available("the namespace keeps no history")
    if namespace.durable:
        raise not_available("durable streams are kept for as long as they were promised")
    await node.broker.remove_history(request.channel)
    return {}


async def rpc(node: "Node", request: RpcRequest) -> dict[str, object]:
    """Calls a procedure of the application, as nobody in particular."""
    if not node.rpc:
        raise Refusal(NOT_AVAILABLE)
    handler = node.rpc.get(request.method)
    if handler is None:
        raise Refusal(METHOD_NOT_FOUND)
    answer = await handler(Caller("", "", None), bytes(request.params))
    return {"data": answer} if answer is not None else {}
