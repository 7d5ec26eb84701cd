"""The product's events as an AsyncAPI 3.0 description, made from the catalogue of events.

Whoever adds an event adds its class and says here on which topics it is heard besides its
person's own channel; an event without a place fails the test that compares ``docs/asyncapi.json``
with what is made here. Described from a client's side: it receives.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

import hub.root  # noqa: F401 - brings every capability's events into the catalogue
from hub import __version__
from hub.events import Event, Reach, catalogue

__all__ = ["asyncapi", "asyncapi_json"]

Json = dict[str, Any]


class _Channel(msgspec.Struct, frozen=True, kw_only=True):
    """``address`` with its parameters, and the kinds of events heard there."""

    address: str
    title: str
    description: str
    parameters: Mapping[str, str] = {}
    kinds: tuple[str, ...] = ()


_PERSONAL = _Channel(
    address="personal:#{person_id}",
    title="A person's own channel",
    description="The server subscribes each person to theirs at connect; nobody else may enter.",
    parameters={"person_id": "The person's id, as in `GET /v1/me`."},
    kinds=(
        "escrow.released",
        "identity.pin_changed",
        "identity.session_revoked",
        "identity.signed_in",
        "investment.confirmed",
        "investment.made",
        "investment.refunded",
        "message.sent",
        "offering.failed",
        "offering.funded",
        "payment.failed",
        "payment.settled",
        "ussd.request_done",
        "ussd.request_failed",
    ),
)
_CHANNELS: Mapping[str, _Channel] = {
    "personal": _PERSONAL,
    "offering": _Channel(
        address="offering:{offering_id}",
        title="An offering",
        description="For everybody signed in who watches the offering.",
        parameters={"offering_id": "The offering's id, as in `GET /v1/offerings`."},
        kinds=("investment.made", "offering.failed", "offering.funded"),
    ),
    "conversation": _Channel(
        address="conversation:{conversation_id}",
        title="A conversation",
        description="For its members. Presence, joins and leaves are told here; the text of a "
        "message never is: fetch it.",
        parameters={"conversation_id": "The conversation's id, as in `GET /v1/conversations`."},
        kinds=("message.read", "message.sent", "typing"),
    ),
    "business": _Channel(
        address="business:{business_id}",
        title="A business",
        description="For who runs the business. Open and durable; no kind of event uses it yet.",
        parameters={"business_id": "The business's id."},
    ),
    "ops": _Channel(
        address="ops:{desk}",
        title="Operations",
        description="For operations officers.",
        parameters={"desk": "Which desk: `payments`."},
        kinds=("payment.mismatch",),
    ),
}
_NOWHERE = frozenset({"identity.erased"})
"""Recorded in the audit log, heard by nobody."""


class Typing(msgspec.Struct, frozen=True, kw_only=True):
    """A member writes just now. Not recorded, not recovered; sent by the procedure `typing`."""

    user: str


_Heard: TypeAlias = type[Event] | type[Typing]
_HEAD: Json = {
    "event": {"type": "string", "description": "The kind of event."},
    "id": {
        "type": "string",
        "format": "uuid",
        "description": "The event's id, the same on every channel that brings it.",
    },
    "at": {"type": "integer", "description": "When it was recorded, in Unix milliseconds."},
}


def asyncapi() -> Json:
    """The description as a document. Raises ``ValueError`` for an event without a place and for a
    place without its event."""
    events = {kind: event for kind, event in catalogue().items() if kind not in _NOWHERE}
    told = {kind for channel in _CHANNELS.values() for kind in channel.kinds} - {"typing"}
    if told != set(events):
        raise ValueError(f"hub.asyncapi must name a channel of: {sorted(told ^ set(events))}")
    heard: dict[str, _Heard] = {**dict(sorted(events.items())), "typing": Typing}
    _, shapes = msgspec.json.schema_components(
        heard.values(), ref_template="#/components/schemas/{name}"
    )
    messages = {kind: _message(kind, event) for kind, event in heard.items()}
    schemas = {name: _cleaned(shape) for name, shape in shapes.items()}
    for kind, event in heard.items():
        schemas[event.__name__] = _payload(kind, schemas[event.__name__], event)
    return {
        "asyncapi": "3.0.0",
        "id": "urn:bvester:hub:events",
        "info": {
            "title": "Bvester Hub events",
            "version": __version__,
            "description": "What a client hears of the hub, over the Centrifugo client protocol "
            "(version 2). Every channel is durable: a client continues after the offset it has, "
            "for 30 days. See docs/realtime.md.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "hub": {
                "host": "{host}",
                "pathname": "/connection/websocket",
                "protocol": "wss",
                "description": "Any SDK of the Centrifugo client protocol, JSON or Protobuf.",
                "variables": {"host": {"default": "127.0.0.1:8000"}},
                "security": [{"$ref": "#/components/securitySchemes/connection_token"}],
            }
        },
        "channels": {name: _channel(channel) for name, channel in _CHANNELS.items()},
        "operations": dict(_operations()),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "messages": messages,
            "securitySchemes": {
                "connection_token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The token of `GET /v1/realtime/token`, in the first command.",
                }
            },
        },
    }


def asyncapi_json() -> str:
    """The description as text, always in the same order."""
    encoded = msgspec.json.format(msgspec.json.encode(asyncapi()), indent=2)
    return encoded.decode() + "\n"


def _channel(channel: _Channel) -> Json:
    described: Json = {
        "address": channel.address,
        "title": channel.title,
        "description": channel.description,
        "parameters": {name: {"description": about} for name, about in channel.parameters.items()},
    }
    if channel.kinds:
        described["messages"] = {
            kind: {"$ref": f"#/components/messages/{kind}"} for kind in channel.kinds
        }
    return described


def _operations() -> Iterator[tuple[str, Json]]:
    for name, channel in _CHANNELS.items():
        if channel.kinds:
            yield (
                f"receive_{name}",
                {
                    "action": "receive",
                    "channel": {"$ref": f"#/channels/{name}"},
                    "messages": [
                        {"$ref": f"#/channels/{name}/messages/{kind}"} for kind in channel.kinds
                    ],
                },
            )


def _message(kind: str, event: _Heard) -> Json:
    message: Json = {
        "name": kind,
        "title": event.__name__,
        "summary": _about(event.__doc__ or ""),
        "payload": {"$ref": f"#/components/schemas/{event.__name__}"},
    }
    reach: Reach | None = getattr(event, "reach", None)
    if reach is not None:
        message["x-reach"] = msgspec.to_builtins(reach)
    return message


def _payload(kind: str, fields: Json, event: _Heard) -> Json:
    """The fields of an event behind the head that every event has."""
    head = {**_HEAD, "event": {"const": kind, **_HEAD["event"]}}
    if event is Typing:
        head = {"event": head["event"]}
    return {
        **fields,
        "properties": {**head, **fields["properties"]},
        "required": [*head, *fields["required"]],
    }


def _cleaned(shape: Json) -> Json:
    if "description" in shape:
        return {**shape, "description": _about(shape["description"])}
    return shape


def _about(text: str) -> str:
    return " ".join(text.replace("``", "`").split())
