"""Whoever breaks RFC 6455 is told so by its code, and nobody else notices."""

import asyncio
import base64
import json
import os
import random
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from hub.database import Database
from hub.realtime import Limits
from hub.redis_client import RedisClient
from hub.settings import Settings

CONNECT = json.dumps({"id": 1, "connect": {"token": "ada"}})
RESERVED, FINAL = 0x40, 0x80


def frame(first: int, payload: bytes, *, length: bytes | None = None) -> bytes:
    """A masked frame; ``length`` replaces the right form of its length."""
    size = len(payload)
    if length is None:
        length = bytes((size,)) if size < 126 else b"\x7f" + size.to_bytes(8, "big")
        if 126 <= size <= 65_535:
            length = b"\x7e" + size.to_bytes(2, "big")
    mask = os.urandom(4)
    body = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return bytes((first, 0x80 | length[0])) + length[1:] + mask + body


def deflated(payload: bytes) -> bytes:
    """As permessage-deflate sends it."""
    work = zlib.compressobj(wbits=-12)
    return (work.compress(payload) + work.flush(zlib.Z_SYNC_FLUSH))[:-4]


@asynccontextmanager
async def raw(hub: Any, *, extensions: str = "") -> AsyncIterator[Any]:
    """A connection behind its handshake, without a library that would keep the rules."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        "GET /connection/websocket HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        *([f"Sec-WebSocket-Extensions: {extensions}"] if extensions else []),
    ]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    try:
        yield reader, writer
    finally:
        writer.close()


async def code_of_the_close(reader: asyncio.StreamReader) -> int:
    """Reads frames until the close, and then the end of the connection."""
    while (head := await asyncio.wait_for(reader.readexactly(2), 5))[0] != 0x88:
        size = head[1]
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        await reader.readexactly(size)
    payload = await reader.readexactly(head[1])
    assert await asyncio.wait_for(reader.read(), 8) == b""
    return int.from_bytes(payload[:2], "big")


@asynccontextmanager
async def a_neighbour(hub: Any) -> AsyncIterator[ClientConnection]:
    """Somebody with a subscription, who must get the next publication whatever others do."""
    async with connect(hub.url, proxy=None) as socket:
        await socket.send('{"id":1,"connect":{"token":"eve"}}')
        await socket.send('{"id":2,"subscribe":{"channel":"chat:calm"}}')
        while '"id":2' not in str(await socket.recv()):
            pass
        yield socket
        await socket.send('{"id":3,"publish":{"channel":"chat:calm","data":{"still":"here"}}}')
        async with asyncio.timeout(5):
            while "still" not in str(await socket.recv()):
                pass


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (frame(FINAL | RESERVED | 1, b"compressed?"), 1002),
        (frame(FINAL | 0x20 | 1, b"x"), 1002),
        (frame(FINAL | 0x10 | 1, b"x"), 1002),
        (frame(FINAL | 5, b""), 1002),
        (frame(FINAL | 0xB, b""), 1002),
        (b"\x81\x05hello", 1002),
        (frame(FINAL | 0, b"the rest of nothing"), 1002),
        (frame(1, b"[") + frame(FINAL | 2, b"]"), 1002),
        (frame(1, b"[") + frame(2, b"]"), 1002),
        (frame(9, b"a ping in parts"), 1002),
        (frame(FINAL | 10, b"x" * 126), 1002),
        (frame(FINAL | 8, b"\x03\xe8" + b"x" * 124), 1002),
        (frame(FINAL | 1, b"short", length=b"\x7e\x00\x05"), 1002),
        (frame(FINAL | 1, b"short", length=b"\x7f" + b"\0" * 7 + b"\x05"), 1002),
        (frame(FINAL | 1, b"", length=b"\x7f\x80" + b"\0" * 7), 1002),
        (frame(FINAL | 8, b"\x03"), 1002),
        (frame(FINAL | 8, b"\x00\x01"), 1002),
        (frame(FINAL | 8, (1005).to_bytes(2, "big")), 1002),
        (frame(FINAL | 8, (1006).to_bytes(2, "big")), 1002),
        (frame(FINAL | 8, (2999).to_bytes(2, "big")), 1002),
        (frame(FINAL | 8, (5000).to_bytes(2, "big")), 1002),
        (frame(FINAL | 8, b"\x03\xe8\xff"), 1007),
        (frame(FINAL | 1, b"\xc3("), 1007),
        (frame(FINAL | 1, b"\xed\xa0\x80"), 1007),
        (frame(1, b"\xe2\x82") + frame(FINAL | 0, b"("), 1007),
        (frame(FINAL | 1, b"x" * 65_537), 1009),
        (frame(1, b"x" * 65_536) + frame(FINAL | 0, b"x"), 1009),
        (frame(FINAL | 1, b"", length=b"\x7f\x7f" + b"\xff" * 7), 1009),
        (frame(FINAL | 8, b""), 1000),
        (frame(FINAL | 8, b"\x03\xe9going away"), 1001),
        (frame(FINAL | 8, (4000).to_bytes(2, "big")), 4000),
    ],
)
async def test_a_broken_frame_ends_its_own_connection_by_its_code(
    direct_hub: Any, stream: bytes, code: int
) -> None:
    async with a_neighbour(direct_hub), raw(direct_hub) as (reader, writer):
        writer.write(frame(FINAL | 1, CONNECT.encode()) + stream)
        assert await code_of_the_close(reader) == code
    assert direct_hub.node.tally.faults == 0


async def test_noise_instead_of_frames_harms_nobody(direct_hub: Any, until: Any) -> None:
    noise = random.Random(20261124)
    async with a_neighbour(direct_hub):
        for _ in range(60):
            async with raw(direct_hub) as (_, writer):
                start = frame(FINAL | 1, CONNECT.encode()) if noise.random() < 0.5 else b""
                writer.write(start + noise.randbytes(noise.randrange(1, 400)))
        await until(lambda: len(direct_hub.node.sessions) == 1)
    assert direct_hub.node.tally.faults == 0


@pytest.fixture
async def squeezing_hub(
    open_hub: Any, database: Database, redis: RedisClient, settings: Settings
) -> AsyncIterator[Any]:
    """A hub that compresses where a client offers it."""
    async with open_hub(database, redis, settings, direct=True, ws_per_message_deflate=True) as hub:
        yield hub


OFFER = "permessage-deflate; client_max_window_bits"


async def test_compression_is_spoken_where_it_is_on_and_offered(squeezing_hub: Any) -> None:
    async with connect(squeezing_hub.url, proxy=None) as socket:
        assert "permessage-deflate" in str(socket.response and socket.response.headers)
        await socket.send(CONNECT)
        assert "connect" in str(await socket.recv())
        await squeezing_hub.append("personal:#ada", {"event": "test.ticked", "n": 1})
        assert '"n":1' in str(await socket.recv())
    async with connect(squeezing_hub.url, proxy=None, compression=None) as socket:
        await socket.send(CONNECT)
        assert "connect" in str(await socket.recv())


async def test_compression_is_off_by_default(direct_hub: Any) -> None:
    async with connect(direct_hub.url, proxy=None) as socket:
        assert "permessage-deflate" not in str(socket.response and socket.response.headers)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (deflated(b"x" * 50_000_000), 1009),
        (deflated(b'{"id":1}' + b" " * 70_000), 1009),
        (b"\xff" * 200, 1002),
    ],
)
async def test_a_bomb_bursts_in_the_hands_of_its_sender(
    squeezing_hub: Any, payload: bytes, code: int
) -> None:
    async with a_neighbour(squeezing_hub), raw(squeezing_hub, extensions=OFFER) as (reader, writer):
        writer.write(frame(FINAL | RESERVED | 1, payload[:65_536]))
        assert await code_of_the_close(reader) == code


async def test_a_person_with_their_share_of_connections_is_told_3504(
    open_hub: Any, database: Database, redis: RedisClient, settings: Settings
) -> None:
    async with open_hub(database, redis, settings, direct=True, limits=Limits(per_person=2)) as hub:

        async def come(token: str) -> ClientConnection:
            socket = await connect(hub.url, proxy=None)
            await socket.send(json.dumps({"id": 1, "connect": {"token": token}}))
            return socket

        first, second = await come("ada"), await come("ada/phone")
        assert "connect" in str(await first.recv())
        assert "connect" in str(await second.recv())
        third = await come("ada")
        with pytest.raises(ConnectionClosed):
            await third.recv()
        assert (third.close_code, third.close_reason) == (3504, "connection limit")
        other = await come("eve")
        assert "connect" in str(await other.recv())
        await first.close()
        again = await come("ada")
        assert "connect" in str(await again.recv())
        for socket in (second, other, again):
            await socket.close()


async def test_a_client_that_floods_is_told_111_and_then_let_go(
    open_hub: Any, database: Database, redis: RedisClient, settings: Settings
) -> None:
    limits = Limits(commands_per_second=10, command_burst=20)
    async with (
        open_hub(database, redis, settings, direct=True, limits=limits) as hub,
        connect(hub.url, proxy=None) as socket,
    ):
        await socket.send(CONNECT)
        await socket.send(
            "\n".join(f'{{"id":{n},"rpc":{{"method":"echo","data":1}}}}' for n in range(2, 41))
        )
        replies: list[dict[str, Any]] = []
        while len(replies) < 40:
            replies += [json.loads(line) for line in str(await socket.recv()).split("\n")]
        busy = {"code": 111, "message": "too many requests", "temporary": True}
        assert sum("rpc" in each for each in replies) in (18, 19, 20)
        assert all(each["error"] == busy for each in replies if "error" in each)
        for _ in range(30):
            await socket.send('{"id":99,"rpc":{"method":"echo","data":1}}')
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (3013, "too many requests")


async def test_goodbyes_are_spread_over_the_drain_time(
    open_hub: Any, database: Database, redis: RedisClient, settings: Settings
) -> None:
    limits = Limits(drain_seconds=1.0)
    async with open_hub(database, redis, settings, direct=True, limits=limits) as hub:
        sockets = [await connect(hub.url, proxy=None) for _ in range(40)]
        loop = asyncio.get_running_loop()
        started, left = loop.time(), list[float]()

        async def watch(socket: ClientConnection) -> None:
            await socket.wait_closed()
            assert socket.close_code == 3001
            left.append(loop.time() - started)

        watching = asyncio.gather(*(watch(socket) for socket in sockets))
        hub.server.should_exit = True
        await watching
        assert max(left) - min(left) > 0.5
        assert max(left) < 3
