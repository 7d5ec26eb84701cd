"""What things are called in Redis.

Everything of a channel shares one hash tag, so that a cluster keeps it on one node and a script
may touch all of it. The tag begins with a colon: a name that begins with ``}`` would otherwise
leave it empty, and an empty tag counts for nothing.
"""

__all__ = ["channel_of", "meta", "outcome", "presence", "pubsub", "stream"]

_PUBSUB = b"rt:c:{:"


def pubsub(channel: str) -> bytes:
    """The pub/sub channel."""
    return _PUBSUB + channel.encode() + b"}"


def channel_of(pubsub: bytes) -> str:
    """Reverses ``pubsub``."""
    return pubsub[len(_PUBSUB) : -1].decode()


def stream(channel: str) -> str:
    return f"rt:s:{{:{channel}}}"


def meta(channel: str) -> str:
    """Where the stream stands: epoch, top, and the last version published."""
    return f"rt:m:{{:{channel}}}"


def presence(channel: str) -> str:
    return f"rt:p:{{:{channel}}}"


def outcome(channel: str, key: str) -> str:
    """What the publish with an idempotency key has come to."""
    return f"rt:i:{{:{channel}}}:{key}"
