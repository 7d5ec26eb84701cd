"""What holds for every connection of a node, whatever the channel."""

import msgspec

__all__ = ["ClientPolicy"]


class ClientPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """``insecure`` asks nobody for anything and lets nothing expire, but a token that is sent must
    still be good: for development only. ``anonymous`` lets a client connect without a token, as
    the user "". ``allowed_origins`` are pages that may connect besides our own; ``*`` is any.

    ``channel_limit`` counts a connection's subscriptions. The two publication limits bound one
    answer of ``history`` and one recovery. ``pong_timeout`` is in seconds; 0: pongs are not asked
    for.
    """

    insecure: bool = False
    anonymous: bool = False
    allowed_origins: tuple[str, ...] = ()
    channel_limit: int = 128
    history_max_publication_limit: int = 300
    recovery_max_publication_limit: int = 2_000
    pong_timeout: int = 8
