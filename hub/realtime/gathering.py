"""Commands of many callers as few pipelines: what is asked while one is under way comes next.

When thousands of clients come back at once, each asks where its channel stands and notes that it
is there. One command at a time, that is a connection and a round trip each; gathered, a crowd
costs little more than one caller, and one caller alone waits for nobody.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hub.realtime.scripts import Command

__all__ = ["Gathering"]

_AT_ONCE = 2
_MOST = 1_000


class Gathering:
    """``send`` takes commands and returns their answers in order, failures in their places."""

    def __init__(self, send: Callable[[Sequence[Command]], Awaitable[list[Any]]]) -> None:
        self._send = send
        self._waiting: list[tuple[Sequence[Command], asyncio.Future[list[Any]]]] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def ask(self, *commands: Command) -> list[Any]:
        """The answers to ``commands``, which stay together and in their order. Raises what
        ``send`` raised for all, or what one of these commands failed with."""
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append((commands, answer))
        if len(self._under_way) < _AT_ONCE:
            self._start()
        answers = await answer
        for each in answers:
            if isinstance(each, Exception):
                raise each
        return answers

    def _start(self) -> None:
        task = asyncio.ensure_future(self._round())
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        if self._waiting:
            self._start()

    async def _round(self) -> None:
        """Sends what waits by now; the first turn of this task lets a whole loop turn gather."""
        taken, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
        if not taken:
            return
        try:
            answers = await self._send([each for commands, _ in taken for each in commands])
        except BaseException as fault:
            for _, answer in taken:
                if not answer.done():
                    answer.set_exception(
                        fault if isinstance(fault, Exception) else ConnectionError("stopped")
                    )
            if not isinstance(fault, Exception):
                raise
            return
        start = 0
        for commands, answer in taken:
            end = start + len(commands)
            if not answer.done():  # whoever asked may have gone
                answer.set_result(answers[start:end])
            start = end
