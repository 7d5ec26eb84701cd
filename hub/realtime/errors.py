"""What can go wrong in the real-time server, apart from what its wire protocol has codes for."""

from hub.errors import HubError, Unauthenticated, Unavailable

__all__ = ["BrokerDown", "ConfigFault", "TokenInvalid"]


class BrokerDown(Unavailable):
    """Redis does not answer; live delivery waits, durable streams are read from PostgreSQL."""

    kind = "broker_down"


class TokenInvalid(Unauthenticated):
    """A connection or subscription token does not hold. Facts: ``expired`` where a fresh one
    would do, ``foreign`` where it is somebody else's."""

    kind = "token_invalid"


class ConfigFault(HubError):
    """The file of ``HUB_REALTIME_CONFIG`` does not describe a gateway; the message lists why."""

    kind = "realtime_config"
