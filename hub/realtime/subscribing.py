"""How a session enters a channel, stays and leaves: what it missed, its answer, then live.

The order is the promise: the answer is written before the first push of the channel, and nothing
that the answer covers is pushed again. From ``Arrival.settle`` to ``Arrival.join`` nothing waits.
"""

from collections.abc import Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from hub.errors import Unauthenticated
from hub.realtime.codes import (
    ALREADY_SUBSCRIBED,
    BAD_COMMAND,
    BAD_REQUEST,
    EXPIRED,
    INVALID_TOKEN,
    LIMIT_EXCEEDED,
    NOT_AVAILABLE,
    PERMISSION_DENIED,
    TOKEN_EXPIRED,
    UNRECOVERABLE_POSITION,
    WRONG_PROTOCOL,
    Refusal,
)
from hub.realtime.histories import Missed, contiguous
from hub.realtime.namespaces import is_private
from hub.realtime.policies import Grant, Override, Terms, terms_for
from hub.realtime.publication import Position
from hub.realtime.results import fit, wire_publications
from hub.realtime.wire import (
    Empty,
    Reply,
    SubRefreshRequest,
    SubRefreshResult,
    SubscribeRequest,
    SubscribeResult,
    in_range,
)
from hub.realtime.wishes import Wish, wish_of

if TYPE_CHECKING:
    from hub.realtime.channel import Channel
    from hub.realtime.session import Session

__all__ = ["Arrival", "enter", "sub_refresh", "subscribe", "unsubscribe"]

_REJECT_UNRECOVERED = 2


class Arrival(msgspec.Struct):
    """A session that is held before a channel, about to be told so."""

    channel: "Channel"
    request: SubscribeRequest
    terms: Terms
    missed: Missed
    data: bytes = b""
    ttl: int = 0
    wish: Wish | None = None

    def settle(self, session: "Session") -> SubscribeResult:
        """The answer, true at this moment. While others were waited for, the channel may have
        moved on; what arrived meanwhile is part of the answer, or the recovery has failed."""
        channel, terms = self.channel, self.terms
        self._catch_up()
        channel.flush()  # so that the session does not get what its answer already covers
        here = Position(channel.offset, channel.epoch)
        codec, found = session.encoding.codec, self.missed.publications
        if not fit(found, codec):
            self.missed = Missed(here, [], whole=False)
            session.node.call_soon(partial(session.close, WRONG_PROTOCOL))
        recovered = self.recovered
        publications = wire_publications(found, codec, self.wish) if recovered else []
        # Who has everything, but nothing that the filter lets through, stands at the top
        resumes = recovered and not channel.namespace.cache and (publications or not self.wish)
        return SubscribeResult(
            recoverable=terms.recoverable,
            positioned=terms.positioned,
            epoch=here.epoch if self._tells_position else "",
            offset=self.request.offset if resumes else here.offset if self._tells_position else 0,
            publications=publications,
            recovered=recovered,
            was_recovering=self.request.recover,
            expires=bool(self.ttl),
            ttl=self.ttl,
            data=msgspec.Raw(self.data) if self.data else msgspec.UNSET,
            delta=self.wish is not None and self.wish.patches,
        )

    @property
    def recovered(self) -> bool:
        return self.request.recover and self.terms.recoverable and self.missed.whole

    @property
    def _holds_publications(self) -> bool:
        return self.recovered and bool(self.missed.publications)

    @property
    def _tells_position(self) -> bool:
        return self.terms.recoverable or self.terms.positioned

    def _catch_up(self) -> None:
        channel, missed = self.channel, self.missed
        here = Position(channel.offset, channel.epoch)
        if here == missed.top or not missed.whole:
            return
        arrived = channel.arrived_since(missed.top.offset)
        if channel.namespace.cache:
            self.missed = Missed(here, arrived[-1:] or missed.publications, whole=True)
            return
        found = [*missed.publications, *arrived]
        start = self.request.offset
        whole = missed.top.epoch in ("", here.epoch) and contiguous(found, start, here.offset)
        self.missed = Missed(here, found if whole else [], whole=whole)

    def join(self, session: "Session") -> None:
        """Makes the session a member, right after its answer was written."""
        channel = self.channel
        session.subscriptions[channel.name] = channel
        session.accept_terms(channel, self.terms)
        last = self.missed.publications[-1] if self._holds_publications else None
        channel.add(session, listens=self.terms.listens, wish=self.wish, last=last)
        channel.release()
        if channel is session.personal:
            self._acknowledge(session)

    async def announce(self, session: "Session") -> None:
        """Lets the others know."""
        await session.node.present(self.channel, session)

    def abandon(self) -> None:
        """The session does not come in after all."""
        self.channel.release()

    def _acknowledge(self, session: "Session") -> None:
        if not self.recovered:
            return
        session.has_read(self.request.offset)
        reach = [each for each in self.missed.publications if session.node.reaches(each.data)]
        if reach:
            session.owes_acknowledgement(reach[-1].offset)


async def enter(
    session: "Session",
    name: str,
    request: SubscribeRequest,
    grant: Grant | None = None,
    *,
    server_side: bool = False,
    by_connection: bool = False,
) -> Arrival:
    """Stands before a channel that is open to the session. Who calls this answers for that, and
    then calls ``settle`` and ``join``, or ``abandon``. ``by_connection``: the grant is of the
    connection's own token. Raises ``BrokerDown``, ``DatabaseDown``, or ``Refusal`` for a channel
    that cannot be."""
    node = session.node
    namespace = node.namespaces.of(name)
    wish = wish_of(request, namespace)
    override = grant.override if grant else Override()
    terms = terms_for(namespace, request, user=session.user, policy=node.client, override=override)
    ttl = 0
    if grant is not None:
        ttl = session.seconds_until(grant.expires_at)
        ends = session.ends_after(ttl)
        terms = msgspec.structs.replace(terms, granted=by_connection, info=grant.info, ends=ends)
    if server_side:
        terms = msgspec.structs.replace(terms, server_side=True)
    channel = node.channel(name)  # from here on it is held, or let go by what fails
    wants_old = request.recover and terms.recoverable
    missed = await channel.admit(Position(request.offset, request.epoch) if wants_old else None)
    return Arrival(channel, request, terms, missed, grant.data if grant else b"", ttl, wish)


# What a client asks for


def subscribe(
    session: "Session", id: int, request: SubscribeRequest
) -> Coroutine[Any, Any, Reply | None]:
    """Checks what needs nobody else. Raises ``Refusal``."""
    if not request.channel:
        raise Refusal(BAD_COMMAND)
    if not in_range(request.offset):
        raise Refusal(BAD_REQUEST)
    session.node.namespaces.of(request.channel)
    if request.channel in session.subscriptions:
        raise Refusal(ALREADY_SUBSCRIBED)
    others = len(session.subscriptions) - (session.personal is not None)
    if others >= session.node.client.channel_limit:
        raise Refusal(LIMIT_EXCEEDED)
    return _subscribe(session, id, request)


async def _subscribe(session: "Session", id: int, request: SubscribeRequest) -> None:
    grant = await _authorize(session, request)
    arrival = await enter(session, request.channel, request, grant)
    # From here on nothing may wait.
    if session.closed:
        arrival.abandon()
        return
    result = arrival.settle(session)
    if request.flag & _REJECT_UNRECOVERED and request.recover and not result.recovered:
        arrival.abandon()
        raise Refusal(UNRECOVERABLE_POSITION)
    session.reply(Reply(id, subscribe=result))
    arrival.join(session)
    await arrival.announce(session)


async def _authorize(session: "Session", request: SubscribeRequest) -> Grant | None:
    """By token, else by name, options or membership. Raises ``Refusal``."""
    grant = _verify(session, request.channel, request.token) if request.token else None
    if grant is not None:
        return grant
    if is_private(request.channel):
        raise Refusal(PERMISSION_DENIED)
    if not await session.node.permits(session.user, request.channel):
        raise Refusal(PERMISSION_DENIED)
    return None


def _verify(session: "Session", channel: str, token: str) -> Grant | None:
    """What the token gives; None where subscription tokens mean nothing. Raises ``Refusal``."""
    node = session.node
    if node.subscription_tokens is None:
        return None
    try:
        grant = node.subscription_tokens.verify_subscription(
            token, user=session.user, client=session.client, channel=channel
        )
    except Unauthenticated as refused:
        if refused.facts.get("foreign"):
            raise Refusal(INVALID_TOKEN) from None
        expired = refused.facts.get("expired")
        raise Refusal(TOKEN_EXPIRED if expired else PERMISSION_DENIED) from None
    now = node.clock.now().timestamp()
    if grant.expires_at and grant.expires_at <= now and not node.client.insecure:
        raise Refusal(EXPIRED)
    return grant


def unsubscribe(session: "Session", id: int, name: str) -> Reply:
    """Leaves a channel; not being in it is no fault. The server's own are not the client's."""
    if not name:
        raise Refusal(BAD_COMMAND)
    channel = session.subscriptions.get(name)
    if channel is not None:
        if session.is_server_side(channel):
            raise Refusal(PERMISSION_DENIED)
        session.unsubscribe(channel)
    return Reply(id, unsubscribe=Empty())


def sub_refresh(session: "Session", id: int, request: SubRefreshRequest) -> Reply:
    """Takes a fresh token for a subscription. Raises ``Refusal``."""
    if not request.channel:
        raise Refusal(BAD_COMMAND)
    channel = session.subscriptions.get(request.channel)
    if channel is None:
        raise Refusal(PERMISSION_DENIED)
    if session.is_server_side(channel):
        raise Refusal(BAD_COMMAND)
    if not request.token:
        raise Refusal(BAD_REQUEST)
    grant = _verify(session, request.channel, request.token)
    if grant is None:
        raise Refusal(NOT_AVAILABLE)  # subscriptions do not expire where tokens mean nothing
    left = session.seconds_until(grant.expires_at)
    kept = session.terms_of(channel)
    terms = msgspec.structs.replace(kept, info=grant.info, ends=session.ends_after(left))
    session.accept_terms(channel, terms)
    return Reply(id, sub_refresh=SubRefreshResult(expires=bool(left), ttl=left))
