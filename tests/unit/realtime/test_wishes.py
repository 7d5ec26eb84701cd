"""Members who take patches or choose by tags, beside those who take all, in one channel."""

import json
from typing import Any

import pytest
import pytest_asyncio
from centrifuge.fossil import apply_delta

from hub.realtime import PROTOBUF_MESSAGES, Namespace, Namespaces, Publication
from hub.realtime.protobuf import cut, delimited, schema
from hub.realtime.publication import Position

EPOCH = "epoch"


def state(n: int, *, big: str = "x" * 200) -> bytes:
    return json.dumps({"event": "ticked", "n": n, "big": big}).encode()


class Feed:
    """Publishes into a channel as its broker would."""

    def __init__(self, world: Any, channel: str) -> None:
        self.world, self.channel, self.top = world, channel, 0

    async def __call__(
        self, data: bytes, *, tags: dict[str, str] | None = None, binary: bool = False,
        delta: bool = True, numbered: bool = True, rests: bool = True,
    ) -> None:  # fmt: skip
        broker = self.world.broker
        self.top += numbered
        offset = self.top if numbered else 0
        publication = Publication(offset, data, tags=tags, delta=delta, binary=binary)
        if numbered:
            broker.kept.setdefault(self.channel, []).append(publication)
            broker.tops[self.channel] = Position(self.top, EPOCH)
        broker.deliver(self.channel, EPOCH if numbered else "", publication)
        if rests:
            await self.world.rest()


@pytest_asyncio.fixture
async def feed(world: Any) -> Feed:
    prices = Namespace(name="prices", allowed_delta_types=("fossil",), allow_tags_filter=True)
    world.node.namespaces = Namespaces([*world.node.namespaces, prices])
    return Feed(world, "prices:maize")


def pubs(peer: Any) -> list[dict[str, Any]]:
    """Recovered, then pushed."""
    found: list[dict[str, Any]] = []
    for message in peer.messages:
        found += message.get("subscribe", {}).get("publications", [])
        if "pub" in message.get("push", {}):
            found.append(message["push"]["pub"])
    return found


def patched(publications: list[dict[str, Any]], base: bytes = b"") -> list[int]:
    """What a client that takes patches makes of them."""
    numbers = []
    for each in publications:
        text = each["data"].encode()
        base = apply_delta(base, text) if each.get("delta") else text
        numbers.append(json.loads(base)["n"])
    return numbers


async def test_the_first_is_whole_and_the_next_are_patches(world: Any, feed: Feed) -> None:
    patcher, other = await world.connected(), await world.connected("bob")
    reply = await patcher.ask(subscribe={"channel": feed.channel, "delta": "fossil"})
    assert reply["subscribe"]["delta"]
    await other.ask(subscribe={"channel": feed.channel})
    for n in range(4):
        await feed(state(n))
    got = pubs(patcher)
    assert [each.get("delta", False) for each in got] == [False, True, True, True]
    assert [each["offset"] for each in got] == [1, 2, 3, 4]
    assert patched(got) == [0, 1, 2, 3]
    assert len(got[3]["data"]) < 60
    assert [each["data"]["n"] for each in pubs(other)] == [0, 1, 2, 3]


async def test_who_comes_later_starts_whole_and_then_shares_the_patches(
    world: Any, feed: Feed
) -> None:
    early, late = await world.connected(), await world.connected("bob")
    await early.ask(subscribe={"channel": feed.channel, "delta": "fossil"})
    await feed(state(0))
    await feed(state(1))
    await late.ask(subscribe={"channel": feed.channel, "delta": "fossil"})
    await feed(state(2))
    await feed(state(3), rests=False)
    await feed(state(4))
    assert [each.get("delta", False) for each in pubs(late)] == [False, True, True]
    assert patched(pubs(late)) == [2, 3, 4]
    assert patched(pubs(early)) == [0, 1, 2, 3, 4]
    assert early.frames[-1] == late.frames[-1]


async def test_a_batch_for_newcomers_starts_whole_too(world: Any, feed: Feed) -> None:
    early, late = await world.connected(), await world.connected("bob")
    await early.ask(subscribe={"channel": feed.channel, "delta": "fossil"})
    await feed(state(0))
    await late.ask(subscribe={"channel": feed.channel, "delta": "fossil"})
    await feed(state(1), rests=False)
    await feed(state(2))
    assert [each.get("delta", False) for each in pubs(late)] == [False, True]
    assert patched(pubs(late)) == [1, 2]
    assert patched(pubs(early)) == [0, 1, 2]


async def test_after_recovery_the_chain_goes_on(world: Any, feed: Feed) -> None:
    early = await world.connected("bob")
    await early.ask(subscribe={"channel": feed.channel, "delta": "fossil"})
    for n in range(4):
        await feed(state(n))
    back = await world.connected()
    where = {"channel": feed.channel, "delta": "fossil", "recover": True}
    reply = await back.ask(subscribe={**where, "epoch": EPOCH, "offset": 1})
    assert reply["subscribe"]["recovered"]
    await feed(state(4))
    assert [each.get("delta", False) for each in pubs(back)] == [False, True, True, True]
    assert patched(pubs(back)) == [1, 2, 3, 4]
    nothing = await world.connected("eve")
    await nothing.ask(subscribe={**where, "epoch": EPOCH, "offset": 5})
    await feed(state(5))
    assert patched(pubs(nothing)) == [5]
    assert patched(pubs(early)) == list(range(6))


async def test_what_is_in_no_stream_is_a_base_like_any_other(world: Any, feed: Feed) -> None:
    early = await world.connected("bob")
    await early.ask(subscribe={"channel": feed.channel, "delta": "fossil"})
    await feed(state(0))
    await feed(state(1))
    await feed(state(100), numbered=False)
    back = await world.connected()
    where = {"channel": feed.channel, "delta": "fossil", "recover": True}
    await back.ask(subscribe={**where, "epoch": EPOCH, "offset": 1})
    await feed(state(2))
    assert patched(pubs(back)) == [1, 2]
    assert patched(pubs(early)) == [0, 1, 100, 2]


async def test_publications_without_delta_and_small_ones_come_whole(world: Any, feed: Feed) -> None:
    peer = await world.connected()
    await peer.ask(subscribe={"channel": feed.channel, "delta": "fossil"})
    await feed(state(0))
    await feed(state(1), delta=False)
    await feed(b'{"n":2}')
    await feed(state(3))
    await feed("{\"n\":4,\"who\":\"Zoë\",\"big\":\"€€€€\"}".encode())  # fmt: skip
    await feed("{\"n\":5,\"who\":\"Zoé\",\"big\":\"€€€é\"}".encode())  # fmt: skip
    got = pubs(peer)
    assert not any(each.get("delta") for each in got[:4])
    assert patched(got) == [0, 1, 2, 3, 4, 5]


async def test_a_namespace_that_has_no_patches_gives_none(world: Any, feed: Feed) -> None:
    peer = await world.connected()
    reply = await peer.ask(subscribe={"channel": "room:a", "delta": "fossil"})
    assert "delta" not in reply["subscribe"]
    reply = await peer.ask(subscribe={"channel": feed.channel, "delta": "xdelta"})
    assert "delta" not in reply["subscribe"]
    await feed(state(0))
    assert pubs(peer)[-1]["data"]["n"] == 0


async def test_both_encodings_get_the_same_patch(world: Any, feed: Feed) -> None:
    peer, binary = await world.connected(), world.peer()
    binary.session = world.node.open(binary, PROTOBUF_MESSAGES)
    for number, command in enumerate(
        [
            schema.Command(connect=schema.ConnectRequest(token="bob")),
            schema.Command(subscribe=schema.SubscribeRequest(channel=feed.channel, delta="fossil")),
        ],
        1,
    ):
        command.id = number
        binary.session.receive(delimited(command.SerializeToString()))
        await world.rest()
    await peer.ask(subscribe={"channel": feed.channel, "delta": "fossil"})
    await feed(state(0))
    await feed(state(1))
    pushed = [schema.Reply.FromString(each).push.pub for f in binary.frames[-2:] for each in cut(f)]
    assert [each.delta for each in pushed] == [False, True]
    assert pushed[0].data == state(0)
    assert apply_delta(state(0), pushed[1].data) == state(1)
    assert pubs(peer)[1]["data"].encode() == pushed[1].data


SOLAR = {"key": "sector", "cmp": "eq", "val": "solar"}


async def test_a_filter_lets_through_what_it_matches_and_counts_the_rest(
    world: Any, feed: Feed
) -> None:
    picky, same, other = [await world.connected(name) for name in ("ada", "bob", "eve")]
    for peer in (picky, same):
        await peer.ask(subscribe={"channel": feed.channel, "tf": SOLAR})
    await other.ask(subscribe={"channel": feed.channel})
    for n in range(6):
        await feed(state(n), tags={"sector": "solar" if n % 2 else "wind"})
    await feed(state(6))
    got = pubs(picky)
    assert [(each["data"]["n"], each["offset"]) for each in got] == [(1, 2), (3, 4), (5, 6)]
    assert got[0]["tags"] == {"sector": "solar"}
    assert pubs(same) == got
    assert len(pubs(other)) == 7


async def test_recovery_drops_what_the_filter_drops_and_sees_no_gap(world: Any, feed: Feed) -> None:
    for n in range(6):
        await feed(state(n), tags={"sector": "solar" if n % 2 else "wind"})
    peer = await world.connected()
    where = {"channel": feed.channel, "recover": True, "epoch": EPOCH}
    result = (await peer.ask(subscribe={**where, "offset": 2, "tf": SOLAR}))["subscribe"]
    assert result["recovered"]
    assert [each["offset"] for each in result["publications"]] == [4, 6]
    assert result["offset"] == 2
    hydro = {"key": "sector", "cmp": "eq", "val": "hydro"}
    other = await world.connected("bob")
    result = (await other.ask(subscribe={**where, "offset": 2, "tf": hydro}))["subscribe"]
    assert result["recovered"]
    assert "publications" not in result
    assert result["offset"] == 6


async def test_with_patches_and_a_filter_the_filter_counts(world: Any, feed: Feed) -> None:
    peer = await world.connected()
    asks = {"channel": feed.channel, "delta": "fossil", "tf": SOLAR}
    assert "delta" not in (await peer.ask(subscribe=asks))["subscribe"]


@pytest.mark.parametrize(
    ("channel", "tf"),
    [("room:a", SOLAR), ("prices:maize", {"op": "xor"}), ("prices:maize", {"key": "a"})],
)
async def test_a_filter_that_cannot_be_is_a_bad_request(
    world: Any, feed: Feed, channel: str, tf: dict[str, Any]
) -> None:
    peer = await world.connected()
    reply = await peer.ask(subscribe={"channel": channel, "tf": tf})
    assert reply["error"]["code"] == 107
    await peer.ask(subscribe={"channel": channel})
    assert world.node.channel_count == 2


async def test_members_with_wishes_leave_nothing_behind(world: Any, feed: Feed) -> None:
    peer = await world.connected()
    for wish in ({"delta": "fossil"}, {"tf": SOLAR}, {}):
        await peer.ask(subscribe={"channel": feed.channel, **wish})
        await feed(state(0))
        await peer.ask(unsubscribe={"channel": feed.channel})
        assert world.node.channel_count == 1
    await peer.ask(subscribe={"channel": feed.channel, "delta": "fossil"})
    await feed(state(1))
    assert "delta" not in pubs(peer)[-1]


@pytest.mark.parametrize("wish", [{}, {"delta": "fossil"}, {"tf": SOLAR}])
async def test_data_that_is_not_json_turns_json_clients_away_and_no_others(
    world: Any, feed: Feed, wish: dict[str, Any]
) -> None:
    peer, binary = await world.connected(), world.peer()
    binary.session = world.node.open(binary, PROTOBUF_MESSAGES)
    connect = schema.Command(id=1, connect=schema.ConnectRequest(token="bob"))
    subscribe = schema.Command(id=2, subscribe=schema.SubscribeRequest(channel=feed.channel))
    for command in (connect, subscribe):
        binary.session.receive(delimited(command.SerializeToString()))
        await world.rest()
    await peer.ask(subscribe={"channel": feed.channel, **wish})
    await feed(b"\x00\xff\n", tags={"sector": "solar"}, binary=True)
    assert peer.closed == (3506, "inappropriate protocol")
    assert binary.closed is None
    (message,) = cut(binary.frames[-1])
    assert schema.Reply.FromString(message).push.pub.data == b"\x00\xff\n"


async def test_nor_do_json_clients_get_it_by_recovery_or_history(world: Any, feed: Feed) -> None:
    await feed(b"\x00\xff\n", binary=True)
    peer = await world.connected()
    where = {"channel": feed.channel, "recover": True, "epoch": EPOCH, "offset": 0}
    peer.say({"id": 9, "subscribe": where})
    await world.rest(0.05)
    assert peer.closed == (3506, "inappropriate protocol")
    other = await world.connected("bob")
    await other.ask(subscribe={"channel": feed.channel})
    other.say({"id": 9, "history": {"channel": feed.channel, "limit": 10}})
    await world.rest(0.05)
    assert other.closed == (3506, "inappropriate protocol")
    assert world.node.channel_count == 0
