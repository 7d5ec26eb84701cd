"""Promises of a channel: everything once, in order, without a gap, or a plain word that not."""

import json
import random
from typing import Any

import pytest

from hub.realtime.publication import Publication

SHOP = "offering:shop"


async def watching(world: Any, **more: Any) -> tuple[Any, dict[str, Any]]:
    peer = await world.connected(f"watcher-{random.random()}")
    reply = await peer.ask(subscribe={"channel": SHOP, **more})
    return peer, reply["subscribe"]


async def test_what_one_tick_brings_is_one_frame_for_all_in_order(world: Any) -> None:
    peers = [(await watching(world))[0] for _ in range(3)]
    before = [len(peer.frames) for peer in peers]
    await world.append(SHOP, 1, 2, 3)
    for peer, count in zip(peers, before, strict=True):
        assert len(peer.frames) == count + 1
        assert peer.received == [1, 2, 3]
    assert peers[0].frames[-1] is peers[1].frames[-1]
    assert world.node.tally.deliveries == 9


async def test_a_repeat_is_delivered_once(world: Any) -> None:
    peer, _ = await watching(world)
    await world.append(SHOP, 1)
    again = Publication(1, json.dumps({"n": 1}).encode())
    world.broker.deliver(SHOP, "epoch-one", again)
    await world.rest()
    assert peer.received == [1]


async def test_a_gap_is_filled_before_anything_later_is_delivered(world: Any) -> None:
    peer, _ = await watching(world)
    await world.append(SHOP, 1)
    await world.append(SHOP, 2, 3, tell=False)
    await world.append(SHOP, 4, 5)
    await world.rest(0.05)
    assert peer.received == [1, 2, 3, 4, 5]


async def test_a_gap_waits_for_a_database_that_is_behind(world: Any) -> None:
    peer, _ = await watching(world)
    await world.append(SHOP, 1)
    world.streams.hidden = 2
    await world.append(SHOP, 2, tell=False)
    await world.append(SHOP, 3)
    await world.rest(0.05)
    assert peer.received == [1]
    world.streams.hidden = 0
    await world.rest(0.5)
    assert peer.received == [1, 2, 3]


async def test_a_gap_is_filled_though_redis_and_postgresql_were_both_away(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer, _ = await watching(world)
    await world.append(SHOP, 1)

    async def away(*_: Any, **__: Any) -> Any:
        raise OSError("no database")

    with monkeypatch.context() as broken:
        broken.setattr(world.streams, "position", away)
        world.broker.down = True
        await world.append(SHOP, 2, tell=False)
        await world.append(SHOP, 3)
        await world.rest(0.1)
    world.broker.down = False
    await world.rest(0.5)
    assert peer.received == [1, 2, 3]
    assert peer.closed is None


async def test_another_epoch_makes_subscribers_start_again(world: Any) -> None:
    peer, _ = await watching(world)
    await world.append(SHOP, 1)
    world.streams.epochs[SHOP] = "epoch-two"
    await world.append(SHOP, 2)
    await world.rest(0.05)
    unsubscribed = {"code": 2500, "reason": "insufficient state"}
    assert peer.messages[-1]["push"] == {"channel": SHOP, "unsubscribe": unsubscribed}
    reply = await peer.ask(subscribe={"channel": SHOP})
    assert (reply["subscribe"]["offset"], reply["subscribe"]["epoch"]) == (2, "epoch-two")


async def test_a_lost_personal_channel_ends_the_connection(world: Any) -> None:
    peer = await world.connected("ada")
    await world.append("personal:#ada", 1)
    world.streams.epochs["personal:#ada"] = "epoch-two"
    await world.append("personal:#ada", 2)
    await world.rest(0.05)
    assert peer.closed == (3010, "insufficient state")


async def test_a_quiet_channel_is_compared_with_what_was_published(world: Any) -> None:
    peer, _ = await watching(world)
    await world.append(SHOP, 1)
    await world.append(SHOP, 2, tell=False)
    world.broker.wipe()
    channel = world.node.channel(SHOP)
    await world.node._check([channel])
    await world.rest(0.05)
    assert peer.received == [1, 2]


async def test_a_reconnected_broker_means_every_channel_is_checked(world: Any) -> None:
    peer, _ = await watching(world)
    await world.append(SHOP, 1)
    await world.append(SHOP, 2, tell=False)
    world.broker.on_reconnected()
    await world.rest(0.05)
    assert peer.received == [1, 2]


@pytest.mark.parametrize("offset", range(6))
@pytest.mark.parametrize("wiped", [False, True])
async def test_a_client_resumes_wherever_it_stopped(world: Any, offset: int, wiped: bool) -> None:
    await world.append(SHOP, 1, 2, 3, 4, 5)
    if wiped:
        world.broker.wipe()
    peer, result = await watching(world, recover=True, offset=offset, epoch="epoch-one")
    assert result["recovered"]
    assert result.get("offset", 0) == offset
    await world.append(SHOP, 6)
    assert peer.received == list(range(offset + 1, 7))


async def test_a_hole_in_redis_falls_back_to_postgresql(world: Any) -> None:
    await world.append(SHOP, 1, 2, 3, 4)
    del world.broker.kept[SHOP][2]
    peer, result = await watching(world, recover=True, offset=1, epoch="epoch-one")
    assert result["recovered"]
    assert peer.received == [2, 3, 4]


@pytest.mark.parametrize(
    ("offset", "epoch"), [(1, "epoch-zero"), (99, "epoch-one")], ids=["epoch", "future"]
)
async def test_a_position_that_never_was_is_not_recovered(
    world: Any, offset: int, epoch: str
) -> None:
    await world.append(SHOP, 1, 2)
    peer, result = await watching(world, recover=True, offset=offset, epoch=epoch)
    assert "recovered" not in result
    assert result["was_recovering"]
    assert (result["offset"], result["epoch"]) == (2, "epoch-one")
    await world.append(SHOP, 3)
    assert peer.received == [3]


async def test_a_strict_client_gets_an_error_instead(world: Any) -> None:
    await world.append(SHOP, 1)
    peer = await world.connected()
    strict = {"channel": SHOP, "recover": True, "offset": 1, "epoch": "other", "flag": 2}
    assert (await peer.ask(subscribe=strict))["error"]["code"] == 112
    assert "subscribe" in await peer.ask(subscribe={"channel": SHOP})


async def test_what_retention_has_cut_is_not_called_recovered(world: Any) -> None:
    await world.append(SHOP, *range(1, 11))
    world.broker.wipe()
    del world.streams.entries[SHOP][:5]
    _, result = await watching(world, recover=True, offset=3, epoch="epoch-one")
    assert "recovered" not in result
    _, result = await watching(world, recover=True, offset=5, epoch="epoch-one")
    assert result["recovered"]


async def test_two_thousand_are_recovered_at_once_and_one_more_is_not(world: Any) -> None:
    await world.append(SHOP, *range(1, 2_002))
    world.broker.wipe()
    peer, result = await watching(world, recover=True, offset=1, epoch="epoch-one")
    assert result["recovered"]
    assert peer.received == list(range(2, 2_002))
    _, result = await watching(world, recover=True, offset=0, epoch="epoch-one")
    assert "recovered" not in result


async def test_more_than_768_kib_is_too_much_at_once(world: Any) -> None:
    await world.append(SHOP, 1)
    for entry in world.streams.entries[SHOP]:
        entry.data = b"1" * 800_000
    world.broker.wipe()
    _, result = await watching(world, recover=True, offset=0, epoch="epoch-one")
    assert "recovered" not in result


async def test_a_stream_is_followed_from_before_its_first_event(world: Any) -> None:
    peer, result = await watching(world)
    assert result == {"recoverable": True, "positioned": True}
    await world.append(SHOP, 1, 2)
    assert peer.received == [1, 2]


async def test_a_client_ahead_of_this_node_is_caught_up_with(world: Any) -> None:
    """It saw on another node what pub/sub has not brought here yet."""
    first, _ = await watching(world)
    await world.append(SHOP, 1)
    await world.append(SHOP, 2, 3, tell=False)
    second, result = await watching(world, recover=True, offset=3, epoch="epoch-one")
    assert result["recovered"]
    await world.append(SHOP, 4)
    await world.rest(0.05)
    assert second.received == [4]
    assert first.received == [1, 2, 3, 4]


async def test_newcomers_in_a_storm_of_events_miss_and_repeat_nothing(world: Any) -> None:
    """Sessions come in while events are published, lost and repeated at random."""
    dice = random.Random(7)
    await world.append(SHOP, 1)
    joined: list[tuple[Any, int]] = []
    n = 1
    for _ in range(60):
        for _ in range(dice.randrange(4)):
            n += 1
            await world.append(SHOP, n, tell=dice.random() > 0.3)
        if dice.random() < 0.2:
            world.broker.wipe()
        if dice.random() < 0.5:
            start = dice.randrange(n + 1)
            peer = await world.connected(f"guest-{n}")
            peer.say(
                {
                    "id": 2,
                    "subscribe": {
                        "channel": SHOP,
                        "recover": True,
                        "offset": start,
                        "epoch": "epoch-one",
                    },
                }
            )
            joined.append((peer, start))
    await world.append(SHOP, n + 1)
    await world.rest(1.5)
    assert joined
    for peer, start in joined:
        assert peer.received == list(range(start + 1, n + 2))


async def test_history_and_sync_page_from_postgresql(world: Any) -> None:
    await world.append(SHOP, *range(1, 501))
    world.broker.wipe()
    peer, _ = await watching(world)
    page = (await peer.ask(history={"channel": SHOP, "limit": -1}))["history"]
    assert (len(page["publications"]), page["offset"]) == (300, 500)
    since = {"offset": 300, "epoch": "epoch-one"}
    page = (await peer.ask(history={"channel": SHOP, "limit": 500, "since": since}))["history"]
    assert [each["offset"] for each in page["publications"]] == list(range(301, 501))
    page = (await peer.ask(history={"channel": SHOP, "limit": 2, "reverse": True}))["history"]
    assert [each["offset"] for each in page["publications"]] == [500, 499]
    page = (await peer.ask(history={"channel": SHOP}))["history"]
    assert page == {"epoch": "epoch-one", "offset": 500}
    wrong = {"channel": SHOP, "limit": 1, "since": {"offset": 3, "epoch": "other"}}
    assert (await peer.ask(history=wrong))["error"]["code"] == 112
    backwards = {"channel": SHOP, "limit": 1, "reverse": True, "since": {"epoch": "epoch-one"}}
    assert (await peer.ask(history=backwards))["error"]["code"] == 107
    data = {"channel": SHOP, "after": 498, "limit": 300}
    synced = (await peer.ask(rpc={"method": "sync", "data": data}))["rpc"]["data"]
    assert [each["offset"] for each in synced["publications"]] == [499, 500]


async def test_a_broken_connection_does_not_cost_the_others_their_frame(world: Any) -> None:
    broken, _ = await watching(world)
    healthy, _ = await watching(world)

    def fails(frame: bytes) -> None:
        raise RuntimeError("the handle is closed")

    world.node.channel(SHOP)._groups[broken.session.encoding][broken.session] = fails
    await world.append(SHOP, 1)
    assert healthy.received == [1]
    assert broken.session.closed
