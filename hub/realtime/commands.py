"""What each command of the protocol does.

``begin`` checks a command and answers at once where nothing has to be waited for; otherwise it
returns a coroutine. Refusals are raised as ``Refusal``: an error reply or a disconnect. How a
connection begins is in ``connecting``, how a subscription does in ``subscribing``.
"""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from hub.errors import HubError
from hub.realtime.codes import (
    BAD_COMMAND,
    BAD_REQUEST,
    METHOD_NOT_FOUND,
    NOT_AVAILABLE,
    PERMISSION_DENIED,
    SEND_NOT_AVAILABLE,
    UNRECOVERABLE_POSITION,
    Error,
    Refusal,
)
from hub.realtime.connecting import VERSION, connect, refresh
from hub.realtime.namespaces import Namespace
from hub.realtime.outgoing import Outgoing
from hub.realtime.policies import may_look, may_publish, may_read
from hub.realtime.ports import Caller
from hub.realtime.procedures import BUILT_IN
from hub.realtime.publication import is_json
from hub.realtime.results import wire_publications
from hub.realtime.state import State
from hub.realtime.subscribing import sub_refresh, subscribe, unsubscribe
from hub.realtime.wire import (
    Command,
    Empty,
    HistoryRequest,
    HistoryResult,
    PresenceResult,
    PresenceStatsResult,
    PublishRequest,
    Reply,
    RpcRequest,
    RpcResult,
    in_range,
)

if TYPE_CHECKING:
    from hub.realtime.session import Session

__all__ = ["VERSION", "Outcome", "begin"]

Outcome = Reply | Coroutine[Any, Any, Reply | None] | None


def begin(session: "Session", command: Command) -> Outcome:
    """Starts ``command``. Raises ``Refusal``."""
    if command.connect is not None:
        if session.state is not State.NEW:
            raise Refusal(BAD_COMMAND)
        return connect(session, command.id, command.connect)
    if session.state is not State.LIVE:
        raise Refusal(BAD_COMMAND)
    if command.subscribe is not None:
        return subscribe(session, command.id, command.subscribe)
    if command.unsubscribe is not None:
        return unsubscribe(session, command.id, command.unsubscribe.channel)
    if command.publish is not None:
        return _publish(session, command.id, command.publish)
    if command.presence is not None:
        return _presence(session, command.id, command.presence.channel)
    if command.presence_stats is not None:
        return _presence_stats(session, command.id, command.presence_stats.channel)
    if command.history is not None:
        return _history(session, command.id, command.history)
    if command.rpc is not None:
        return _rpc(session, command.id, command.rpc)
    if command.refresh is not None:
        return refresh(session, command.id, command.refresh.token)
    if command.sub_refresh is not None:
        return sub_refresh(session, command.id, command.sub_refresh)
    if command.send is not None:
        raise Refusal(SEND_NOT_AVAILABLE)
    raise Refusal(BAD_COMMAND)  # ping, or nothing we know


def _namespace(session: "Session", name: str) -> Namespace:
    """The policy of the channel a command names. Raises ``Refusal``."""
    if not name:
        raise Refusal(BAD_COMMAND)
    return session.node.namespaces.of(name)


async def _publish(session: "Session", id: int, request: PublishRequest) -> Reply:
    name, node = request.channel, session.node
    namespace = _namespace(session, name)
    subscribed = name in session.subscriptions
    allowed = node.client.insecure or may_publish(namespace, session.user, subscribed=subscribed)
    if not allowed or namespace.durable:
        raise Refusal(PERMISSION_DENIED)  # durable streams are numbered by the relay alone
    data, info = bytes(request.data), session.info_in(name)
    if not data:
        raise Refusal(BAD_REQUEST)
    if session.encoding.codec.binary and not is_json(data):
        await _publish_binary(session, namespace, name, data)
    else:
        await node.broker.publish(namespace, name, data, info=info)
    return Reply(id, publish=Empty())


async def _publish_binary(session: "Session", namespace: Namespace, name: str, data: bytes) -> None:
    """For the subscribers who can take data that is not JSON; the others are turned away."""
    outgoing = Outgoing(
        namespace=namespace,
        channel=name,
        data=data,
        info=session.info_in(name),
        delta=namespace.delta_publish,
        binary=True,
    )
    for outcome in await session.node.broker.publish_all([outgoing]):
        if isinstance(outcome, Exception):
            raise outcome


async def _presence(session: "Session", id: int, name: str) -> Reply:
    present = await _present(session, name)
    result = {client: msgspec.Raw(info) for client, info in present.items()}
    return Reply(id, presence=PresenceResult(result))


async def _presence_stats(session: "Session", id: int, name: str) -> Reply:
    present = await _present(session, name)
    users = {msgspec.json.decode(info, type=_Who).user for info in present.values()}
    return Reply(id, presence_stats=PresenceStatsResult(len(present), len(users)))


class _Who(msgspec.Struct):
    user: str = ""


async def _present(session: "Session", name: str) -> dict[str, bytes]:
    namespace, node = _namespace(session, name), session.node
    channel = session.subscriptions.get(name)
    subscribed = channel is not None
    if not (node.client.insecure or may_look(namespace, session.user, subscribed=subscribed)):
        raise Refusal(PERMISSION_DENIED)
    here = channel is not None and session.terms_of(channel).presence
    if not (namespace.presence or here):
        raise Refusal(NOT_AVAILABLE)
    return await node.broker.presence(name)


async def _history(session: "Session", id: int, request: HistoryRequest) -> Reply:
    name, node = request.channel, session.node
    namespace = _namespace(session, name)
    subscribed = name in session.subscriptions
    if not (node.client.insecure or may_read(namespace, session.user, subscribed=subscribed)):
        raise Refusal(PERMISSION_DENIED)
    if not namespace.numbered:
        raise Refusal(NOT_AVAILABLE)
    since = request.since
    after = since.offset if since else 0
    if not in_range(after) or (request.reverse and since is not None and not after):
        raise Refusal(BAD_REQUEST)
    most = node.client.history_max_publication_limit
    limit = most if request.limit < 0 else min(request.limit, most)
    page = await node.histories.page(
        namespace, name, after=after, limit=limit, reverse=request.reverse
    )
    if since is not None and since.epoch and since.epoch != page.top.epoch:
        raise Refusal(UNRECOVERABLE_POSITION)
    found = wire_publications(page.publications, session.encoding.codec)
    result = HistoryResult(found, page.top.epoch, page.top.offset)
    return Reply(id, history=result)


async def _rpc(session: "Session", id: int, request: RpcRequest) -> Reply:
    node = session.node
    built_in = BUILT_IN.get(request.method)
    added = node.rpc.get(request.method)
    data = bytes(request.data)
    try:
        if built_in is not None:
            answer = await built_in(session, data)
        elif added is not None:
            answer = await added(Caller(session.user, session.client, session.device), data)
        else:
            raise Refusal(METHOD_NOT_FOUND if node.has_procedures else NOT_AVAILABLE)
    except msgspec.DecodeError:
        raise Refusal(BAD_REQUEST) from None
    except HubError as error:
        raise Refusal(Error(400, error.message)) from None
    result = msgspec.Raw(msgspec.json.encode(answer)) if answer is not None else msgspec.UNSET
    return Reply(id, rpc=RpcResult(result))
