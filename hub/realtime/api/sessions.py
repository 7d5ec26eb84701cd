"""Commands about a person's sessions, wherever they are, and questions to all nodes.

They wait for the other nodes a second at most. A command that a node did not confirm in that time
may still take effect there.
"""

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from hub.realtime.api.publishing import bytes_of, channel_of
from hub.realtime.api.refusals import bad_request, not_available
from hub.realtime.api.requests import (
    ChannelsRequest,
    DisconnectRequest,
    Nothing,
    RefreshRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)
from hub.realtime.codes import FORCE_DISCONNECT
from hub.realtime.control import (
    NOTHING,
    About,
    Channels,
    End,
    Info,
    Prolong,
    Subscribe,
    Unsubscribe,
)
from hub.realtime.policies import Override
from hub.realtime.publication import is_json

if TYPE_CHECKING:
    from hub.realtime.node import Node

__all__ = ["channels", "disconnect", "info", "refresh", "subscribe", "unsubscribe"]

Done = dict[str, object]


async def subscribe(node: "Node", request: SubscribeRequest) -> Done:
    """Raises ``Refusal`` or ``BrokerDown``, as all of them do."""
    _user(request.user)
    channel_of(node, request.channel)
    since = request.recover_since
    await node.peers.ask(
        Subscribe(
            user=request.user,
            client=request.client,
            session=request.session,
            channel=request.channel,
            info=_json(request.info, request.b64info, "info"),
            data=_json(request.data, request.b64data, "data"),
            expires_at=request.expire_at,
            override=request.override.plain() if request.override else Override(),
            recovers=since is not None,
            offset=since.offset if since else 0,
            epoch=since.epoch if since else "",
        )
    )
    return {}


async def unsubscribe(node: "Node", request: UnsubscribeRequest) -> Done:
    _user(request.user)
    channel_of(node, request.channel)
    if request.channel == node.namespaces.personal_channel(request.user):
        raise not_available("a person's own channel lasts as long as the connection")
    await node.peers.ask(
        Unsubscribe(
            user=request.user,
            client=request.client,
            session=request.session,
            channel=request.channel,
        )
    )
    return {}


async def disconnect(node: "Node", request: DisconnectRequest) -> Done:
    _user(request.user)
    ending = request.disconnect
    code = ending.code if ending and ending.code else FORCE_DISCONNECT.code
    if not 3000 <= code <= 4999:
        raise bad_request("disconnect codes are from 3000 to 4999")
    reason = ending.reason if ending and ending.reason else FORCE_DISCONNECT.reason
    if len(reason.encode()) > 123:
        raise bad_request("a reason has at most 123 bytes")
    await node.peers.ask(
        End(
            user=request.user,
            client=request.client,
            session=request.session,
            code=code,
            reason=reason,
            spared=request.whitelist,
        )
    )
    return {}


async def refresh(node: "Node", request: RefreshRequest) -> Done:
    _user(request.user)
    await node.peers.ask(
        Prolong(
            user=request.user,
            client=request.client,
            session=request.session,
            expired=request.expired,
            expires_at=request.expire_at,
            info=_json(request.info, "", "info"),
        )
    )
    return {}


async def channels(node: "Node", request: ChannelsRequest) -> Done:
    counted: Counter[str] = Counter()
    for told in await node.peers.ask(Channels(pattern=request.pattern)):
        counted.update(msgspec.json.decode(told, type=dict[str, int]))
    return {"channels": {name: {"num_clients": count} for name, count in counted.items()}}


async def info(node: "Node", request: Nothing) -> Done:
    """All nodes that live: as they answer now, else as they told of themselves last."""
    told = [*await node.peers.known(), *await node.peers.ask(Info())]
    nodes = {each.uid: each for each in (msgspec.json.decode(one, type=About) for one in told)}
    return {"nodes": list(nodes.values())}


def _user(user: str) -> None:
    if not user:
        raise bad_request("user is missing")


def _json(data: msgspec.Raw, encoded: str, name: str) -> msgspec.Raw:
    given = bytes_of(data, encoded, name, needed=False)
    if given and not is_json(given):
        raise bad_request(f"{name} must be JSON")
    return msgspec.Raw(given) if given else NOTHING
