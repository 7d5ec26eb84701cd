"""May this user do this in that channel? The protocol's rules, in the protocol's order.

Nothing here waits: membership that must be looked up is asked by the node in its place between
``may_enter``'s answers. "Anonymous" is the user with the empty name; whatever is allowed to
clients or subscribers still needs the ``_for_anonymous`` option for it.
"""

from hub.realtime.namespaces import Namespace, limited_to

__all__ = ["may_enter", "may_look", "may_publish", "may_read"]


def may_enter(namespace: Namespace, channel: str, user: str) -> bool:
    """Whether ``user`` may subscribe without a token, as far as names and options tell.

    A name limited to users (``room:1#ada,bob``) is open to them and to nobody else, and only
    where the namespace knows such names.
    """
    limited = limited_to(channel)
    if limited is not None:
        return namespace.allow_user_limited_channels and bool(user) and user in limited
    return namespace.allow_subscribe_for_client and (
        bool(user) or namespace.allow_subscribe_for_anonymous
    )


def may_publish(namespace: Namespace, user: str, *, subscribed: bool) -> bool:
    return _allowed(
        user,
        subscribed,
        clients=namespace.allow_publish_for_client,
        subscribers=namespace.allow_publish_for_subscriber,
        anonymous=namespace.allow_publish_for_anonymous,
    )


def may_look(namespace: Namespace, user: str, *, subscribed: bool) -> bool:
    """Whether ``user`` may see who is present, and hear who comes and goes."""
    return _allowed(
        user,
        subscribed,
        clients=namespace.allow_presence_for_client,
        subscribers=namespace.allow_presence_for_subscriber,
        anonymous=namespace.allow_presence_for_anonymous,
    )


def may_read(namespace: Namespace, user: str, *, subscribed: bool) -> bool:
    """Whether ``user`` may read the channel's history."""
    return _allowed(
        user,
        subscribed,
        clients=namespace.allow_history_for_client,
        subscribers=namespace.allow_history_for_subscriber,
        anonymous=namespace.allow_history_for_anonymous,
    )


def _allowed(
    user: str, subscribed: bool, *, clients: bool, subscribers: bool, anonymous: bool
) -> bool:
    return (clients or (subscribers and subscribed)) and (bool(user) or anonymous)
