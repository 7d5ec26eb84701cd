"""What the server says to clients that speak badly, byte by byte."""

import asyncio
import base64
import json
import os
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from channels.websocket import DirectWebSocketProtocol
from channels.websocket.slim import SlimProtocol
from hub.clock import SystemClock
from hub.realtime.protobuf import cut, delimited, schema

CLOCK = SystemClock()


async def closing_code(socket: ClientConnection) -> tuple[int, str]:
    """Reads until the server closes; the code and reason it gave."""
    with suppress(ConnectionClosed):
        async with asyncio.timeout(15):
            while True:
                await socket.recv()
    assert socket.close_code is not None
    return socket.close_code, socket.close_reason or ""


async def connected(hub: Any, token: str) -> ClientConnection:
    socket = await connect(hub.url, proxy=None)
    await socket.send(json.dumps({"id": 1, "connect": {"token": token}}))
    assert "connect" in json.loads(await socket.recv())
    return socket


def pass_time(hub: Any, seconds: float) -> None:
    """The node believes that much time has passed."""
    hub.node.now = lambda: CLOCK.monotonic() + seconds


def masked(opcode: int, payload: bytes, *, first: int = 0x80) -> bytes:
    head = bytes((first | opcode,))
    if len(payload) < 126:
        head += bytes((0x80 | len(payload),))
    elif len(payload) < 65536:
        head += b"\xfe" + len(payload).to_bytes(2, "big")
    else:
        head += b"\xff" + len(payload).to_bytes(8, "big")
    return head + b"\0\0\0\0" + payload


def handshake(port: int, **headers: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        "GET /connection/websocket HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


@pytest.mark.parametrize(
    "frame",
    [
        "garbage",
        "",
        "\n",
        "[]",
        '{"id":1}',
        '{"id":1,"subscribe":{"channel":"offering:x"}}',
        '{"id":"one","connect":{"token":"a"}}',
        '{"id":-1,"connect":{"token":"a"}}',
        '{"id":1,"connect":{}}',
        "{}",
        '{"id":1,"connect":{"token":"a","subs":{"x":{"offset":-1}}}}',
    ],
)
async def test_a_first_frame_that_is_no_connect_ends_the_connection(hub: Any, frame: str) -> None:
    async with connect(hub.url, proxy=None) as socket:
        await socket.send(frame)
        assert await closing_code(socket) == (3501, "bad request")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ('{"id":2,"connect":{"token":"a"}}', 3501),
        ("{}", 3501),
        ('{"id":2,"ping":{}}', 3501),
        ('{"id":2,"unheard_of":{}}', 3501),
        ('{"id":2,"subscribe":{"channel":""}}', 3501),
        ('{"id":2,"refresh":{}}', 3501),
        ('{"id":2,"refresh":{"token":"somebody-else"}}', 3500),
        ('{"id":2,"refresh":{"token":"expired"}}', 3005),
        ('{"send":{"data":{}}}', 3508),
        ('{"id":2,"subscribe":{"channel":"offering:x"}', 3501),
    ],
)
async def test_a_live_connection_that_misbehaves_is_ended(
    hub: Any, person: UUID, frame: str, code: int
) -> None:
    socket = await connected(hub, str(person))
    await socket.send(frame)
    assert (await closing_code(socket))[0] == code


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"subscribe": {"channel": "nowhere:x"}}, 102),
        ({"subscribe": {"channel": "nowhere"}}, 102),
        ({"subscribe": {"channel": "offering:" + "x" * 250}}, 107),
        ({"subscribe": {"channel": "offering:é"}}, 107),
        ({"subscribe": {"channel": "offering:x", "offset": -1}}, 107),
        ({"subscribe": {"channel": "conversation:of-others"}}, 103),
        ({"subscribe": {"channel": "business:1"}}, 103),
        ({"subscribe": {"channel": "personal:#somebody"}}, 103),
        ({"history": {"channel": "offering:x"}}, 103),
        ({"presence": {"channel": "offering:x"}}, 103),
        ({"publish": {"channel": "offering:x", "data": {}}}, 103),
        ({"rpc": {"method": "nothing"}}, 104),
        ({"rpc": {"method": "ack", "data": {"offset": "x"}}}, 107),
        ({"rpc": {"method": "ack"}}, 107),
        ({"rpc": {"method": "typing", "data": {"channel": "offering:x"}}}, 103),
        ({"sub_refresh": {"channel": "offering:x", "token": "t"}}, 103),
    ],
)
async def test_a_refused_command_gets_its_error_and_the_connection_lives_on(
    hub: Any, person: UUID, command: dict[str, Any], code: int
) -> None:
    socket = await connected(hub, str(person))
    await socket.send(json.dumps({"id": 2, **command}))
    reply = json.loads(await socket.recv())
    assert (reply["id"], reply["error"]["code"]) == (2, code)
    await socket.send('{"id":3,"unsubscribe":{"channel":"offering:never"}}')
    assert json.loads(await socket.recv()) == {"id": 3, "unsubscribe": {}}
    await socket.close()


async def test_subscribing_twice_or_too_often_is_refused(hub: Any, person: UUID) -> None:
    socket = await connected(hub, str(person))
    wanted = [f"offering:{n}" for n in range(129)]
    wanted.insert(1, "offering:0")
    commands = (json.dumps({"id": i, "subscribe": {"channel": c}}) for i, c in enumerate(wanted, 2))
    await socket.send("\n".join(commands))
    replies: list[Any] = []
    while len(replies) < len(wanted):
        replies += map(json.loads, str(await socket.recv()).split("\n"))
    errors = {reply["id"]: reply["error"]["code"] for reply in replies if "error" in reply}
    assert errors == {3: 105, 131: 106}
    await socket.close()


async def test_unsubscribing_and_subscribing_in_one_frame_works_in_order(
    hub: Any, person: UUID
) -> None:
    socket = await connected(hub, str(person))
    await socket.send(
        '{"id":2,"subscribe":{"channel":"offering:x"}}\n'
        '{"id":3,"unsubscribe":{"channel":"offering:x"}}\n'
        '{"id":4,"subscribe":{"channel":"offering:x"}}\n'
    )
    replies = [json.loads(await socket.recv()) for _ in range(3)]
    assert [reply["id"] for reply in replies] == [2, 3, 4]
    assert not any("error" in reply for reply in replies)
    await hub.append("offering:x", {"event": "test.ticked", "n": 1})
    push = json.loads(await socket.recv())
    assert push == {
        "push": {
            "channel": "offering:x",
            "pub": {"data": {"event": "test.ticked", "n": 1}, "offset": 1, "time": 1},
        }
    }
    await socket.close()


async def test_a_message_over_64_kib_is_refused(hub: Any) -> None:
    async with connect(hub.url, proxy=None) as socket:
        await socket.send("x" * 65_537)
        assert (await closing_code(socket))[0] == 1009


async def test_a_connection_that_never_connects_is_stale(hub: Any) -> None:
    async with connect(hub.url, proxy=None) as socket:
        pass_time(hub, 11)
        assert await closing_code(socket) == (3502, "stale")


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (masked(1, b"x" * 65_537), 1009),
        (masked(1, b"x" * 40_000, first=0) + masked(0, b"x" * 40_000), 1009),
        (b"\x81\x02hi", 1002),
        (masked(1, b"hi", first=0xC0), 1002),
        (masked(3, b""), 1002),
        (masked(0, b"unexpected"), 1002),
        (masked(1, b"a", first=0) + masked(1, b"b"), 1002),
        (masked(9, b"x" * 126), 1002),
        (masked(9, b"", first=0), 1002),
        (masked(1, b"\xff\xfe"), 1007),
        (b"\x00\xff\x17garbage\x99" * 3, 1002),
    ],
)
async def test_frames_against_the_websocket_standard_close_with_its_codes(
    direct_hub: Any, frames: bytes, code: int
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", direct_hub.port)
    writer.write(handshake(direct_hub.port))
    assert b"101" in await reader.readuntil(b"\r\n\r\n")
    writer.write(frames)
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer[0] == 0x88
    assert int.from_bytes(answer[2:4], "big") == code
    writer.close()


async def test_a_command_in_the_handshakes_own_segment_is_answered(
    direct_hub: Any, person: UUID
) -> None:
    connect_command = json.dumps({"id": 1, "connect": {"token": str(person)}}).encode()
    for size in (None, 1, 5, len(connect_command)):
        reader, writer = await asyncio.open_connection("127.0.0.1", direct_hub.port)
        frame = masked(1, connect_command)
        writer.write(handshake(direct_hub.port) + frame[:size])
        await writer.drain()
        if size:
            await asyncio.sleep(0.02)
            writer.write(frame[size:])
        await reader.readuntil(b"\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(4096), 5)
        assert b'{"id":1,"connect":{"client":' in answer
        writer.close()


async def test_fragments_and_pings_between_them_are_understood(
    direct_hub: Any, person: UUID
) -> None:
    command = json.dumps({"id": 1, "connect": {"token": str(person)}}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", direct_hub.port)
    writer.write(handshake(direct_hub.port))
    await reader.readuntil(b"\r\n\r\n")
    frames = masked(1, command[:9], first=0) + masked(9, b"still there?") + masked(0, command[9:])
    for byte in frames:
        writer.write(bytes((byte,)))
        await writer.drain()
    assert await reader.readexactly(14) == b"\x8a\x0cstill there?"
    assert b'"connect"' in await reader.read(4096)
    writer.close()


async def test_an_empty_list_of_subprotocols_is_no_offence(direct_hub: Any) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", direct_hub.port)
    writer.write(handshake(direct_hub.port, Sec_WebSocket_Protocol=""))
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("query", "offered", "chosen", "binary"),
    [
        ("", None, None, False),
        ("", ["centrifuge-json"], "centrifuge-json", False),
        ("", ["centrifuge-protobuf"], "centrifuge-protobuf", True),
        ("", ["centrifuge-protobuf", "centrifuge-json"], "centrifuge-json", False),
        ("", ["something-else"], None, False),
        ("?format=protobuf", None, None, True),
        ("?cf_protocol=protobuf", None, None, True),
        ("?format=protobuf", ["centrifuge-protobuf"], "centrifuge-protobuf", True),
        ("?format=json", None, None, False),
    ],
)
async def test_the_encoding_is_what_the_client_asks_for(
    hub: Any, person: UUID, query: str, offered: Any, chosen: str | None, binary: bool
) -> None:
    async with connect(hub.url + query, proxy=None, subprotocols=offered) as socket:
        assert socket.subprotocol == chosen
        if binary:
            command = schema.Command(id=1, connect=schema.ConnectRequest(token=str(person)))
            await socket.send(delimited(command.SerializeToString()))
            (message,) = cut(bytes(await socket.recv(decode=False)))
            assert schema.Reply.FromString(message).connect.client
        else:
            await socket.send(json.dumps({"id": 1, "connect": {"token": str(person)}}))
            assert json.loads(await socket.recv())["connect"]["client"]


@pytest.mark.parametrize(("query", "frame"), [("", b"{}"), ("?format=protobuf", "{}")])
async def test_frames_of_the_other_kind_are_inappropriate(
    hub: Any, query: str, frame: str | bytes
) -> None:
    async with connect(hub.url + query, proxy=None) as socket:
        await socket.send(frame)
        assert await closing_code(socket) == (3506, "inappropriate protocol")


@pytest.mark.parametrize(
    "frame",
    [
        b"",  # no command
        b"\x00",  # a pong that nobody asked for
        b"\x05",  # longer than its frame
        b"\xff\xff\xff\xff\xff\xff",  # a length without an end
        b"\x02\x08\x01",  # a command that asks nothing
        b"\x03\x22\x05\x0a",  # cut within
        b"\x05\x22\x03\x0a\x01\xff",  # a token that is not UTF-8
        b"\x06\x08\x01\x2a\x02\x0a\x00",  # subscribe before connect
    ],
)
async def test_a_first_binary_frame_that_is_no_connect_ends_the_connection(
    hub: Any, frame: bytes
) -> None:
    async with connect(hub.url + "?format=protobuf", proxy=None) as socket:
        await socket.send(frame)
        assert await closing_code(socket) == (3501, "bad request")


async def test_a_foreign_page_does_not_get_in(hub: Any) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(hub.url, proxy=None, origin="https://evil.example")
    assert refused.value.response.status_code == 403
    for origin in (f"http://127.0.0.1:{hub.port}", "http://127.0.0.1:8000"):
        async with connect(hub.url, proxy=None, origin=origin):
            pass


async def test_a_slow_reader_is_ended_and_costs_bounded_memory(
    hub: Any, person: UUID, until: Any
) -> None:
    socket = await connected(hub, str(person))
    await socket.send('{"id":2,"subscribe":{"channel":"chat:loud"}}')
    await socket.recv()
    socket.transport.pause_reading()
    room = next(namespace for namespace in hub.node.namespaces if namespace.name == "chat")
    noise = json.dumps(os.urandom(25_000).hex()).encode()
    for _ in range(400):
        await hub.broker.publish(room, "chat:loud", noise)
        if not hub.node.sessions:
            break
    await until(lambda: hub.node.tally.disconnects[3008] == 1)
    assert not hub.node.sessions
    socket.transport.abort()


async def test_a_client_that_never_pongs_is_let_go(hub: Any, person: UUID) -> None:
    socket = await connected(hub, str(person))
    await hub.append(f"personal:#{person}", {"event": "test.rang", "n": 1})
    await socket.recv()
    assert await socket.recv() == "{}"
    pass_time(hub, 9)
    assert await closing_code(socket) == (3012, "no pong")


async def test_shutdown_asks_a_thousand_sessions_to_come_back(direct_hub: Any) -> None:
    sockets = await asyncio.gather(*(connected(direct_hub, f"user-{n}") for n in range(1_000)))
    held = direct_hub.server.server_state.connections
    assert sum(isinstance(each, SlimProtocol) for each in held) == 1_000
    assert not any(isinstance(each, DirectWebSocketProtocol) for each in held)
    direct_hub.server.should_exit = True
    codes = await asyncio.gather(*map(closing_code, sockets))
    assert set(codes) == {(3001, "shutdown")}
    assert direct_hub.node.tally.disconnects[3001] == 1_000


async def test_a_session_leaves_nothing_behind(hub: Any, person: UUID, until: Any) -> None:
    socket = await connected(hub, str(person))
    await socket.send('{"id":2,"subscribe":{"channel":"offering:x"}}')
    await socket.recv()
    assert hub.node.channel_count == 2
    await socket.close()
    await until(lambda: not hub.node.sessions)
    assert hub.node.channel_count == 0
    assert hub.node.tally.disconnects[3000] == 1
