"""The messages of the client protocol: what a client may ask and what the server answers.

Field names are the protocol's own, so the JSON codec needs no mapping. A field that is absent is
zero; fields we do not know are ignored, because newer SDKs send some. ``bytes`` of the schema are
embedded JSON here (``msgspec.Raw``), passed on untouched.
"""

from collections.abc import Mapping

import msgspec

from hub.realtime.codes import Error, Unsubscribed

__all__ = [
    "ClientInfo",
    "Command",
    "ConnectRequest",
    "ConnectResult",
    "DisconnectPush",
    "Empty",
    "FilterNode",
    "HistoryRequest",
    "HistoryResult",
    "MessagePush",
    "PresenceResult",
    "PresenceStatsResult",
    "PublishRequest",
    "Push",
    "RefreshPush",
    "RefreshResult",
    "Reply",
    "RpcRequest",
    "RpcResult",
    "StreamPosition",
    "SubRefreshResult",
    "SubscribeRequest",
    "SubscribeResult",
    "WirePublication",
]

NO_DATA = msgspec.Raw(b"")
_MAX_UINT32 = 2**32 - 1
_MAX_OFFSET = 2**53  # SDKs keep offsets in doubles


class _Request(msgspec.Struct):
    pass


class _Result(msgspec.Struct, omit_defaults=True):
    pass


class Empty(_Result):
    """The result of a command that has nothing to say but "done"."""


class FilterNode(msgspec.Struct, frozen=True):
    """A node of a tags filter: a comparison (``op`` empty) or a combination of other nodes.
    Frozen, so that subscriptions with equal filters are found to share them."""

    op: str = ""
    key: str = ""
    cmp: str = ""
    val: str = ""
    vals: tuple[str, ...] = ()
    nodes: "tuple[FilterNode, ...]" = ()


class SubscribeRequest(_Request):
    channel: str = ""
    token: str = ""
    recover: bool = False
    epoch: str = ""
    offset: int = 0
    positioned: bool = False
    recoverable: bool = False
    join_leave: bool = False
    delta: str = ""
    tf: FilterNode | None = None
    flag: int = 0
    data: msgspec.Raw = NO_DATA


class ConnectRequest(_Request):
    token: str = ""
    subs: dict[str, SubscribeRequest] = {}
    name: str = ""
    version: str = ""
    data: msgspec.Raw = NO_DATA
    headers: dict[str, str] = {}


class ChannelRequest(_Request):
    channel: str = ""


class PublishRequest(_Request):
    channel: str = ""
    data: msgspec.Raw = NO_DATA


class StreamPosition(_Request):
    offset: int = 0
    epoch: str = ""


class HistoryRequest(_Request):
    channel: str = ""
    limit: int = 0
    since: StreamPosition | None = None
    reverse: bool = False


class RpcRequest(_Request):
    data: msgspec.Raw = NO_DATA
    method: str = ""


class SendRequest(_Request):
    data: msgspec.Raw = NO_DATA


class RefreshRequest(_Request):
    token: str = ""


class SubRefreshRequest(_Request):
    channel: str = ""
    token: str = ""


class PingRequest(_Request):
    pass


class Command(_Request):
    """One command; the first member that is set is what it asks for. All absent is a pong."""

    id: int = 0
    connect: ConnectRequest | None = None
    subscribe: SubscribeRequest | None = None
    unsubscribe: ChannelRequest | None = None
    publish: PublishRequest | None = None
    presence: ChannelRequest | None = None
    presence_stats: ChannelRequest | None = None
    history: HistoryRequest | None = None
    ping: PingRequest | None = None
    send: SendRequest | None = None
    rpc: RpcRequest | None = None
    refresh: RefreshRequest | None = None
    sub_refresh: SubRefreshRequest | None = None


class ClientInfo(_Result):
    """Who published, joined or is present."""

    user: str = ""
    client: str = ""
    conn_info: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    chan_info: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class WirePublication(_Result):
    data: msgspec.Raw
    info: ClientInfo | msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    offset: int = 0
    tags: Mapping[str, str] | msgspec.UnsetType = msgspec.UNSET
    delta: bool = False
    time: int = 0


class SubscribeResult(_Result):
    recoverable: bool = False
    epoch: str = ""
    publications: list[WirePublication] = []
    recovered: bool = False
    offset: int = 0
    positioned: bool = False
    was_recovering: bool = False
    delta: bool = False
    expires: bool = False
    ttl: int = 0
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class ConnectResult(_Result):
    client: str
    version: str
    expires: bool = False
    ttl: int = 0
    subs: dict[str, SubscribeResult] = {}
    ping: int = 0
    pong: bool = False
    session: str = ""
    node: str = ""


class PresenceResult(_Result):
    presence: dict[str, msgspec.Raw] = {}


class PresenceStatsResult(_Result):
    num_clients: int = 0
    num_users: int = 0


class HistoryResult(_Result):
    publications: list[WirePublication] = []
    epoch: str = ""
    offset: int = 0


class RpcResult(_Result):
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class RefreshResult(_Result):
    client: str = ""
    version: str = ""
    expires: bool = False
    ttl: int = 0


class SubRefreshResult(_Result):
    expires: bool = False
    ttl: int = 0


class Reply(_Result):
    """The answer to the command with the same ``id``: one of the results, or an error."""

    id: int
    error: Error | None = None
    connect: ConnectResult | None = None
    subscribe: SubscribeResult | None = None
    unsubscribe: Empty | None = None
    publish: Empty | None = None
    presence: PresenceResult | None = None
    presence_stats: PresenceStatsResult | None = None
    history: HistoryResult | None = None
    rpc: RpcResult | None = None
    refresh: RefreshResult | None = None
    sub_refresh: SubRefreshResult | None = None


class SubscribePush(_Result):
    """The server has subscribed the connection to a channel."""

    recoverable: bool = False
    epoch: str = ""
    offset: int = 0
    positioned: bool = False
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class DisconnectPush(_Result):
    """Goodbye on a transport that has no close frame."""

    code: int = 0
    reason: str = ""
    reconnect: bool = False


class RefreshPush(_Result):
    expires: bool = False
    ttl: int = 0


class MessagePush(_Result):
    data: msgspec.Raw


class Push(_Result):
    """Something nobody asked for: exactly one of the members says what. Publications, joins and
    leaves have quicker ways (see ``codec``)."""

    channel: str = ""
    unsubscribe: Unsubscribed | None = None
    message: MessagePush | None = None
    subscribe: SubscribePush | None = None
    disconnect: DisconnectPush | None = None
    refresh: RefreshPush | None = None


def in_range(value: int, *, most: int = _MAX_OFFSET) -> bool:
    """Whether a number a client sent is one the protocol allows."""
    return 0 <= value <= most


def valid_id(value: int) -> bool:
    return 0 <= value <= _MAX_UINT32
