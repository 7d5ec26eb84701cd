"""The frame reader, whatever way the network cuts its bytes."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame
from websockets.frames import Opcode as Theirs

from channels.websocket.frames import FrameFault, FrameReader, Opcode, close_frame, pong_frame


def sent(opcode: int, payload: bytes, fin: bool = True) -> bytes:
    """A client's frame, as the websockets library makes it."""
    return Frame(Theirs(opcode), payload, fin).serialize(mask=True)


@given(
    payloads=st.lists(st.binary(max_size=300), min_size=1, max_size=5),
    cuts=st.lists(st.integers(0, 1_600), max_size=8),
)
def test_messages_come_out_whole_wherever_the_stream_is_cut(
    payloads: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(sent(2, payload) for payload in payloads)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    reader = FrameReader()
    found = []
    for start, end in pairwise(edges):
        found += reader.feed(stream[start:end])
    assert found == [(Opcode.BINARY, payload) for payload in payloads]


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_wait_or_fault(data: bytes) -> None:
    with suppress(FrameFault):
        FrameReader().feed(data)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_sizes_at_the_edges_are_read(size: int) -> None:
    assert FrameReader().feed(sent(1, b"x" * size)) == [(Opcode.TEXT, b"x" * size)]


def test_a_size_is_refused_before_its_bytes_are_kept() -> None:
    with pytest.raises(FrameFault) as fault:
        FrameReader().feed(sent(1, b"x" * 65_537)[:14])
    assert fault.value.code == 1009


def test_fragments_are_joined_and_a_ping_may_come_between() -> None:
    reader = FrameReader()
    stream = sent(1, b"he", fin=False) + sent(9, b"?") + sent(0, b"ll", fin=False) + sent(0, b"o")
    assert reader.feed(stream) == [(Opcode.PING, b"?"), (Opcode.TEXT, b"hello")]
    assert reader.feed(sent(1, b"again")) == [(Opcode.TEXT, b"again")]


def test_control_frames_are_as_the_standard_wants_them() -> None:
    assert close_frame(3001, "shutdown") == b"\x88\x0a\x0b\xb9shutdown"
    assert len(close_frame(3000, "x" * 500)) == 127
    assert pong_frame(b"hi") == b"\x8a\x02hi"
