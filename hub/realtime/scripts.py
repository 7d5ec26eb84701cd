"""Lua scripts beside this file, run by their digest: one round trip, on one node or a cluster.

A server that does not know a script (it was restarted, or a replica took over) is given it and
asked again; a pipeline then repeats only what has failed for that reason.
"""

import asyncio
from collections.abc import Sequence
from hashlib import sha1
from importlib.resources import files
from typing import Any, cast

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisClusterException

from hub.redis_client import RedisClient, RedisError, by_node, drop_idle_connections, is_cluster

__all__ = ["Call", "Script", "ask_all", "run", "run_all"]

_MORE_ATTEMPTS = 3
_SHARD_SECONDS = 2.0
Words = Sequence[str | bytes | int]


class Script:
    """A script by the name of its file."""

    def __init__(self, name: str) -> None:
        self.text = (files("hub.realtime") / name).read_text("utf-8")
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


Command = tuple[str | bytes | int, ...]
Call = tuple[Script, Words, Words]
"""A script, its keys (of one slot), its arguments."""


async def run(redis: RedisClient, call: Call) -> Any:
    script, keys, words = call
    try:
        return await cast("Any", redis).execute_command(*_evalsha(call))
    except NoScriptError:
        return await cast("Any", redis).eval(script.text, len(keys), *keys, *words)


async def run_all(redis: RedisClient, calls: Sequence[Call]) -> list[Any]:
    """Runs calls like ``ask_all``."""
    commands = [_evalsha(call) for call in calls]
    answers = await ask_all(redis, commands)
    missing = [at for at, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
    if missing:
        for text in {calls[at][0].text for at in missing}:
            await redis.script_load(text)
        again = await ask_all(redis, [commands[at] for at in missing])
        for at, answer in zip(missing, again, strict=True):
            answers[at] = answer
    return answers


async def ask_all(redis: RedisClient, commands: Sequence[Command]) -> list[Any]:
    """Sends commands in one round trip (in a cluster, one for each node, in their order for each
    slot). What failed is in its place as the exception; what failed with a lost connection was
    tried again."""
    answers = await _pipelined(redis, commands)
    for _ in range(_MORE_ATTEMPTS):
        lost = [at for at, answer in enumerate(answers) if isinstance(answer, RedisConnectionError)]
        if not lost:
            break
        await drop_idle_connections(redis)  # one that broke is seldom alone
        again = await _pipelined(redis, [commands[at] for at in lost])
        for at, answer in zip(lost, again, strict=True):
            answers[at] = answer
    return answers


async def _pipelined(redis: RedisClient, commands: Sequence[Command]) -> list[Any]:
    if not is_cluster(redis):
        return await _pipeline(redis, commands)
    answers: list[Any] = [None] * len(commands)

    async def ask(places: list[int]) -> None:
        found: Sequence[Any]
        try:
            async with asyncio.timeout(_SHARD_SECONDS):
                found = await _pipeline(redis, [commands[at] for at in places])
        except (RedisError, RedisClusterException, OSError, TimeoutError) as fault:
            found = [fault] * len(places)  # a shard that is away costs the others nothing
        for at, answer in zip(places, found, strict=True):
            answers[at] = answer

    await asyncio.gather(*map(ask, await by_node(redis, [_key(words) for words in commands])))
    return answers


def _key(words: Command) -> str | bytes | int:
    return words[3] if words[0] == "EVALSHA" else words[1]


async def _pipeline(redis: RedisClient, commands: Sequence[Command]) -> list[Any]:
    pipe = redis.pipeline(transaction=False)
    for words in commands:
        # By its words: a cluster's pipeline lacks methods, and needs none where keys share a slot
        pipe.execute_command(*words)
    answers: list[Any] = await pipe.execute(raise_on_error=False)
    return answers


def _evalsha(call: Call) -> Command:
    script, keys, words = call
    return ("EVALSHA", script.digest, len(keys), *keys, *words)
