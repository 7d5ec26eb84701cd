"""Patches: whoever applies them by the book gets the target back, byte by byte."""

import json
import os
import re
import time
from typing import Any

import pytest
from centrifuge.fossil import apply_delta
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.realtime.delta import patch_between

# A reader written from the format's description and not from our writer: one command after the
# other, with every check that a careful reader makes.

DIGITS = {char: at for at, char in enumerate(
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~")}  # fmt: skip


def number(text: bytes) -> int:
    value = 0
    for char in text.decode("ascii"):
        value = value * 64 + DIGITS[char]
    return value


def checksum(data: bytes) -> int:
    total = 0
    for at, byte in enumerate(data):
        total += byte << (24 - 8 * (at % 4))
    return total % 2**32


def applied(source: bytes, patch: bytes) -> bytes:
    head, _, rest = patch.partition(b"\n")
    size, target = number(head), b""
    while True:
        command = re.match(rb"([0-9A-Z_a-z~]+)([@:;])", rest)
        assert command, "no command where one must be"
        count, rest = number(command[1]), rest[command.end() :]
        if command[2] == b"@":
            place, comma, rest = rest.partition(b",")
            assert comma
            start = number(place)
            assert start + count <= len(source)
            target += source[start : start + count]
        elif command[2] == b":":
            assert count <= len(rest)
            target, rest = target + rest[:count], rest[count:]
        else:
            assert (rest, len(target), checksum(target)) == (b"", size, count)
            return target
        assert len(target) <= size


PIECES = st.lists(
    st.one_of(st.binary(max_size=60), st.sampled_from([b"name", b'{"n":', b"\n", b"x" * 40])),
    max_size=12,
)
TEXTS = st.lists(st.text("aé€😀{}:1", max_size=30), max_size=12)


@given(before=PIECES, after=PIECES, kept=st.permutations(range(6)))
@settings(max_examples=300, deadline=None)
def test_a_patch_makes_the_target_of_the_source(
    before: list[bytes], after: list[bytes], kept: list[int]
) -> None:
    source = b"".join(before)
    reused = [before[at] for at in kept if at < len(before)]
    target = b"".join([*after[:3], *reused, *after[3:]])
    patch = patch_between(source, target)
    if patch is not None:
        assert len(patch) < len(target)
        assert applied(source, patch) == target
        assert apply_delta(source, patch) == target


@given(before=TEXTS, after=TEXTS)
@settings(max_examples=300, deadline=None)
def test_a_patch_between_texts_is_a_text(before: list[str], after: list[str]) -> None:
    source = "".join([*before, *before]).encode()
    target = "".join([*before, *after, *before]).encode()
    patch = patch_between(source, target)
    if patch is not None:
        assert patch.decode()
        assert applied(source, patch) == target


def state(price: int, *, note: str = "") -> bytes:
    lots = [{"n": n, "name": f"Lot {n}"} for n in range(30)]
    body = {"event": "offering.priced", "price": price, "lots": lots, "note": note}
    return json.dumps(body, ensure_ascii=False).encode()


def test_a_price_in_a_long_state_costs_a_few_bytes() -> None:
    patch = patch_between(state(1_000), state(1_005))
    assert patch is not None
    assert len(patch) < 40
    assert applied(state(1_000), patch) == state(1_005)


def test_pieces_that_moved_are_found() -> None:
    one, other = os.urandom(400).hex().encode(), os.urandom(400).hex().encode()
    patch = patch_between(one + other, b"[" + other + b"," + one + b"]")
    assert patch is not None
    assert len(patch) < 120
    assert applied(one + other, patch) == b"[" + other + b"," + one + b"]"


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (b"", b""),
        (b"", b"everything is new"),
        (b"abc", b""),
        (b"abc", b"abc"),
        (b"one thing", b"quite another"),
        (os.urandom(500), os.urandom(500)),
        (b"x" * 100, os.urandom(40_000)),  # too long to search
    ],
)
def test_where_a_patch_saves_nothing_there_is_none(source: bytes, target: bytes) -> None:
    assert patch_between(source, target) is None


@pytest.mark.parametrize("data", [b"x" * 50, b"xy" * 5_000, "€".encode() * 333])
def test_the_same_again_is_hardly_anything(data: bytes) -> None:
    patch = patch_between(data, data)
    assert patch is not None
    assert len(patch) < 25
    assert applied(data, patch) == data


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (b"\xa9" * 30_000, b"x" + b"\xa9" * 8_000 + b"y"),  # never the start of a character
        ("é".encode() * 30_000, b"x" + b"\xa9" * 8_000),
        (b"\0" * 60_000, b"!" + b"\0" * 8_000 + b"?"),
    ],
)
def test_no_data_take_long(source: bytes, target: bytes) -> None:
    began = time.process_time()
    patch = patch_between(source, target)
    assert time.process_time() - began < 0.5
    assert patch is None or applied(source, patch) == target


@pytest.mark.parametrize("damage", range(3))
def test_the_reader_of_these_tests_notices_damage(damage: int) -> None:
    patch: Any = bytearray(patch_between(state(1), state(2)) or b"")
    at = (0, patch.index(b"@") + 1, len(patch) - 2)[damage]
    patch[at] = patch[at] ^ 1
    with pytest.raises((AssertionError, KeyError)):
        applied(state(1), bytes(patch))
