"""The requests of the server API, by the protocol's own names. What is absent is empty.

``data`` and ``info`` are JSON, passed on untouched; ``b64data`` and ``b64info`` stand for bytes.
"""

from typing import Annotated

import msgspec

from hub.realtime.policies import Override

__all__ = [
    "BatchRequest",
    "Broadcast",
    "ChannelOnly",
    "ChannelsRequest",
    "DisconnectRequest",
    "HistoryRequest",
    "Nothing",
    "OneOfBatch",
    "Position",
    "Publish",
    "RefreshRequest",
    "RpcRequest",
    "SubscribeRequest",
    "UnsubscribeRequest",
]

NONE = msgspec.Raw(b"")
Number = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]  # JSON numbers and Lua's are exact to here


class _Content(msgspec.Struct, kw_only=True):
    data: msgspec.Raw = NONE
    b64data: str = ""
    skip_history: bool = False
    tags: dict[str, str] = {}
    idempotency_key: str = ""
    delta: bool = False
    version: Number = 0
    version_epoch: str = ""


class Publish(_Content, kw_only=True):
    channel: str = ""


class Broadcast(_Content, kw_only=True):
    channels: list[str] = []


class Position(msgspec.Struct):
    offset: Number = 0
    epoch: str = ""


class _OfUser(msgspec.Struct, kw_only=True):
    user: str = ""
    client: str = ""
    session: str = ""


class Switch(msgspec.Struct):
    value: bool = False


class Overrides(msgspec.Struct):
    presence: Switch | None = None
    join_leave: Switch | None = None
    force_push_join_leave: Switch | None = None
    force_recovery: Switch | None = None
    force_positioning: Switch | None = None

    def plain(self) -> Override:
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        return Override(**{name: switch.value for name, switch in given.items() if switch})


class SubscribeRequest(_OfUser, kw_only=True):
    channel: str = ""
    data: msgspec.Raw = NONE
    b64data: str = ""
    info: msgspec.Raw = NONE
    b64info: str = ""
    expire_at: Number = 0
    recover_since: Position | None = None
    override: Overrides | None = None


class UnsubscribeRequest(_OfUser, kw_only=True):
    channel: str = ""


class Ending(msgspec.Struct):
    code: int = 0
    reason: str = ""


class DisconnectRequest(_OfUser, kw_only=True):
    whitelist: tuple[str, ...] = ()
    disconnect: Ending | None = None


class RefreshRequest(_OfUser, kw_only=True):
    expired: bool = False
    expire_at: Number = 0
    info: msgspec.Raw = NONE


class ChannelOnly(msgspec.Struct):
    channel: str = ""


class HistoryRequest(msgspec.Struct):
    channel: str = ""
    limit: int = 0
    since: Position | None = None
    reverse: bool = False


class ChannelsRequest(msgspec.Struct):
    pattern: str = ""


class RpcRequest(msgspec.Struct):
    method: str = ""
    params: msgspec.Raw = NONE


class Nothing(msgspec.Struct):
    pass


class OneOfBatch(msgspec.Struct):
    """A command by its only member."""

    publish: Publish | None = None
    broadcast: Broadcast | None = None
    subscribe: SubscribeRequest | None = None
    unsubscribe: UnsubscribeRequest | None = None
    disconnect: DisconnectRequest | None = None
    refresh: RefreshRequest | None = None
    presence: ChannelOnly | None = None
    presence_stats: ChannelOnly | None = None
    history: HistoryRequest | None = None
    history_remove: ChannelOnly | None = None
    channels: ChannelsRequest | None = None
    info: Nothing | None = None
    rpc: RpcRequest | None = None


class BatchRequest(msgspec.Struct):
    commands: list[OneOfBatch] = []
    parallel: bool = False
