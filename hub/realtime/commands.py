"""What each command of the protocol does.

``begin`` checks a command and answers at once where nothing has to be waited for; otherwise it
returns a coroutine. Refusals are raised as ``Refusal``: an error reply or a disconnect.
"""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from hub.errors import HubError, Unauthenticated
from hub.realtime.codes import (
    ALREADY_SUBSCRIBED,
    BAD_COMMAND,
    BAD_REQUEST,
    CONNECTION_EXPIRED,
    CONNECTION_LIMIT,
    INVALID_TOKEN,
    LIMIT_EXCEEDED,
    METHOD_NOT_FOUND,
    NOT_AVAILABLE,
    PERMISSION_DENIED,
    SEND_NOT_AVAILABLE,
    TOKEN_EXPIRED,
    UNRECOVERABLE_POSITION,
    Error,
    Refusal,
)
from hub.realtime.ports import Caller, ConnectionClaims
from hub.realtime.procedures import BUILT_IN
from hub.realtime.state import State
from hub.realtime.subscribing import subscribe_client, subscribe_personal, wire_publications
from hub.realtime.wire import (
    Command,
    ConnectRequest,
    ConnectResult,
    Empty,
    HistoryRequest,
    HistoryResult,
    PresenceResult,
    PresenceStatsResult,
    PublishRequest,
    RefreshResult,
    Reply,
    RpcRequest,
    RpcResult,
    SubscribeRequest,
    in_range,
)

if TYPE_CHECKING:
    from hub.realtime.channel import Channel
    from hub.realtime.session import Session

__all__ = ["VERSION", "Outcome", "begin"]

VERSION = "bvester-hub 0.1"
MOST_CHANNELS = 128
MOST_HISTORY = 300

Outcome = Reply | Coroutine[Any, Any, Reply | None] | None


def begin(session: "Session", command: Command) -> Outcome:
    """Starts ``command``. Raises ``Refusal``."""
    if command.connect is not None:
        if session.state is not State.NEW:
            raise Refusal(BAD_COMMAND)
        return _connect(session, command.id, command.connect)
    if session.state is not State.LIVE:
        raise Refusal(BAD_COMMAND)
    if command.subscribe is not None:
        return _subscribe(session, command.id, command.subscribe)
    if command.unsubscribe is not None:
        return _unsubscribe(session, command.id, command.unsubscribe.channel)
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
        return _refresh(session, command.id, command.refresh.token)
    if command.sub_refresh is not None:
        return _sub_refresh(session, command.sub_refresh.channel, command.sub_refresh.token)
    if command.send is not None:
        raise Refusal(SEND_NOT_AVAILABLE)
    raise Refusal(BAD_COMMAND)  # ping, or nothing we know


# Connection


def _connect(session: "Session", id: int, request: ConnectRequest) -> Outcome:
    if not request.token or any(not in_range(sub.offset) for sub in request.subs.values()):
        raise Refusal(BAD_COMMAND)
    claims = _verify(session, request.token)
    if session.node.people.full(claims.user):
        raise Refusal(CONNECTION_LIMIT)
    session.identify(claims)
    session.state = State.CONNECTING
    return _enter(session, id, request, claims)


async def _enter(
    session: "Session", id: int, request: ConnectRequest, claims: ConnectionClaims
) -> None:
    arrival = await subscribe_personal(session, request.subs)
    # From here on nothing may wait: what the personal channel brings must follow the reply.
    if session.closed:
        if arrival:
            arrival.abandon()
        return
    left = session.seconds_left(claims)
    subs = {arrival.channel.name: arrival.result} if arrival else {}
    session.reply(
        Reply(
            id,
            connect=ConnectResult(
                client=session.client,
                version=VERSION,
                expires=bool(left),
                ttl=left,
                subs=subs,
                ping=session.node.ping_seconds,
                pong=True,
                session=session.secret,
                node=session.node.emulation.node_id if session.secret else "",
            ),
        )
    )
    session.go_live()
    session.node.tally.connected += 1
    if arrival:
        await arrival.complete(session)


def _verify(session: "Session", token: str) -> ConnectionClaims:
    try:
        return session.node.authenticator.verify_connection(token)
    except Unauthenticated as refused:
        expired = refused.facts.get("expired")
        raise Refusal(TOKEN_EXPIRED if expired else INVALID_TOKEN) from None


def _refresh(session: "Session", id: int, token: str) -> Reply:
    if not token:
        raise Refusal(BAD_COMMAND)
    try:
        claims = _verify(session, token)
    except Refusal as refusal:
        if refusal.outcome == TOKEN_EXPIRED:
            raise Refusal(CONNECTION_EXPIRED) from None
        raise
    if claims.user != session.user:
        raise Refusal(INVALID_TOKEN)
    session.extend(claims)
    left = session.seconds_left(claims)
    result = RefreshResult(session.client, VERSION, expires=bool(left), ttl=left)
    return Reply(id, refresh=result)


def _sub_refresh(session: "Session", channel: str, token: str) -> Reply:
    """Subscriptions here do not expire: permission comes from membership, not from tokens."""
    if session.personal is not None and channel == session.personal.name:
        raise Refusal(BAD_COMMAND)
    if channel not in session.subscriptions:
        raise Refusal(PERMISSION_DENIED)
    raise Refusal(NOT_AVAILABLE if token else BAD_REQUEST)


# Subscriptions


def _subscribe(session: "Session", id: int, request: SubscribeRequest) -> Outcome:
    if not request.channel:
        raise Refusal(BAD_COMMAND)
    if not in_range(request.offset):
        raise Refusal(BAD_REQUEST)
    namespace = session.node.namespaces.of(request.channel)
    if request.channel in session.subscriptions:
        raise Refusal(ALREADY_SUBSCRIBED)
    if len(session.subscriptions) - (session.personal is not None) >= MOST_CHANNELS:
        raise Refusal(LIMIT_EXCEEDED)
    return _subscribe_now(session, id, request, namespace.name)


async def _subscribe_now(
    session: "Session", id: int, request: SubscribeRequest, namespace: str
) -> None:
    if not await session.node.permits(namespace, session.user, request.channel):
        raise Refusal(PERMISSION_DENIED)
    arrival = await subscribe_client(session, request)
    # From here on nothing may wait, as in _enter.
    if session.closed:
        arrival.abandon()
        return
    reject = request.flag & 2 and request.recover and not arrival.result.recovered
    if reject:
        arrival.abandon()
        raise Refusal(UNRECOVERABLE_POSITION)
    session.reply(Reply(id, subscribe=arrival.result))
    await arrival.complete(session)


def _unsubscribe(session: "Session", id: int, name: str) -> Reply:
    if not name:
        raise Refusal(BAD_COMMAND)
    channel = session.subscriptions.get(name)
    if channel is not None and channel is session.personal:
        raise Refusal(PERMISSION_DENIED)
    if channel is not None:
        session.unsubscribe(channel)
    return Reply(id, unsubscribe=Empty())


def _subscribed(session: "Session", name: str) -> "Channel":
    """The channel of a command that only subscribers may give; knows what is allowed there."""
    if not name:
        raise Refusal(BAD_COMMAND)
    session.node.namespaces.of(name)
    channel = session.subscriptions.get(name)
    if channel is None:
        raise Refusal(PERMISSION_DENIED)
    return channel


# Channels


async def _publish(session: "Session", id: int, request: PublishRequest) -> Reply:
    channel = _subscribed(session, request.channel)
    if not bytes(request.data):
        raise Refusal(BAD_REQUEST)
    if not channel.namespace.allow_publish_for_subscriber or channel.namespace.durable:
        raise Refusal(PERMISSION_DENIED)  # durable streams are numbered by the relay alone
    await session.node.broker.publish(
        channel.namespace, channel.name, bytes(request.data), info=session.info
    )
    return Reply(id, publish=Empty())


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
    channel = _subscribed(session, name)
    if not channel.namespace.presence:
        raise Refusal(NOT_AVAILABLE)
    return await session.node.broker.presence(name)


async def _history(session: "Session", id: int, request: HistoryRequest) -> Reply:
    channel = _subscribed(session, request.channel)
    if not channel.namespace.numbered:
        raise Refusal(NOT_AVAILABLE)
    since = request.since
    after = since.offset if since else 0
    if not in_range(after) or (request.reverse and since is not None and not after):
        raise Refusal(BAD_REQUEST)
    limit = MOST_HISTORY if request.limit < 0 else min(request.limit, MOST_HISTORY)
    page = await session.node.histories.page(
        channel.namespace, channel.name, after=after, limit=limit, reverse=request.reverse
    )
    if since is not None and since.epoch and since.epoch != page.top.epoch:
        raise Refusal(UNRECOVERABLE_POSITION)
    found = wire_publications(page.publications)
    result = HistoryResult(found, page.top.epoch, page.top.offset)
    return Reply(id, history=result)


async def _rpc(session: "Session", id: int, request: RpcRequest) -> Reply:
    built_in = BUILT_IN.get(request.method)
    added = session.node.rpc.get(request.method)
    data = bytes(request.data)
    try:
        if built_in is not None:
            answer = await built_in(session, data)
        elif added is not None:
            answer = await added(Caller(session.user, session.client, session.device), data)
        else:
            raise Refusal(METHOD_NOT_FOUND)
    except msgspec.DecodeError:
        raise Refusal(BAD_REQUEST) from None
    except HubError as error:
        raise Refusal(Error(400, error.message)) from None
    result = msgspec.Raw(msgspec.json.encode(answer)) if answer is not None else msgspec.UNSET
    return Reply(id, rpc=RpcResult(result))
