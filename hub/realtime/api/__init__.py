"""The server API: what other services may ask of the gateway, under the names of the protocol.

``Api`` knows no HTTP; ``channels.websocket`` brings it requests. Publications to durable channels
are refused, because only the outbox may number them.
"""

from hub.realtime.api.dispatch import Answer, Api
from hub.realtime.api.refusals import Unreadable, status_of

__all__ = ["Answer", "Api", "Unreadable", "status_of"]
