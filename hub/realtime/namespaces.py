"""Which channels exist, and what each allows. A channel's namespace is the text before ``:``.

Durable namespaces are numbered by the relay under an epoch kept in PostgreSQL; what Redis has
forgotten is read from there. Ephemeral ones are numbered by Redis itself and may start again.
A namespace with ``members_only`` asks the ``Permission`` of its name; without one it lets nobody
in, so a forgotten entry at the root closes a door and never opens one.

Options are named as in the client protocol's own configuration. Written in code they start from
what the product needs: history, recovery, and a subscriber's right to look around. A file
(``hub.realtime.config``) starts from everything off.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import msgspec

from hub.realtime.codes import BAD_REQUEST, UNKNOWN_CHANNEL, Refusal

__all__ = ["Namespace", "Namespaces", "is_private", "limited_to", "product_namespaces"]

LONGEST_CHANNEL = 255
_DAY = 24 * 3600
_PRIVATE = "$"
_USERS = "#"

Count = Annotated[int, msgspec.Meta(ge=0, le=2**31)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**31)]


class Namespace(msgspec.Struct, frozen=True, kw_only=True):
    """The policy of one namespace; the name is empty for channels without one.

    ``history_size`` is in publications, ``history_ttl`` and ``history_meta_ttl`` in seconds; they
    bound what Redis keeps. ``force_recovery_mode="cache"`` gives a subscriber the newest
    publication only. ``channel_regex`` replaces the rule that names are ASCII. ``typing`` lets
    subscribers tell that they write. ``allowed_delta_types`` are the forms of patches a
    subscriber may ask for (``fossil``); ``delta_publish`` allows them for every publication.
    ``allow_tags_filter`` lets subscribers choose publications by their tags.
    """

    name: str = ""
    channel_regex: str = ""

    # What the product's own channels are
    durable: bool = False
    personal: bool = False
    members_only: bool = False
    typing: bool = False

    # Streams
    history_size: Count = 300
    history_ttl: Seconds = _DAY
    history_meta_ttl: Seconds = 30 * _DAY
    force_recovery: bool = True
    force_recovery_mode: Literal["stream", "cache"] = "stream"
    allow_recovery: bool = False
    force_positioning: bool = True
    allow_positioning: bool = False

    # Who is there
    presence: bool = False
    join_leave: bool = False
    force_push_join_leave: bool = False

    # Who may do what
    allow_subscribe_for_client: bool = True
    allow_subscribe_for_anonymous: bool = False
    allow_publish_for_client: bool = False
    allow_publish_for_subscriber: bool = False
    allow_publish_for_anonymous: bool = False
    allow_presence_for_client: bool = False
    allow_presence_for_subscriber: bool = True
    allow_presence_for_anonymous: bool = False
    allow_history_for_client: bool = False
    allow_history_for_subscriber: bool = True
    allow_history_for_anonymous: bool = False
    allow_user_limited_channels: bool = False

    # What a publication weighs, and who wants it
    allowed_delta_types: tuple[Literal["fossil"], ...] = ()
    delta_publish: bool = False
    allow_tags_filter: bool = False

    @property
    def numbered(self) -> bool:
        """Whether publications get offsets."""
        return self.history_size > 0 and self.history_ttl > 0

    @property
    def cache(self) -> bool:
        """Whether only the newest publication matters."""
        return self.force_recovery_mode == "cache"

    @property
    def positioned(self) -> bool:
        """Whether its channels are followed without a gap. Where a gap cannot be filled, only
        those are told whose subscription is positioned."""
        return self.numbered and not self.cache


class Namespaces:
    """Finds the namespace of a channel.

    ``without`` is the policy of channels without a namespace; None: there are none. ``personal``
    names the namespace ("" for channels without one) of each person's own channel, which the
    server subscribes at connect; by default the first ``personal`` one, if any.
    """

    def __init__(
        self,
        namespaces: Iterable[Namespace],
        *,
        without: Namespace | None = None,
        personal: str | None = None,
    ) -> None:
        self._by_name = {namespace.name: namespace for namespace in namespaces}
        if without is not None:
            self._by_name[""] = without
        if personal is None:
            personal = next((each.name for each in self._by_name.values() if each.personal), None)
        self._personal = personal
        self._patterns = {
            each.name: re.compile(each.channel_regex) for each in self if each.channel_regex
        }

    def __iter__(self) -> Iterator[Namespace]:
        return iter(self._by_name.values())

    def of(self, channel: str) -> Namespace:
        """The policy of a channel a client named.

        Raises ``Refusal``: bad request for a name that is too long (255 bytes) or not printable
        ASCII (or not what ``channel_regex`` wants), unknown channel where no namespace has that
        name.
        """
        plain = channel.isascii() and channel.isprintable()
        if len(channel if plain else channel.encode(errors="replace")) > LONGEST_CHANNEL:
            raise Refusal(BAD_REQUEST)
        name, separator, rest = channel.removeprefix(_PRIVATE).partition(":")
        namespace = self._by_name.get(name if separator else "")
        if namespace is None or (separator and not (name and rest)):
            raise Refusal(UNKNOWN_CHANNEL)
        pattern = self._patterns.get(namespace.name)
        if not (plain if pattern is None else pattern.search(rest if separator else name)):
            raise Refusal(BAD_REQUEST)
        return namespace

    def personal_channel(self, user: str) -> str | None:
        """The channel the server subscribes ``user`` to; None for nobody in particular, and where
        there are no personal channels."""
        if self._personal is None or not user:
            return None
        return f"{self._personal}:#{user}" if self._personal else f"#{user}"


def is_private(channel: str) -> bool:
    """Whether only a token opens the channel: its name starts with ``$``."""
    return channel.startswith(_PRIVATE)


def limited_to(channel: str) -> frozenset[str] | None:
    """The users a name like ``room:1#ada,bob`` is limited to; None where it is not limited."""
    _, separator, users = channel.rpartition(_USERS)
    return frozenset(users.split(",")) if separator else None


def product_namespaces() -> Namespaces:
    """The channels of the hub."""
    return Namespaces(
        [
            Namespace(name="personal", durable=True, personal=True, presence=True),
            Namespace(
                name="offering",
                durable=True,
                allowed_delta_types=("fossil",),
                delta_publish=True,
            ),
            Namespace(name="business", durable=True, members_only=True),
            Namespace(
                name="conversation",
                durable=True,
                members_only=True,
                presence=True,
                join_leave=True,
                typing=True,
            ),
            Namespace(
                name="market",
                force_recovery_mode="cache",
                history_size=1,
                allow_tags_filter=True,
                allowed_delta_types=("fossil",),
                delta_publish=True,
            ),
            Namespace(name="ops", durable=True, members_only=True),
        ]
    )
