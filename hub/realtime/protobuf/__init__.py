"""The client protocol's Protobuf schema, its framing, and how wire messages map onto it.

``client_pb2`` is generated from ``client.proto``, which says how.
"""

from hub.realtime.protobuf import client_pb2 as schema
from hub.realtime.protobuf.framing import cut, delimited, varint
from hub.realtime.protobuf.mapping import read, write

__all__ = ["cut", "delimited", "read", "schema", "varint", "write"]
