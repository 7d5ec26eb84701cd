"""Messages of ``hub.realtime.wire`` to Protobuf and back, member by member, by their names.

What the schema does not name is not sent, and what the wire does not name is not read, so a member
added to both needs nothing here. ``bytes`` of the schema are ``msgspec.Raw`` on the wire, passed on
untouched; where the wire holds a ready ClientInfo as JSON, it is taken apart.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

__all__ = ["read", "write"]

T = TypeVar("T")
_Setter = Callable[[Message, Any], None]


def write(value: object, message: Message) -> None:
    """Fills ``message`` from a wire message, or from a Raw that holds one as JSON."""
    if isinstance(value, msgspec.Raw):
        value = _Loose(msgspec.json.decode(value, type=dict[str, msgspec.Raw]))
    for name, put in _setters(message.DESCRIPTOR):
        given = getattr(value, name, None)
        if given and given is not msgspec.UNSET:  # zeros do not travel
            put(message, given)


def read(message: Message, shape: type[T]) -> T:
    """``message`` as a wire message. Raises ``msgspec.ValidationError`` where it does not fit."""
    return msgspec.convert(_plain(message), shape)


class _Loose:
    """A JSON object by its members, each still JSON."""

    def __init__(self, members: Mapping[str, msgspec.Raw]) -> None:
        self._members = members

    def __getattr__(self, name: str) -> object:
        return self._members.get(name)


@cache
def _setters(descriptor: Descriptor) -> list[tuple[str, _Setter]]:
    return [(field.name, _setter(field)) for field in descriptor.fields]


def _setter(field: FieldDescriptor) -> _Setter:
    name = field.name

    def put_scalar(message: Message, value: object) -> None:
        if isinstance(value, msgspec.Raw):
            value = msgspec.json.decode(value)
        setattr(message, name, value)

    def put_bytes(message: Message, value: msgspec.Raw) -> None:
        setattr(message, name, bytes(value))

    def put_message(message: Message, value: object) -> None:
        part: Message = getattr(message, name)
        part.SetInParent()  # present, even if it has nothing to say
        write(value, part)

    def put_messages(message: Message, values: Iterable[object]) -> None:
        for each in values:
            write(each, getattr(message, name).add())

    def put_message_map(message: Message, values: Mapping[str, object]) -> None:
        for key, each in values.items():
            part: Message = getattr(message, name)[key]
            write(each, part)

    def put_scalar_map(message: Message, values: Mapping[str, str]) -> None:
        getattr(message, name).update(values)

    def put_scalars(message: Message, values: Iterable[object]) -> None:
        getattr(message, name).extend(values)

    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        holds_messages = kind.fields_by_name["value"].message_type is not None
        return put_message_map if holds_messages else put_scalar_map
    if field.is_repeated:
        return put_scalars if kind is None else put_messages
    if kind is not None:
        return put_message
    return put_bytes if field.type == FieldDescriptor.TYPE_BYTES else put_scalar


def _plain(message: Message) -> dict[str, Any]:
    """Only what is set, in what ``msgspec.convert`` takes."""
    getters = _getters(message.DESCRIPTOR)
    return {field.name: getters[field.number](value) for field, value in message.ListFields()}


@cache
def _getters(descriptor: Descriptor) -> dict[int, Callable[[Any], Any]]:
    return {field.number: _getter(field) for field in descriptor.fields}


def _getter(field: FieldDescriptor) -> Callable[[Any], Any]:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        if kind.fields_by_name["value"].message_type is None:
            return dict
        return lambda value: {key: _plain(each) for key, each in value.items()}
    if field.is_repeated:
        return list if kind is None else lambda value: [_plain(each) for each in value]
    if kind is not None:
        return _plain
    return msgspec.Raw if field.type == FieldDescriptor.TYPE_BYTES else _same


def _same(value: Any) -> Any:
    return value
