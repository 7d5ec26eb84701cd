"""Puts the real-time server of a web process together: who may subscribe, who is told what."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from hub.errors import HubError
from hub.identity import get_person
from hub.ids import BusinessId, ConversationId, PersonId, parse_id
from hub.investments import businesses_of
from hub.messaging import is_member
from hub.realtime import ClientPolicy, Limits, Node, product_namespaces
from hub.root import Hub
from hub.settings import Realtime

__all__ = ["limits_of", "open_node"]


@asynccontextmanager
async def open_node(hub: Hub) -> AsyncIterator[Node]:
    """A running node with the product's channels and their doors."""
    node = Node(
        broker=hub.broker,
        namespaces=product_namespaces(),
        authenticator=hub.tokens,
        acknowledgements=hub.acks,
        departed=hub.acks.departed,
        client=ClientPolicy(allowed_origins=hub.settings.http.allowed_origins),
        clock=hub.clock,
        streams=hub.streams,
        limits=limits_of(hub.settings.realtime),
        permissions={
            "conversation": _Members(hub),
            "business": _Owners(hub),
            "ops": _Staff(hub),
        },
    )
    async with node.running():
        yield node


def limits_of(settings: Realtime) -> Limits:
    """What a node allows by the settings."""
    return Limits(
        per_address=settings.per_address,
        per_person=settings.per_person,
        ping_seconds=settings.ping_seconds,
        drain_seconds=settings.drain_seconds,
    )


class _Members:
    """A conversation is open to its members."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def __call__(self, user: str, channel: str) -> bool:
        conversation, person = _subject(channel), _id(user)
        if conversation is None or person is None:
            return False
        async with self._hub.database.connection() as connection:
            return await is_member(connection, ConversationId(conversation), PersonId(person))


class _Owners:
    """A business's own channel is open to who runs it."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def __call__(self, user: str, channel: str) -> bool:
        business, person = _subject(channel), _id(user)
        if business is None or person is None:
            return False
        async with self._hub.database.connection() as connection:
            owned = await businesses_of(connection, PersonId(person))
        return BusinessId(business) in {each.id for each in owned}


class _Staff:
    """Operations channels are open to operations officers."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def __call__(self, user: str, channel: str) -> bool:
        person = _id(user)
        if person is None:
            return False
        async with self._hub.database.connection() as connection:
            return "operations" in (await get_person(connection, PersonId(person))).roles


def _subject(channel: str) -> UUID | None:
    return _id(channel.partition(":")[2])


def _id(text: str) -> UUID | None:
    try:
        return parse_id(text)
    except HubError:
        return None
