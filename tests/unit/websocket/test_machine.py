"""Any commands in any frames, cut anywhere: every session keeps to a small model of the protocol.

The model knows what each command is answered by, and in which order; whether the connection
lives; and between which replies a channel's pushes may come. Bytes go through the real frames
and the real transport; the broker and the streams are in memory.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from websockets.frames import Frame
from websockets.frames import Opcode as Theirs

from channels.websocket.slim import SlimProtocol
from hub.clock import ManualClock
from hub.realtime import JSON_FRAMES, Namespaces, Node
from tests.unit.realtime.conftest import (
    NAMESPACES,
    Acks,
    Door,
    MemoryBroker,
    MemoryStreams,
    World,
    only_ada,
)

Command = dict[str, Any]
Answer = tuple[int, int | str]
"""The id of a reply, and the error's code or the name of the result."""

PERSONAL = "personal:#ada"
ROOMS = ["room:one", "room:two"]
OPEN = [*ROOMS, "offering:x", "club:ada", "market:fx", "noise:n"]
CHANNELS = [*OPEN, "unknown:x", "none", "personal:#eve", PERSONAL, "room:é", "room:" + "x" * 255]
GARBAGE = [b"", b"\n", b"garbage", b"[]", b'{"id":1}', b'{"id":-1,"rpc":{}}', b'{"id":"1"}', b"\0"]


class Wire(asyncio.Transport):
    """The socket's other side: collects what the server wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closing = False

    def write(self, data: Any) -> None:
        assert not self.closing
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def pings(self) -> int:
        return sum(payload == b"{}" for _, payload in self.frames())

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Opcode and payload of every frame written; servers do not mask or fragment."""
        place = 0
        while place < len(self.written):
            first, size = self.written[place], self.written[place + 1]
            assert first & 0x80
            place += 2
            if size >= 126:
                length = 2 if size == 126 else 8
                size = int.from_bytes(self.written[place : place + length], "big")
                place += length
            yield first & 0x0F, self.written[place : place + size]
            place += size


class Model:
    """What a connection may expect."""

    def __init__(self) -> None:
        self.live = self.refused = False
        self.subscribed: set[str] = set()
        self.answers: list[Answer] = []
        self.closed: int | None = None

    def take(self, command: Command) -> None:
        if self.closed is not None:
            return
        number = command["id"]
        outcome = self._outcome(command)
        if isinstance(outcome, int) and outcome >= 3000:
            self.closed = outcome
        elif outcome is not None:
            self.answers.append((number, outcome))

    def _outcome(self, command: Command) -> int | str | None:
        name = next(key for key in command if key != "id")
        if name == "connect":
            return self._connect(command["connect"]["token"])
        if not self.live:
            return 3501
        if name in ("ping", "nonsense"):
            return 3501
        if name == "send":
            return 3508
        if name == "rpc":
            return 104 if command["rpc"]["method"] == "nothing" else "rpc"
        channel = command[name]["channel"]
        if not channel:
            return 3501
        answer: Callable[[str], int | str] = getattr(self, f"_{name}")
        return answer(channel)

    def _connect(self, token: str) -> int | str:
        if self.live or self.refused or not token:
            return 3501
        if token == "forged":
            return 3500
        if token == "expired":
            self.refused = True
            return 109
        self.live = True
        return "connect"

    def _known(self, channel: str) -> int:
        if len(channel.encode()) > 255 or not channel.isascii():
            return 107
        return 0 if channel in OPEN or channel.startswith("personal:") else 102

    def _subscribe(self, channel: str) -> int | str:
        if fault := self._known(channel):
            return fault
        if channel in self.subscribed or channel == PERSONAL:
            return 105
        if channel not in OPEN:
            return 103
        self.subscribed.add(channel)
        return "subscribe"

    def _unsubscribe(self, channel: str) -> int | str:
        if channel == PERSONAL:
            return 103
        self.subscribed.discard(channel)
        return "unsubscribe"

    def _publish(self, channel: str) -> int | str:
        if fault := self._known(channel):
            return fault
        writable = channel in (*ROOMS, "noise:n")
        return "publish" if writable and channel in self.subscribed else 103

    def _presence(self, channel: str) -> int | str:
        if fault := self._known(channel):
            return fault
        if channel not in self.subscribed and channel != PERSONAL:
            return 103
        return "presence" if channel in (*ROOMS, PERSONAL) else 108

    def _history(self, channel: str) -> int | str:
        if fault := self._known(channel):
            return fault
        if channel not in self.subscribed and channel != PERSONAL:
            return 103
        return 108 if channel == "noise:n" else "history"


channels = st.one_of(st.sampled_from(ROOMS), st.sampled_from(OPEN), st.sampled_from(CHANNELS))
bodies = st.one_of(
    st.builds(lambda c: {"subscribe": {"channel": c}}, channels),
    st.builds(lambda c: {"unsubscribe": {"channel": c}}, channels),
    st.builds(lambda c, d: {"publish": {"channel": c, "data": d}}, channels, st.text(max_size=3)),
    st.builds(lambda c: {"presence": {"channel": c}}, channels),
    st.builds(lambda c, n: {"history": {"channel": c, "limit": n}}, channels, st.integers(-1, 9)),
    st.builds(lambda m: {"rpc": {"method": m}}, st.sampled_from(["sync", "nothing"])),
)
rare = st.sampled_from(
    [
        *({"connect": {"token": token}} for token in ("ada", "", "forged", "expired")),
        {"send": {"data": 1}},
        {"ping": {}},
        {"nonsense": {}},
        {"subscribe": {"channel": ""}},
        {"publish": {"channel": "", "data": 1}},
    ]
)
cuts = st.one_of(st.just(1), st.integers(1, 40), st.just(10**6))


class Sessions(RuleBasedStateMachine):
    """One connection at a time, and a neighbour who must not notice anything."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stack = AsyncExitStack()
        self.number = 0
        self.channels: dict[int, str] = {}

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.loop.close()

    @initialize()
    def start(self) -> None:
        self.run(self._start())
        self.connect_anew()
        self.connect(10**6)

    async def _start(self) -> None:
        broker, streams, acks = MemoryBroker(), MemoryStreams(), Acks()
        clock = ManualClock(datetime(2026, 11, 24, 9, 0, tzinfo=UTC))

        async def echo(caller: Any, data: bytes) -> object:
            return None

        node = Node(
            broker=broker,
            namespaces=Namespaces(NAMESPACES),
            authenticator=Door(),
            acknowledgements=acks,
            clock=clock,
            streams=streams,
            permissions={"club": only_ada},
            rpc={"echo": echo},
        )
        await self.stack.enter_async_context(node.running())
        self.world = World(node, broker, streams, acks, clock)
        self.neighbour = await self.world.connected("neighbour")
        for room in ROOMS:
            await self.neighbour.ask(subscribe={"channel": room})

    def connect_anew(self) -> None:
        async def open_it() -> None:
            self.wire, self.model, self.peers = Wire(), Model(), set[SlimProtocol]()
            self.slim = SlimProtocol(self.world.node, JSON_FRAMES, self.wire, self.peers)

        self.run(open_it())

    @precondition(lambda self: self.model.closed is not None)
    @rule(connects=st.integers(0, 4), every=cuts)
    def come_back(self, connects: int, every: int) -> None:
        self.run(self._lose())
        self.connect_anew()
        if connects:
            self.connect(every)

    def connect(self, every: int) -> None:
        self.send([{"connect": {"token": "ada"}}], every)

    @precondition(lambda self: self.model.closed is None)
    @rule(commands=st.lists(bodies, min_size=3, max_size=12), every=cuts)
    def send(self, commands: list[Command], every: int) -> None:
        numbered: list[Command] = []
        for command in commands:
            self.number += 1
            numbered.append({"id": self.number, **command})
            self.model.take(numbered[-1])
            self.channels[self.number] = next(iter(command.values())).get("channel", "")
        self.feed(b"\n".join(json.dumps(each).encode() for each in numbered), every)

    @precondition(lambda self: self.model.closed is None)
    @rule(
        fault=st.one_of(rare, st.sampled_from(GARBAGE), st.just("pong")),
        before=st.lists(bodies, max_size=4),
        every=cuts,
    )
    def do_something_rare(
        self, fault: Command | bytes | str, before: list[Command], every: int
    ) -> None:
        if isinstance(fault, dict):
            self.send([*before, fault], every)
            return
        if before:
            self.send(before, every)
        if self.model.closed is None:  # garbage, or a pong that nobody asked for
            self.model.closed = 3501
            self.feed(fault if isinstance(fault, bytes) else b"{}", every)

    @precondition(lambda self: self.model.closed is None and self.model.live)
    @rule(answered=st.booleans())
    def let_a_ping_come(self, answered: bool) -> None:
        before = self.wire.pings()
        for _ in range(26):
            self.pass_a_second()
            if self.wire.pings() > before:
                break
        assert self.wire.pings() == before + 1
        if answered:
            self.feed(b"{}", 10**6)
            return
        self.model.closed = 3012
        for _ in range(9):
            self.pass_a_second()

    @precondition(lambda self: self.model.closed is None and not self.model.live)
    @rule()
    def say_nothing_for_too_long(self) -> None:
        self.model.closed = 3502
        for _ in range(11):
            self.pass_a_second()

    def pass_a_second(self) -> None:
        self.run(self.world.pass_time(1))
        if self.neighbour.session._pong_by:
            self.neighbour.say({})

    @rule()
    def the_neighbour_publishes(self) -> None:
        reply = self.run(self.neighbour.ask(publish={"channel": "room:one", "data": {"n": 0}}))
        assert "publish" in reply

    def feed(self, payload: bytes, every: int) -> None:
        stream = Frame(Theirs.TEXT, payload).serialize(mask=True)

        async def write() -> None:
            for start in range(0, len(stream), every):
                self.slim.data_received(stream[start : start + every])
            for _ in range(200):
                await asyncio.sleep(0)

        self.run(write())

    async def _lose(self) -> None:
        self.slim.connection_lost(None)
        await self.world.rest(0.002)

    @invariant()
    def keeps_to_the_model(self) -> None:
        answers, closed, inside = [], None, {PERSONAL}
        for opcode, payload in self.wire.frames():
            assert closed is None, "nothing follows a close frame"
            if opcode == Theirs.CLOSE:
                closed = int.from_bytes(payload[:2], "big")
                continue
            for line in payload.split(b"\n"):
                message = json.loads(line)
                if "id" in message:
                    answers.append(self._answer(message, inside))
                elif "push" in message:
                    assert message["push"]["channel"] in inside
        assert answers == self.model.answers
        assert closed == self.model.closed

    def _answer(self, message: dict[str, Any], inside: set[str]) -> Answer:
        name = next(key for key in message if key != "id")
        if name == "subscribe":
            inside.add(self.channels[message["id"]])
        elif name == "unsubscribe":
            inside.discard(self.channels[message["id"]])
        return message["id"], message["error"]["code"] if name == "error" else name

    @invariant()
    def the_neighbour_notices_nothing(self) -> None:
        assert self.neighbour.closed is None
        assert len(self.world.node.sessions) == 1 + (self.model.closed is None)


TestSessions = Sessions.TestCase
TestSessions.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
