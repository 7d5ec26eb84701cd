"""On which terms a session is in a channel: what the namespace forces, what the client asked for
and may have, and what a token says otherwise.

Most subscriptions of a namespace stand on the same, ``ordinary`` terms, and then nothing is kept
for them; ten thousand idle sessions must stay light.
"""

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from hub.realtime.namespaces import Namespace
from hub.realtime.policies.access import may_look, may_read
from hub.realtime.policies.client import ClientPolicy
from hub.realtime.wire import SubscribeRequest

__all__ = ["Credentials", "Grant", "Override", "Standing", "Terms", "ordinary", "terms_for"]


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """Options of the namespace that a token sets differently for one subscription."""

    presence: bool | None = None
    join_leave: bool | None = None
    force_push_join_leave: bool | None = None
    force_recovery: bool | None = None
    force_positioning: bool | None = None


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a token gives for one channel. ``info`` (what others see) and ``data`` (what the
    client gets) are JSON; ``expires_at`` is Unix seconds, 0 for never."""

    info: bytes = b""
    data: bytes = b""
    expires_at: int = 0
    override: Override = Override()


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """``ConnectionClaims`` that also open channels: ``grants`` are subscribed by the server.
    ``meta`` is JSON that stays on the server."""

    user: str = ""
    expires_at: int | None = None
    info: msgspec.Raw | None = None
    device: str | None = None
    grants: Mapping[str, Grant] = {}
    meta: bytes = b""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """The terms of one subscription. ``ends`` is monotonic seconds, 0 for never. ``granted``: by
    the connection's token. ``listens``: comings and goings are pushed to it."""

    recoverable: bool = False
    positioned: bool = False
    presence: bool = False
    join_leave: bool = False
    listens: bool = False
    server_side: bool = False
    granted: bool = False
    info: bytes = b""
    ends: float = 0.0


class Standing:
    """The terms of one session's subscriptions, as far as they are not ordinary; by channel.
    ``ends`` is the earliest end of any, 0 for none."""

    __slots__ = ("_terms", "ends")

    def __init__(self) -> None:
        self._terms: dict[str, Terms] = {}
        self.ends = 0.0

    def of(self, channel: str) -> Terms | None:
        return self._terms.get(channel)

    def keep(self, channel: str, terms: Terms) -> None:
        self._terms[channel] = terms
        self._find_end()

    def drop(self, channel: str) -> None:
        if self._terms.pop(channel, None) is not None:
            self._find_end()

    @property
    def granted(self) -> set[str]:
        """The channels that the connection's token opened."""
        return {channel for channel, terms in self._terms.items() if terms.granted}

    def ended(self, now: float) -> list[str]:
        """The channels whose terms are over."""
        return [name for name, terms in self._terms.items() if terms.ends and now >= terms.ends]

    def _find_end(self) -> None:
        self.ends = min((each.ends for each in self._terms.values() if each.ends), default=0.0)


@lru_cache(maxsize=1024)
def ordinary(namespace: Namespace) -> Terms:
    """The terms of who asks for nothing and shows no token."""
    return _terms(namespace, Override(), SubscribeRequest(), may_look=False, may_read=False)


def terms_for(
    namespace: Namespace,
    request: SubscribeRequest,
    *,
    user: str,
    policy: ClientPolicy,
    override: Override,
) -> Terms:
    """What a subscriber gets of what it asked for."""
    looks = policy.insecure or may_look(namespace, user, subscribed=True)
    reads = policy.insecure or may_read(namespace, user, subscribed=True)
    return _terms(namespace, override, request, may_look=looks, may_read=reads)


def _terms(
    namespace: Namespace,
    override: Override,
    request: SubscribeRequest,
    *,
    may_look: bool,
    may_read: bool,
) -> Terms:
    recovers = namespace.numbered and (
        _chosen(override.force_recovery, namespace.force_recovery)
        or (request.recoverable and (namespace.allow_recovery or may_read))
    )
    positioned = namespace.positioned and (
        recovers
        or _chosen(override.force_positioning, namespace.force_positioning)
        or (request.positioned and (namespace.allow_positioning or may_read))
    )
    announces = _chosen(override.join_leave, namespace.join_leave)
    pushed = _chosen(override.force_push_join_leave, namespace.force_push_join_leave)
    return Terms(
        recoverable=recovers,
        positioned=positioned,
        presence=_chosen(override.presence, namespace.presence),
        join_leave=announces,
        listens=announces and (pushed or (request.join_leave and may_look)),
    )


def _chosen(override: bool | None, otherwise: bool) -> bool:
    return otherwise if override is None else override
