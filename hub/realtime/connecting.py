"""How a connection begins and stays good: ``connect`` and ``refresh``.

All channels that the server subscribes (the person's own, those the token grants, those a client
asks to resume and may enter) are in the one reply; between the moment they are settled and the
moment the session is a member nothing waits, so no publication falls between.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hub.errors import Unauthenticated
from hub.realtime.codes import (
    BAD_COMMAND,
    CONNECTION_EXPIRED,
    CONNECTION_LIMIT,
    EXPIRED,
    INSUFFICIENT_STATE,
    INVALID_TOKEN,
    LIMIT_EXCEEDED,
    TOKEN_EXPIRED,
    Refusal,
)
from hub.realtime.namespaces import is_private
from hub.realtime.policies import Credentials, Grant
from hub.realtime.ports import ConnectionClaims
from hub.realtime.state import State
from hub.realtime.subscribing import Arrival, enter
from hub.realtime.wire import (
    ConnectRequest,
    ConnectResult,
    RefreshResult,
    Reply,
    SubscribeRequest,
    in_range,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from hub.realtime.session import Session

__all__ = ["VERSION", "connect", "refresh"]

VERSION = "bvester-hub 0.1"


def connect(
    session: "Session", id: int, request: ConnectRequest
) -> "Coroutine[Any, Any, Reply | None]":
    """Checks who it is; what follows must wait for others. Raises ``Refusal``."""
    if any(not in_range(sub.offset) for sub in request.subs.values()):
        raise Refusal(BAD_COMMAND)
    node = session.node
    claims: ConnectionClaims
    if request.token:
        claims = _verify(session, request.token)
    elif node.client.insecure or node.client.anonymous:
        claims = Credentials()
    else:
        raise Refusal(BAD_COMMAND)
    if claims.expires_at and not node.client.insecure:
        _not_before(session, claims.expires_at)
    if node.people.full(claims.user):
        raise Refusal(CONNECTION_LIMIT)
    if len(request.subs) > node.client.channel_limit:
        raise Refusal(LIMIT_EXCEEDED)  # before anybody is asked about each of them
    grants = _grants(claims)
    _known(session, {*grants, *request.subs})
    session.identify(claims)
    session.state = State.CONNECTING
    return _enter(session, id, request, claims, grants)


async def _enter(
    session: "Session",
    id: int,
    request: ConnectRequest,
    claims: ConnectionClaims,
    grants: Mapping[str, Grant],
) -> None:
    arrivals = await _arrive(session, request.subs, grants)
    # From here on nothing may wait: what the channels bring must follow the reply.
    if session.closed:
        for arrival in arrivals:
            arrival.abandon()
        return
    node, left = session.node, session.seconds_until(claims.expires_at or 0)
    session.reply(
        Reply(
            id,
            connect=ConnectResult(
                client=session.client,
                version=VERSION,
                expires=bool(left),
                ttl=left,
                subs={each.channel.name: each.settle(session) for each in arrivals},
                ping=node.ping_seconds,
                pong=bool(node.ping_seconds and node.client.pong_timeout),
                session=session.secret,
                node=node.emulation.node_id if session.secret else "",
            ),
        )
    )
    session.go_live()
    node.tally.connected += 1
    for arrival in arrivals:
        arrival.join(session)
    for arrival in arrivals:
        await arrival.announce(session)


async def _arrive(
    session: "Session", wanted: Mapping[str, SubscribeRequest], grants: Mapping[str, Grant]
) -> list[Arrival]:
    """Stands before every channel the server subscribes. Raises ``BrokerDown``,
    ``DatabaseDown`` or ``Refusal``; then it stands before none."""
    node = session.node
    own = node.namespaces.personal_channel(session.user)
    channels: dict[str, Grant | None] = {own: None} if own else {}
    channels |= grants
    for name in wanted:
        # What a client resumes was opened to it by a token of before, or by its right to it
        if name not in channels and not is_private(name) and await node.permits(session.user, name):
            channels[name] = None
    if len(channels) > node.client.channel_limit:
        raise Refusal(LIMIT_EXCEEDED)
    arrivals: list[Arrival] = []
    try:
        for name, grant in channels.items():
            request = wanted.get(name) or SubscribeRequest()
            arrival = await enter(
                session, name, request, grant, server_side=name != own, by_connection=name in grants
            )
            arrivals.append(arrival)
            if name == own:
                session.personal = arrival.channel
    except BaseException:
        for arrival in arrivals:
            arrival.abandon()
        session.personal = None
        raise
    return arrivals


def refresh(session: "Session", id: int, token: str) -> Reply | None:
    """Takes a fresh token of the same user. Raises ``Refusal``. A token that grants other channels
    than before makes the client connect again, with 3010."""
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
    if _grants(claims).keys() != session.granted:
        raise Refusal(INSUFFICIENT_STATE)
    session.extend(claims)
    left = session.seconds_until(claims.expires_at or 0)
    result = RefreshResult(session.client, VERSION, expires=bool(left), ttl=left)
    return Reply(id, refresh=result)


def _verify(session: "Session", token: str) -> ConnectionClaims:
    try:
        return session.node.authenticator.verify_connection(token)
    except Unauthenticated as refused:
        expired = refused.facts.get("expired")
        raise Refusal(TOKEN_EXPIRED if expired else INVALID_TOKEN) from None


def _not_before(session: "Session", expires_at: int) -> None:
    """A token may be good longer than the connection that it opens; not the other way round."""
    if expires_at <= session.node.clock.now().timestamp():
        raise Refusal(EXPIRED)


def _grants(claims: ConnectionClaims) -> Mapping[str, Grant]:
    return claims.grants if isinstance(claims, Credentials) else {}


def _known(session: "Session", channels: set[str]) -> None:
    """Nobody may be subscribed to what does not exist."""
    for name in channels:
        try:
            session.node.namespaces.of(name)
        except Refusal:
            raise Refusal(BAD_COMMAND) from None
