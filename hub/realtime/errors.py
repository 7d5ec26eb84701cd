"""What can go wrong in the real-time server, apart from what its wire protocol has codes for."""

from hub.errors import Unavailable

__all__ = ["BrokerDown"]


class BrokerDown(Unavailable):
    """Redis does not answer; live delivery waits, durable streams are read from PostgreSQL."""

    kind = "broker_down"
