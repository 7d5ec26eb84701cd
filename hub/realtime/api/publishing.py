"""``publish`` and ``broadcast``: one round trip to Redis each, however many channels."""

import base64
import binascii
from typing import TYPE_CHECKING

import msgspec

from hub.realtime.api.refusals import bad_request, not_available
from hub.realtime.api.requests import Broadcast, Publish
from hub.realtime.codes import INTERNAL, Error, Refusal
from hub.realtime.namespaces import Namespace
from hub.realtime.outgoing import Outgoing
from hub.realtime.publication import is_json

if TYPE_CHECKING:
    from hub.realtime.node import Node

__all__ = ["broadcast", "bytes_of", "channel_of", "publish"]

_MOST_CHANNELS = 10_000


class Published(msgspec.Struct, omit_defaults=True):
    """Where the publication stands; both absent where it is in no stream."""

    offset: int = 0
    epoch: str = ""


async def publish(node: "Node", request: Publish) -> Published:
    """Raises ``Refusal`` or ``BrokerDown``."""
    namespace = channel_of(node, request.channel)
    outgoing = _outgoing(namespace, request.channel, request)
    (outcome,) = await node.broker.publish_all([outgoing])
    if isinstance(outcome, Exception):
        raise outcome
    return Published(outcome.offset, outcome.epoch) if outcome else Published()


async def broadcast(node: "Node", request: Broadcast) -> dict[str, object]:
    """Each channel has its own outcome, in the order of ``channels``."""
    if not request.channels:
        raise bad_request("channels are missing")
    if len(request.channels) > _MOST_CHANNELS:
        raise bad_request(f"more than {_MOST_CHANNELS} channels")
    bytes_of(request.data, request.b64data, "data")  # or there is nothing to publish anywhere
    responses: list[dict[str, object]] = [{} for _ in request.channels]
    batch: list[Outgoing] = []
    places: list[int] = []
    for place, channel in enumerate(request.channels):
        try:
            batch.append(_outgoing(channel_of(node, channel), channel, request))
            places.append(place)
        except Refusal as refusal:
            responses[place]["error"] = refusal.outcome
    outcomes = await node.broker.publish_all(batch) if batch else []
    for place, outcome in zip(places, outcomes, strict=True):
        if isinstance(outcome, Exception):
            responses[place]["error"] = Error(INTERNAL.code, INTERNAL.message)
        else:
            result = Published(outcome.offset, outcome.epoch) if outcome else Published()
            responses[place]["result"] = result
    return {"responses": responses}


def channel_of(node: "Node", channel: str) -> Namespace:
    """The policy of the channel a request names. Raises ``Refusal``."""
    if not channel:
        raise bad_request("channel is missing")
    return node.namespaces.of(channel)


def bytes_of(data: msgspec.Raw, encoded: str, name: str, *, needed: bool = True) -> bytes:
    """What ``data`` or ``b64data`` holds. Raises ``Refusal``."""
    if encoded:
        try:
            return base64.b64decode(encoded, validate=True)
        except binascii.Error:
            raise bad_request(f"b64{name} is not base64") from None
    if needed and not bytes(data):
        raise bad_request(f"{name} is missing")
    return bytes(data)


def _outgoing(namespace: Namespace, channel: str, request: Publish | Broadcast) -> Outgoing:
    if namespace.durable:
        raise not_available(
            f"the namespace {namespace.name} is durable, and only the hub's own events are"
            " published there, in the order of its ledger of events"
        )
    data = bytes_of(request.data, request.b64data, "data")
    return Outgoing(
        namespace=namespace,
        channel=channel,
        data=data,
        tags=request.tags or None,
        delta=request.delta or namespace.delta_publish,
        binary=bool(request.b64data) and not is_json(data),
        skip_history=request.skip_history,
        idempotency_key=request.idempotency_key,
        version=request.version,
        version_epoch=request.version_epoch,
    )
