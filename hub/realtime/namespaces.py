"""Which channels exist, and what each allows. A channel's namespace is the text before ``:``.

Durable namespaces are numbered by the relay under an epoch kept in PostgreSQL; what Redis has
forgotten is read from there. Ephemeral ones are numbered by Redis itself and may start again.
A namespace with ``members_only`` asks the ``Permission`` of its name; without one it lets nobody
in, so a forgotten entry at the root closes a door and never opens one.
"""

from collections.abc import Iterable, Iterator

import msgspec

from hub.realtime.codes import BAD_REQUEST, UNKNOWN_CHANNEL, Refusal

__all__ = ["Namespace", "Namespaces", "product_namespaces"]

_LONGEST_CHANNEL = 255


class Namespace(msgspec.Struct, frozen=True, kw_only=True):
    """The policy of one namespace.

    ``history_size`` is in publications, ``history_ttl`` in seconds; both bound what Redis keeps.
    ``cache`` recovery gives a subscriber the newest publication only. ``publish`` lets subscribers
    publish, ``typing`` lets them tell that they write. ``allowed_delta_types`` are the forms of
    patches a subscriber may ask for (``fossil``); ``delta_publish`` allows them for every
    publication. ``allow_tags_filter`` lets subscribers choose publications by their tags.
    """

    name: str
    durable: bool = False
    personal: bool = False
    members_only: bool = False
    recovery: bool = True
    cache: bool = False
    history_size: int = 300
    history_ttl: int = 24 * 3600
    presence: bool = False
    join_leave: bool = False
    publish: bool = False
    typing: bool = False
    allowed_delta_types: tuple[str, ...] = ()
    delta_publish: bool = False
    allow_tags_filter: bool = False

    @property
    def numbered(self) -> bool:
        """Whether publications get offsets."""
        return self.history_size > 0 and self.history_ttl > 0

    @property
    def positioned(self) -> bool:
        """Whether a gap matters: subscribers get every publication or are told."""
        return self.numbered and self.recovery and not self.cache


class Namespaces:
    """Finds the namespace of a channel; the first ``personal`` one is subscribed at connect."""

    def __init__(self, namespaces: Iterable[Namespace]) -> None:
        self._by_name = {namespace.name: namespace for namespace in namespaces}
        self.personal = next((each for each in self._by_name.values() if each.personal), None)

    def __iter__(self) -> Iterator[Namespace]:
        return iter(self._by_name.values())

    def of(self, channel: str) -> Namespace:
        """The policy of a channel a client named.

        Raises ``Refusal``: bad request for a name that is too long (255 bytes) or not printable
        ASCII, unknown channel where no namespace has that name.
        """
        if len(channel) > _LONGEST_CHANNEL or not (channel.isascii() and channel.isprintable()):
            raise Refusal(BAD_REQUEST)
        name, separator, rest = channel.partition(":")
        namespace = self._by_name.get(name)
        if namespace is None or not separator or not rest:
            raise Refusal(UNKNOWN_CHANNEL)
        return namespace

    def personal_channel(self, user: str) -> str | None:
        """The channel the server subscribes ``user`` to; None where the product has none."""
        return f"{self.personal.name}:#{user}" if self.personal else None


def product_namespaces() -> Namespaces:
    """The channels of the hub."""
    return Namespaces(
        [
            Namespace(name="personal", durable=True, personal=True, presence=True),
            Namespace(name="offering", durable=True),
            Namespace(name="business", durable=True, members_only=True),
            Namespace(
                name="conversation",
                durable=True,
                members_only=True,
                presence=True,
                join_leave=True,
                typing=True,
            ),
            Namespace(name="market", cache=True, history_size=1),
            Namespace(name="ops", durable=True, members_only=True),
        ]
    )
