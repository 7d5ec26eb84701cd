"""A publication on its way to an ephemeral channel, with what the publisher asks for."""

from collections.abc import Mapping

import msgspec

from hub.realtime.namespaces import Namespace

__all__ = ["Outgoing"]


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """``data`` is JSON unless ``binary``.

    With the same ``idempotency_key`` a channel publishes once in five minutes, and answers each
    time what came of it. A ``version`` (0: none) that is not above the last one under the same
    ``version_epoch`` is not published; that needs a stream.
    """

    namespace: Namespace
    channel: str
    data: bytes
    info: bytes = b""
    tags: Mapping[str, str] | None = None
    delta: bool = False
    binary: bool = False
    skip_history: bool = False
    idempotency_key: str = ""
    version: int = 0
    version_epoch: str = ""

    @property
    def kept(self) -> bool:
        """Whether it gets a place in the channel's stream."""
        return self.namespace.numbered and not self.skip_history
