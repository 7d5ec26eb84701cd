"""New connections enter a few at each turn of the event loop; of those that wait, the newest first.

When a node dies, all its clients knock here at once. Served side by side they would all be late:
each waits for the work of all others at each step, gives up after its 5 s, and what was done for
it is lost. Served in the order they came it is no better: whoever reaches the front has waited
nearly as long as it is willing to. The newest is the one that is still there when its answer
comes; the others come again after a pause, as the newest. A client on a slow network holds nobody
up: what is counted is the beginning.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from weakref import WeakKeyDictionary

__all__ = ["Doorway", "doorway", "listeners"]

logger = logging.getLogger(__name__)

_AT_ONCE = 8
_LISTENERS = 16


class Doorway:
    """Those who wait in front of one event loop."""

    __slots__ = ("_at_once", "_due", "_waiting")

    def __init__(self, at_once: int = _AT_ONCE) -> None:
        self._at_once = at_once
        self._waiting: list[Callable[[], None]] = []
        self._due = False

    def enter(self, begin: Callable[[], None]) -> None:
        """Calls ``begin`` soon: at the next turn of the loop where nobody else waits."""
        self._waiting.append(begin)
        self._call_again()

    def _let_in(self) -> None:
        self._due = False
        for _ in range(min(self._at_once, len(self._waiting))):
            begin = self._waiting.pop()
            try:
                begin()
            except Exception:
                logger.exception("a connection could not be let in")
        self._call_again()

    def _call_again(self) -> None:
        if self._waiting and not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._let_in)


_doorways: WeakKeyDictionary[asyncio.AbstractEventLoop, Doorway] = WeakKeyDictionary()


def doorway() -> Doorway:
    """The doorway of the running loop."""
    loop = asyncio.get_running_loop()
    found = _doorways.get(loop)
    if found is None:
        found = _doorways[loop] = Doorway()
    return found


def listeners(listener: socket.socket, count: int = _LISTENERS) -> list[socket.socket]:
    """The same listening socket ``count`` times, for ``uvicorn.Server.serve(sockets=...)``.

    libuv takes one connection from each at a turn of the loop. From a single one a crowd is taken
    so slowly that it waits in the kernel, in the order it came, where nobody can choose.
    """
    return [listener, *(listener.dup() for _ in range(count - 1))]
