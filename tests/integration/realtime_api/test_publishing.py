"""``publish``, ``broadcast`` and ``batch`` as another service calls them."""

import base64
from typing import Any

import pytest
from centrifuge import SubscriptionEventHandler

from hub.clock import ManualClock
from hub.realtime import Namespace, RedisBroker
from hub.realtime.outgoing import Outgoing
from hub.redis_client import RedisClient

_CLIENTS_SEND = {f"cmdstat_{name}" for name in ("evalsha", "eval", "script|load", "multi", "exec")}


class Heard(SubscriptionEventHandler):
    def __init__(self) -> None:
        self.publications: list[Any] = []

    async def on_publication(self, ctx: Any) -> None:
        self.publications.append(ctx.pub)


async def listen(gateway: Any, channel: str, user: str = "ada") -> Heard:
    client, _ = await gateway.connect(user)
    heard = Heard()
    subscription = client.new_subscription(channel, events=heard)
    await subscription.subscribe()
    await subscription.ready(timeout=5)
    return heard


async def test_a_publication_reaches_subscribers_of_every_node(pair: Any, until: Any) -> None:
    one, other = pair
    heard = [await listen(one, "room:1"), await listen(other, "room:1", "bob")]
    tags = {"kind": "news"}
    first = await one.result("publish", channel="room:1", data={"n": 1}, tags=tags)
    second = await other.result("publish", channel="room:1", data={"n": 2})
    assert (first["offset"], second["offset"]) == (1, 2)
    assert first["epoch"] == second["epoch"]
    for each in heard:
        await until(lambda each=each: len(each.publications) == 2)
        assert [pub.data for pub in each.publications] == [{"n": 1}, {"n": 2}]
        assert each.publications[0].tags == tags


async def test_the_same_idempotency_key_publishes_once(pair: Any, until: Any) -> None:
    one, other = pair
    heard = await listen(one, "room:1")
    asked = {"channel": "room:1", "data": 1, "idempotency_key": "k1"}
    first = await one.result("publish", **asked)
    assert await other.result("publish", **asked) == first
    assert (await one.result("publish", **{**asked, "idempotency_key": "k2"}))["offset"] == 2
    await until(lambda: len(heard.publications) == 2)
    # another channel is another matter, and one without a stream remembers too
    assert (await one.result("publish", **{**asked, "channel": "room:2"}))["offset"] == 1
    bare = await listen(one, "bare:1", "bob")
    for _ in range(2):
        assert await one.result("publish", **{**asked, "channel": "bare:1"}) == {}
    await one.result("publish", channel="bare:1", data="last")
    await until(lambda: len(bare.publications) == 2)


async def test_an_idempotency_key_is_forgotten_after_five_minutes(
    pair: Any, redis: RedisClient
) -> None:
    one, _ = pair
    await one.result("publish", channel="room:1", data=1, idempotency_key="k1")
    assert 290 <= await redis.ttl("rt:i:{:room:1}:k1") <= 300


async def test_an_older_version_is_not_published(pair: Any) -> None:
    one, other = pair

    async def publish(version: int, epoch: str = "") -> int:
        result = await one.result(
            "publish", channel="room:1", data=version, version=version, version_epoch=epoch
        )
        return int(result["offset"])

    assert [await publish(3), await publish(3), await publish(2), await publish(4)] == [1, 1, 1, 2]
    assert [await publish(1, "new"), await publish(1, "new")] == [3, 3]
    history = await other.result("history", channel="room:1", limit=-1)
    assert [each["data"] for each in history["publications"]] == [3, 4, 1]


async def test_a_publication_may_skip_the_history(pair: Any, until: Any) -> None:
    one, other = pair
    heard = await listen(other, "room:1")
    await one.result("publish", channel="room:1", data=1)
    assert await one.result("publish", channel="room:1", data=2, skip_history=True) == {}
    await until(lambda: [each.data for each in heard.publications] == [1, 2])
    assert (await one.result("history", channel="room:1", limit=10))["offset"] == 1


async def test_data_may_come_in_base64(pair: Any, until: Any) -> None:
    one, _ = pair
    heard = await listen(one, "room:1")
    encoded = base64.b64encode(b'{\n"n": 7}').decode()
    await one.result("publish", channel="room:1", b64data=encoded)
    await until(lambda: [each.data for each in heard.publications] == [{"n": 7}])
    refused = await one.api("publish", channel="room:1", b64data="?")
    assert refused["error"]["code"] == 107
    # what is no JSON is kept as it is, and only shown in base64
    raw = base64.b64encode(b"\xff\x00").decode()
    await one.result("publish", channel="room:2", b64data=raw)
    history = await one.result("history", channel="room:2", limit=1)
    assert history["publications"][0]["b64data"] == raw


async def test_a_broadcast_answers_for_each_channel_in_order(pair: Any) -> None:
    one, _ = pair
    channels = ["room:1", "nowhere:1", "bare:1", "kept:1", "room:1"]
    responses = (await one.result("broadcast", channels=channels, data=1))["responses"]
    codes = [each.get("error", {}).get("code") for each in responses]
    assert codes == [None, 102, None, 108, None]
    assert [each.get("result", {}).get("offset") for each in responses] == [1, None, None, None, 2]
    assert (await one.api("broadcast", channels=[], data=1))["error"]["code"] == 107


@pytest.mark.parametrize("parallel", [False, True])
async def test_a_batch_answers_each_command_without_a_result_around(
    pair: Any, parallel: bool
) -> None:
    one, _ = pair
    answer = await one.api(
        "batch",
        commands=[
            {"publish": {"channel": "room:1", "data": 1}},
            {"broadcast": {"channels": ["room:2", "room:3"], "data": 2}},
            {"publish": {"channel": "nowhere:1", "data": 1}},
            {"presence_stats": {"channel": "room:1"}},
            {},
        ],
        parallel=parallel,
    )
    assert list(answer) == ["replies"]
    published, broadcast, unknown, stats, nothing = answer["replies"]
    assert published["publish"]["offset"] == 1
    assert len(broadcast["broadcast"]["responses"]) == 2
    assert unknown["error"]["code"] == 102
    assert stats["presence_stats"] == {"num_clients": 0, "num_users": 0}
    assert nothing["error"]["code"] == 104


@pytest.mark.parametrize(
    ("asked", "code", "says"),
    [
        ({"channel": "kept:1", "data": 1}, 108, "durable"),
        ({"channel": "mine:#ada", "data": 1}, 108, "durable"),
        ({"channel": "nowhere:1", "data": 1}, 102, "unknown channel"),
        ({"channel": "room:" + "x" * 300, "data": 1}, 107, "bad request"),
        ({"data": 1}, 107, "channel is missing"),
        ({"channel": "room:1"}, 107, "data is missing"),
    ],
)
async def test_what_cannot_be_published_is_said_plainly(
    pair: Any, asked: dict[str, Any], code: int, says: str
) -> None:
    one, _ = pair
    error = (await one.api("publish", **asked))["error"]
    assert error["code"] == code
    assert says in error["message"]


async def test_publishing_takes_one_round_trip(redis: RedisClient, clock: ManualClock) -> None:
    broker = RedisBroker(redis, clock)
    room = Namespace(name="room")

    def outgoing(n: int) -> Outgoing:
        return Outgoing(namespace=room, channel=f"room:{n}", data=b"1", idempotency_key="k")

    await broker.publish_all([outgoing(0)])  # the server learns the script

    async def commands() -> int:
        stats = await redis.info("commandstats")
        outer = [each["calls"] for name, each in stats.items() if name in _CLIENTS_SEND]
        return sum(outer)

    before = await commands()
    await broker.publish_all([outgoing(1)])
    assert await commands() - before == 1
    await broker.publish_all([outgoing(n) for n in range(50)])
    assert await commands() - before == 1 + 50


async def test_a_redis_that_forgot_its_scripts_is_taught_again(
    redis: RedisClient, clock: ManualClock
) -> None:
    broker = RedisBroker(redis, clock)
    batch = [
        Outgoing(namespace=Namespace(name="room"), channel=f"room:{n}", data=b"1") for n in (1, 2)
    ]
    for _ in range(2):
        await redis.script_flush()
        await broker.publish_all(batch)
    assert [each.offset for each in await broker.publish_all(batch) if each] == [3, 3]  # type: ignore[union-attr]


async def test_what_happens_is_counted_by_namespace(pair: Any, until: Any) -> None:
    one, _ = pair
    heard = await listen(one, "room:1")
    await one.result("publish", channel="room:1", data=1)
    await until(lambda: heard.publications)
    await one.result("history", channel="room:1", limit=1)
    counts = one.node.tally.by_namespace["room"]
    told = (counts.publications, counts.deliveries, counts.subscriptions, counts.history_reads)
    assert told == (1, 1, 1, 1)
    assert one.node.tally.by_namespace["bare"].publications == 0
