"""The real-time server: sessions, channels and recovery of the Centrifugo client protocol.

Guarantees, for subscribers of a durable channel: every publication once, in order, without a gap,
across lost connections, dead servers and a wiped Redis, for as long as PostgreSQL keeps the
stream; where that cannot be, the client is told to start again (``recovered: false``, 2500,
3010). Sessions are free of I/O; transports live in ``channels.websocket``; Redis is known to
``broker`` alone. What others must provide are the Protocols of ``ports``.
"""

from hub.realtime.broker import RedisBroker
from hub.realtime.codec import JSON, Codec, JsonCodec
from hub.realtime.codec_protobuf import PROTOBUF, ProtobufCodec
from hub.realtime.codes import SHUTDOWN, SLOW, WRONG_PROTOCOL, Disconnect
from hub.realtime.config import RealtimeConfig, load_config, read_config
from hub.realtime.emulation import EmulationRequest
from hub.realtime.encoding import (
    JSON_FRAMES,
    JSON_MESSAGES,
    PROTOBUF_FRAMES,
    PROTOBUF_MESSAGES,
    Encoding,
)
from hub.realtime.errors import BrokerDown, ConfigFault, TokenInvalid
from hub.realtime.limits import Limits
from hub.realtime.metrics import NodeCollector, Tally
from hub.realtime.namespaces import Namespace, Namespaces, product_namespaces
from hub.realtime.node import Node
from hub.realtime.policies import ClientPolicy, Credentials, Grant
from hub.realtime.ports import (
    Acknowledgements,
    Authenticator,
    Broker,
    Caller,
    ConnectionClaims,
    DurableStreams,
    Permission,
    RpcHandler,
    SubscriptionTokens,
    Transport,
)
from hub.realtime.publication import Numbered, Position, Publication
from hub.realtime.session import Session
from hub.realtime.tokens import HmacTokens

__all__ = [
    "JSON",
    "JSON_FRAMES",
    "JSON_MESSAGES",
    "PROTOBUF",
    "PROTOBUF_FRAMES",
    "PROTOBUF_MESSAGES",
    "SHUTDOWN",
    "SLOW",
    "WRONG_PROTOCOL",
    "Acknowledgements",
    "Authenticator",
    "Broker",
    "BrokerDown",
    "Caller",
    "ClientPolicy",
    "Codec",
    "ConfigFault",
    "ConnectionClaims",
    "Credentials",
    "Disconnect",
    "DurableStreams",
    "EmulationRequest",
    "Encoding",
    "Grant",
    "HmacTokens",
    "JsonCodec",
    "Limits",
    "Namespace",
    "Namespaces",
    "Node",
    "NodeCollector",
    "Numbered",
    "Permission",
    "Position",
    "ProtobufCodec",
    "Publication",
    "RealtimeConfig",
    "RedisBroker",
    "RpcHandler",
    "Session",
    "SubscriptionTokens",
    "Tally",
    "TokenInvalid",
    "Transport",
    "load_config",
    "product_namespaces",
    "read_config",
]
