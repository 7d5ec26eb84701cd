"""Lua scripts beside this file, run by their digest: one round trip, on one node or a cluster.

A server that does not know a script (it was restarted, or a replica took over) is given it and
asked again; a pipeline then repeats only what has failed for that reason.
"""

from collections.abc import Sequence
from hashlib import sha1
from importlib.resources import files
from typing import Any, cast

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError

from hub.redis_client import RedisClient

__all__ = ["Call", "Script", "run", "run_all"]

_TRIED_AGAIN = (NoScriptError, RedisConnectionError)
_MORE_ATTEMPTS = 3
Words = Sequence[str | bytes | int]


class Script:
    """A script by the name of its file."""

    def __init__(self, name: str) -> None:
        self.text = (files("hub.realtime") / name).read_text("utf-8")
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


Call = tuple[Script, Words, Words]
"""A script, its keys (of one slot), its arguments."""


async def run(redis: RedisClient, call: Call) -> Any:
    script, keys, words = call
    try:
        return await _evalsha(redis, call)
    except NoScriptError:
        return await cast("Any", redis).eval(script.text, len(keys), *keys, *words)


async def run_all(redis: RedisClient, calls: Sequence[Call]) -> list[Any]:
    """Runs calls in one round trip (in a cluster, one for each node, in their order for each
    slot). What failed is in its place as the exception; what failed with a lost connection or
    for want of the script was tried again."""
    answers = await _pipelined(redis, calls)
    for _ in range(_MORE_ATTEMPTS):
        failed = [at for at, answer in enumerate(answers) if isinstance(answer, _TRIED_AGAIN)]
        if not failed:
            break
        unknown = [calls[at][0] for at in failed if isinstance(answers[at], NoScriptError)]
        for text in {script.text for script in unknown}:
            await redis.script_load(text)
        again = await _pipelined(redis, [calls[at] for at in failed])
        for at, answer in zip(failed, again, strict=True):
            answers[at] = answer
    return answers


async def _pipelined(redis: RedisClient, calls: Sequence[Call]) -> list[Any]:
    pipe = redis.pipeline(transaction=False)
    for call in calls:
        # By its words: a cluster's pipeline has no method for it, and needs none for one slot
        _evalsha(pipe, call)
    answers: list[Any] = await pipe.execute(raise_on_error=False)
    return answers


def _evalsha(client: Any, call: Call) -> Any:
    script, keys, words = call
    return client.execute_command("EVALSHA", script.digest, len(keys), *keys, *words)
