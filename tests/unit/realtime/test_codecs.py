"""Both encodings say the same. Protobuf is read and written here with the official client's own
schema, so that ours is held against it message by message."""

import json
import types
import typing
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from centrifuge.protocol import client_pb2 as official
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st

from hub.realtime import JSON, PROTOBUF, PROTOBUF_FRAMES, Publication
from hub.realtime.codec import Malformed
from hub.realtime.codes import UNSUBSCRIBED_INSUFFICIENT_STATE
from hub.realtime.protobuf import cut, delimited, schema, varint
from hub.realtime.wire import ClientInfo, Command, Push, Reply

WORDS = st.text('abc:#$-é€ "\\\n', min_size=1, max_size=12)
PAYLOADS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
RAW = PAYLOADS.map(lambda value: msgspec.Raw(msgspec.json.encode(value)))
LONG = ("offset", "time")  # 64 bits; the others have 32


def values(kind: Any, name: str) -> st.SearchStrategy[Any]:
    """Whatever a member of this type may hold."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if name == "info":
        return structs(ClientInfo).map(lambda info: msgspec.Raw(msgspec.json.encode(info)))
    if origin is dict and name == "presence":
        return st.dictionaries(WORDS, values(None, "info"), min_size=1, max_size=3)
    if origin in (typing.Union, types.UnionType):
        (kind,) = (part for part in parts if part not in (types.NoneType, msgspec.UnsetType))
        return values(kind, name)
    if origin is tuple:
        return st.lists(values(parts[0], name), min_size=1, max_size=3).map(tuple)
    if origin is list:
        return st.lists(values(parts[0], name), min_size=1, max_size=3)
    if origin is not None:  # a mapping
        return st.dictionaries(WORDS, values(parts[1], name), min_size=1, max_size=3)
    if kind is bool:
        return st.just(True)
    if kind is int:
        return st.integers(1, 2**53 if name in LONG else 2**31 - 1)
    if kind is str:
        return WORDS
    if kind is msgspec.Raw:
        return RAW
    return structs(kind)


@st.composite
def structs(draw: Any, kind: type[Any]) -> Any:
    """A message with some of its members set, none of them to its zero: those do not travel."""
    given = {}
    for field in msgspec.structs.fields(kind):
        if kind.__name__ == "FilterNode" and field.name == "nodes":
            continue  # a tree of one kind; another test goes deep
        if field.required or field.type is msgspec.Raw or draw(st.booleans()):
            given[field.name] = draw(values(field.type, field.name))
    return kind(**given)


def asked(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Messages with exactly one of the members that say what they are about."""
    members = [each for each in msgspec.structs.fields(kind) if each.name not in ("id", "channel")]
    head = {"id": 7} if kind is not Push else {"channel": "a:b"}
    return st.sampled_from(members).flatmap(
        lambda member: values(member.type, member.name).map(
            lambda value: kind(**head, **{member.name: value})
        )
    )


def plain(message: Any) -> Any:
    """An official Protobuf message as the JSON encoding would have it."""
    result = {}
    for field, value in message.ListFields():
        kind = field.message_type
        if kind is not None and kind.GetOptions().map_entry:
            result[field.name] = {
                key: each if isinstance(each, str) else plain(each) for key, each in value.items()
            }
        elif field.is_repeated:
            result[field.name] = [plain(each) for each in value]
        elif kind is not None:
            result[field.name] = plain(value)
        elif field.type == FieldDescriptor.TYPE_BYTES:
            result[field.name] = json.loads(value)
        else:
            result[field.name] = value
    return result


def read_officially(frame: bytes) -> Any:
    (message,) = cut(frame)
    reply = official.Reply()
    reply.ParseFromString(message)
    return plain(reply)


@given(reply=asked(Reply))
def test_a_reply_is_the_same_in_both_encodings(reply: Reply) -> None:
    assert read_officially(PROTOBUF.reply(reply)) == json.loads(JSON.reply(reply))


@given(push=asked(Push))
def test_a_push_is_the_same_in_both_encodings(push: Push) -> None:
    assert read_officially(PROTOBUF.push(push)) == json.loads(JSON.push(push))


@given(
    channel=WORDS,
    publication=st.builds(
        Publication,
        offset=st.integers(0, 2**53),
        data=RAW.map(bytes),
        info=st.just(b"") | structs(ClientInfo).map(msgspec.json.encode),
        time_ms=st.integers(0, 2**45),
        tags=st.none() | st.dictionaries(WORDS, st.text(max_size=5), min_size=1, max_size=3),
    ),
)
def test_a_publication_is_the_same_in_both_encodings(
    channel: str, publication: Publication
) -> None:
    pushed = json.loads(JSON.publication(channel, publication))
    assert read_officially(PROTOBUF.publication(channel, publication)) == pushed
    assert pushed["push"]["pub"]["data"] == json.loads(publication.data)
    for kind in ("join", "leave"):
        info = b'{"user":"u","client":"c","conn_info":{"name":"Ada"}}'
        told = json.loads(JSON.presence_change(channel, kind, info))
        assert read_officially(PROTOBUF.presence_change(channel, kind, info)) == told
    why = UNSUBSCRIBED_INSUFFICIENT_STATE
    ended = json.loads(JSON.unsubscribed(channel, why))
    assert read_officially(PROTOBUF.unsubscribed(channel, why)) == ended


def written_officially(value: Any, message: Any) -> None:
    for field in message.DESCRIPTOR.fields:
        given, kind = getattr(value, field.name, None), field.message_type
        if given is None or given is msgspec.UNSET:
            continue
        if kind is not None and kind.GetOptions().map_entry:
            for key, each in given.items():
                if isinstance(each, str):
                    getattr(message, field.name)[key] = each
                else:
                    written_officially(each, getattr(message, field.name)[key])
        elif field.is_repeated:
            getattr(message, field.name).extend(given)
        elif kind is not None:
            getattr(message, field.name).SetInParent()
            written_officially(given, getattr(message, field.name))
        elif field.type == FieldDescriptor.TYPE_BYTES:
            setattr(message, field.name, bytes(given))
        else:
            setattr(message, field.name, given)


@given(commands=st.lists(asked(Command), min_size=1, max_size=4))
def test_commands_are_understood_the_same_in_both_encodings(commands: list[Command]) -> None:
    lines = [msgspec.json.encode(each) for each in commands]
    frame = b""
    for each in commands:
        message = official.Command()
        written_officially(each, message)
        frame += delimited(message.SerializeToString())
    told, understood = JSON.decode(b"\n".join(lines)), PROTOBUF.decode(frame)
    meant = [json.loads(line) for line in lines]
    assert [json.loads(msgspec.json.encode(each)) for each in told] == meant
    assert [json.loads(msgspec.json.encode(each)) for each in understood] == meant


def test_a_tree_of_filters_is_understood() -> None:
    leaf = {"key": "a", "cmp": "in", "vals": ["x", "y"]}
    tree = {"op": "not", "nodes": [{"op": "and", "nodes": [leaf, {"key": "b", "cmp": "ex"}]}]}
    asks = {"id": 1, "subscribe": {"channel": "a:b", "tf": tree}}
    message = ParseDict(asks, official.Command()).SerializeToString()
    assert PROTOBUF.decode(delimited(message)) == JSON.decode(json.dumps(asks).encode())


def test_bytes_of_a_protobuf_client_need_not_be_json() -> None:
    message = schema.Command(id=1, publish=schema.PublishRequest(channel="a", data=b"\xff\x00\n"))
    (command,) = PROTOBUF.decode(delimited(message.SerializeToString()))
    assert command.publish is not None
    assert bytes(command.publish.data) == b"\xff\x00\n"
    pushed = PROTOBUF.publication("a", Publication(1, b"\xff\x00\n", binary=True))
    (reply,) = cut(pushed)
    assert official.Reply.FromString(reply).push.pub.data == b"\xff\x00\n"


def test_one_zero_byte_is_a_ping_and_a_pong() -> None:
    assert PROTOBUF_FRAMES.ping == b"\x82\x01\x00"
    assert [command.id for command in PROTOBUF.decode(b"\x00\x00")] == [0, 0]


def test_the_worked_example_of_the_protocol() -> None:
    (command,) = PROTOBUF.decode(b"\x04\x08\x01\x22\x00")
    assert (command.id, command.connect) == (
        1,
        Command(connect=JSON.decode(b'{"connect":{}}')[0].connect).connect,
    )


def test_what_the_schema_does_not_know_is_skipped() -> None:
    # A subscribe for a map (number 15), as newer clients send, and a member from the future
    extended = b"\x08\x01" + b"\x2a\x05\x0a\x01a\x78\x01" + b"\xa2\x06\x01x"
    (command,) = PROTOBUF.decode(delimited(extended))
    assert command.subscribe is not None
    assert command.subscribe.channel == "a"


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x01",
        b"\x02\x00",
        b"\x80" * 6,
        b"\xff\xff\xff\xff\x7f" + b"x",
        b"\x02\x08\x80",
        b"\x02\x22\x05",
        b"\x05\x22\x03\x0a\x01\xff",
        b"\x00\x05",
        delimited(b"\x2a" + varint(400) + b"\x6a\x02" * 200),
    ],
)
def test_what_is_no_frame_of_commands_is_malformed(frame: bytes) -> None:
    with pytest.raises(Malformed):
        PROTOBUF.decode(frame)


@given(st.binary(max_size=80))
def test_no_bytes_at_all_do_anything_but_that(frame: bytes) -> None:
    for codec in (JSON, PROTOBUF):
        with suppress(Malformed):
            assert codec.decode(frame)


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_messages_come_out_of_a_frame_as_they_went_in(messages: list[bytes]) -> None:
    assert list(cut(PROTOBUF.join(map(delimited, messages)))) == messages


@given(st.integers(0, 2**53))
def test_a_varint_is_what_the_official_library_writes(number: int) -> None:
    message = schema.Publication(offset=number).SerializeToString()
    assert message[1:] == (varint(number) if number else b"")
