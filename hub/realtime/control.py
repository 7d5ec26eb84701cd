"""What one node may ask of all nodes about their sessions and channels, and how each answers.

``answer`` is the same for a question of this node's server API and for one that came over Redis.
"""

import platform
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, assert_never

import msgspec

from hub.realtime.codes import (
    CONNECTION_EXPIRED,
    UNSUBSCRIBED_BY_SERVER,
    Disconnect,
    Refusal,
    Unsubscribed,
)
from hub.realtime.connecting import VERSION
from hub.realtime.policies import Credentials, Grant, Override
from hub.realtime.state import State
from hub.realtime.subscribing import enter
from hub.realtime.wire import Push, SubscribePush, SubscribeRequest

if TYPE_CHECKING:
    from hub.realtime.node import Node
    from hub.realtime.session import Session

__all__ = [
    "NOTHING",
    "About",
    "Channels",
    "End",
    "Info",
    "Prolong",
    "Question",
    "Subscribe",
    "Unsubscribe",
    "about",
    "answer",
]


NOTHING = msgspec.Raw(b"null")


class _Question(msgspec.Struct, frozen=True, kw_only=True, tag_field="ask"):
    pass


class _OfUser(_Question, frozen=True, kw_only=True):
    """Concerns the sessions of ``user``; only that of ``client`` or ``session`` where given."""

    user: str
    client: str = ""
    session: str = ""


class Subscribe(_OfUser, frozen=True, kw_only=True, tag="subscribe"):
    """Puts them into ``channel``. ``info`` and ``data`` are JSON, null for none. With ``recovers``
    they get what came after ``offset`` under ``epoch``."""

    channel: str
    info: msgspec.Raw = NOTHING
    data: msgspec.Raw = NOTHING
    expires_at: int = 0
    override: Override = Override()
    recovers: bool = False
    offset: int = 0
    epoch: str = ""


class Unsubscribe(_OfUser, frozen=True, kw_only=True, tag="unsubscribe"):
    channel: str


class End(_OfUser, frozen=True, kw_only=True, tag="disconnect"):
    """Ends them, but not those whose client id is in ``spared``."""

    code: int
    reason: str
    spared: tuple[str, ...] = ()


class Prolong(_OfUser, frozen=True, kw_only=True, tag="refresh"):
    """Ends them as expired, or sets when they expire (Unix seconds; 0: never) and what others
    see of them from now on (JSON; null: as before)."""

    expired: bool = False
    expires_at: int = 0
    info: msgspec.Raw = NOTHING


class Channels(_Question, frozen=True, kw_only=True, tag="channels"):
    """Answered by the number of members of each channel that fits ``pattern``; empty: all."""

    pattern: str = ""


class Info(_Question, frozen=True, kw_only=True, tag="info"):
    """Answered by an ``About``."""


Question = Subscribe | Unsubscribe | End | Prolong | Channels | Info


class About(msgspec.Struct, frozen=True):
    """A node by its numbers; ``uptime`` is in seconds."""

    uid: str
    name: str
    version: str
    num_clients: int
    num_users: int
    num_channels: int
    num_subs: int
    uptime: int


def _given(json: msgspec.Raw) -> bytes:
    return b"" if json == NOTHING else bytes(json)


async def answer(node: "Node", asked: bytes) -> object:
    """Does what is asked and says what came of it; for commands, to how many sessions it was
    done. Raises ``msgspec.DecodeError``, ``BrokerDown`` or ``DatabaseDown``."""
    question = msgspec.json.decode(asked, type=Question)
    match question:
        case Subscribe():
            return await _subscribe(node, question)
        case Unsubscribe():
            return _unsubscribe(node, question)
        case End():
            return _end(node, question)
        case Prolong():
            return _prolong(node, question)
        case Channels():
            pattern = question.pattern or "*"
            fitting = [each for each in node.channels.values() if fnmatchcase(each.name, pattern)]
            counted = ((each.name, len(each.members)) for each in fitting)
            return {name: members for name, members in counted if members}
        case Info():
            return about(node)
        case _:
            assert_never(question)


def about(node: "Node") -> About:
    """What this node tells of itself."""
    live = [each for each in node.sessions if each.state is State.LIVE]
    return About(
        uid=node.emulation.node_id,
        name=platform.node(),
        version=VERSION,
        num_clients=len(live),
        num_users=len({each.user for each in live}),
        num_channels=len(node.channels),
        num_subs=sum(len(each.subscriptions) for each in live),
        uptime=int(node.now() - node.started_at),
    )


def _concerned(node: "Node", whom: _OfUser) -> Iterator["Session"]:
    for session in list(node.sessions):
        if session.user != whom.user or session.state not in (State.CONNECTING, State.LIVE):
            continue
        if whom.client and session.client != whom.client:
            continue
        if whom.session and session.secret != whom.session:
            continue
        yield session


async def _subscribe(node: "Node", asked: Subscribe) -> int:
    done = 0
    for session in _concerned(node, asked):
        if session.state is State.LIVE and asked.channel not in session.subscriptions:
            done += await _subscribe_session(session, asked)
    return done


async def _subscribe_session(session: "Session", asked: Subscribe) -> bool:
    request = SubscribeRequest(
        asked.channel, recover=asked.recovers, offset=asked.offset, epoch=asked.epoch
    )
    grant = Grant(
        info=_given(asked.info),
        data=_given(asked.data),
        expires_at=asked.expires_at,
        override=asked.override,
    )
    try:
        arrival = await enter(session, asked.channel, request, grant, server_side=True)
    except Refusal:
        return False
    # Not by its token: a fresh token without this channel must not end the connection
    arrival.terms = msgspec.structs.replace(arrival.terms, granted=False)
    if session.closed or asked.channel in session.subscriptions:
        arrival.abandon()
        return False
    # From here on nothing may wait: what the channel brings must follow the push
    result, codec = arrival.settle(session), session.encoding.codec
    push = SubscribePush(
        recoverable=result.recoverable,
        epoch=result.epoch,
        offset=result.offset,
        positioned=result.positioned,
        data=result.data,
    )
    missed = arrival.missed.publications if result.recovered else []
    session.push(
        codec.push(Push(asked.channel, subscribe=push)),
        *(codec.publication(asked.channel, each) for each in missed),
    )
    arrival.join(session)
    await arrival.announce(session)
    return True


def _unsubscribe(node: "Node", asked: Unsubscribe) -> int:
    done = 0
    for session in _concerned(node, asked):
        channel = session.subscriptions.get(asked.channel)
        if channel is not None and channel is not session.personal:
            session.unsubscribe(channel)
            why: Unsubscribed = UNSUBSCRIBED_BY_SERVER
            session.push(session.encoding.codec.unsubscribed(channel.name, why))
            done += 1
    return done


def _end(node: "Node", asked: End) -> int:
    done = 0
    for session in _concerned(node, asked):
        if session.client not in asked.spared:
            session.close(Disconnect(asked.code, asked.reason))
            done += 1
    return done


def _prolong(node: "Node", asked: Prolong) -> int:
    done = 0
    now = node.clock.now().timestamp()
    for session in _concerned(node, asked):
        if asked.expired or (asked.expires_at and asked.expires_at <= now):
            session.close(CONNECTION_EXPIRED)
        else:
            session.extend(Credentials(user=session.user, expires_at=asked.expires_at or None))
            session.shown = _given(asked.info) or session.shown
        done += 1
    return done
