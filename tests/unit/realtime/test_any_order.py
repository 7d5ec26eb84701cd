"""Whatever commands come in whatever order: one answer each, or one known end; no one else suffers.

Each example is a new client of the same gateway, beside a witness who must not notice anything.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.realtime import codes

RULES = """
[client]
allow_anonymous_connect_without_token = true
channel_limit = 3

[client.subscribe_to_user_personal_channel]
enabled = true

[channel.without_namespace]
allow_subscribe_for_client = true
allow_subscribe_for_anonymous = true
allow_publish_for_subscriber = true
allow_publish_for_anonymous = true
allow_history_for_subscriber = true
allow_presence_for_subscriber = true
allow_user_limited_channels = true
history_size = 5
history_ttl = "60s"
allow_recovery = true
presence = true
join_leave = true
allow_tags_filter = true
allowed_delta_types = ["fossil"]
"""

ENDS = {each.code for each in vars(codes).values() if isinstance(each, codes.Disconnect)}
ERRORS = {each.code for each in vars(codes).values() if isinstance(each, codes.Error)}

channels = st.sampled_from(["a", "b", "c", "d", "#ada", "x#bob", "$p", "no:where", "é", "a b"])
numbers = st.sampled_from([0, 1, 2, 5, -1, 2**53, 2**53 + 1])
epochs = st.sampled_from(["", "ephemera", "other"])
tokens = st.sampled_from(["", "", "bad", "ada", "ada:a"])


def command(name: str, **optional: Any) -> Any:
    """A command in a channel, with some of its members."""
    return st.fixed_dictionaries(
        {name: st.fixed_dictionaries({"channel": channels}, optional=optional)}
    )


position = st.fixed_dictionaries({}, optional={"offset": numbers, "epoch": epochs})
node = {"op": st.sampled_from(["", "not", "what"]), "key": st.just("k"), "cmp": st.just("ex")}
wishes: dict[str, Any] = {
    "recover": st.booleans(),
    "recoverable": st.booleans(),
    "positioned": st.booleans(),
    "join_leave": st.booleans(),
    "offset": numbers,
    "epoch": epochs,
    "flag": st.integers(0, 3),
    "delta": st.sampled_from(["", "fossil", "other"]),
    "tf": st.fixed_dictionaries({}, optional=node),
}
polite = st.one_of(
    command("subscribe", token=tokens, **wishes),
    command("subscribe"),
    command("unsubscribe"),
    command("publish", data=st.just({"n": 1})),
    command("presence"),
    command("presence_stats"),
    command("history", limit=numbers, since=position, reverse=st.booleans()),
    command("sub_refresh", token=tokens),
    st.just({"refresh": {"token": "ada"}}),
    st.sampled_from([{"rpc": {"method": each}} for each in ("ack", "sync", "typing", "x")]),
)
rude = st.one_of(
    st.just({"connect": {"token": "ada"}}),
    st.just({"ping": {}}),
    st.just({"send": {"data": 1}}),
    st.just({}),
    st.just({"subscribe": {"channel": "a", "token": "bob:a"}}),
    st.sampled_from([{"refresh": {"token": each}} for each in ("", "bad", "bob", "ada:a")]),
    st.sampled_from([{each: {}} for each in ("subscribe", "history", "presence", "publish")]),
)
resumed = st.dictionaries(channels, st.fixed_dictionaries({}, optional=wishes), max_size=2)
first = st.one_of(
    st.just({"connect": {"token": "ada"}}),
    st.just({"connect": {}}),
    st.fixed_dictionaries({"connect": st.fixed_dictionaries({"subs": resumed})}),
    st.just({"subscribe": {"channel": "a"}}),
)
talk = st.tuples(
    st.lists(first, min_size=1, max_size=1),
    st.lists(st.lists(polite, min_size=1, max_size=4), max_size=8),
    st.lists(rude, max_size=1),
    st.lists(polite, max_size=2),
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(talk)
async def test_every_command_is_answered_once_or_the_connection_ends(
    gateway: Any,
    signed: Callable[..., str],
    said: tuple[list[Any], list[Any], list[Any], list[Any]],
) -> None:
    world = await _world(gateway, signed)
    witness = world.witness
    peer = world.peer()
    number = 0
    opening, middle, offence, rest = said
    frames = [each for each in (opening, *middle, [*offence, *rest]) if each]
    expected: list[int] = []
    for frame in frames:
        commands = []
        for command in frame:
            number += 1
            commands.append({"id": number, **_signed(command, signed)})
            expected += [number] if "send" not in command else []
        peer.session.receive("\n".join(map(json.dumps, commands)).encode())
        await asyncio.sleep(0)
    for _ in range(200):
        answered = [each["id"] for each in peer.messages if "id" in each]
        if peer.closed or len(answered) == len(expected):
            break
        await asyncio.sleep(0.001)
    assert len(set(answered)) == len(answered)
    if peer.closed:
        assert peer.closed[0] in ENDS
        assert peer.closed[0] not in (3004, 3000)
        assert answered == expected[: len(answered)]
    else:
        assert answered == expected
        peer.session.lost()
    errors = {each["error"]["code"] for each in peer.messages if "error" in each}
    assert errors <= ERRORS - {100}
    await world.rest(0.002)
    assert world.node.tally.faults == 0
    assert world.node.sessions == {witness.session}
    assert world.node.channel_count == 2  # the witness's own, and the one it watches
    await witness.ask(publish={"channel": "watched", "data": {"n": number}})
    await world.rest(0.002)
    assert witness.received[-1] == number
    assert witness.closed is None


_worlds: dict[int, Any] = {}


async def _world(gateway: Any, signed: Callable[..., str]) -> Any:
    """One gateway for all examples of a run."""
    world = _worlds.get(id(gateway))
    if world is None:
        world = await gateway(RULES)
        world.witness = await world.connected(signed(sub="witness"))
        await world.witness.ask(subscribe={"channel": "watched"})
        _worlds[id(gateway)] = world
    return world


def _signed(command: dict[str, Any], signed: Callable[..., str]) -> dict[str, Any]:
    """The command with its tokens made real: ``user`` or ``user:channel``."""
    made = {}
    for name, request in command.items():
        made[name] = dict(request)
        token = request.get("token")
        if token and token != "bad":
            user, _, channel = token.partition(":")
            claims = {"sub": user, **({"channel": channel} if channel else {})}
            made[name]["token"] = signed(**claims)
    return made
