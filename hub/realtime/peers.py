"""What the nodes of one Redis say to each other: a question to all, and their answers.

A question concerns sessions that may be on any node. Each node answers for its own; the asker
answers at once itself, and waits for the others as long as ``PATIENCE`` allows, because a node
that is stuck must not hold up who asks. Redis tells how many nodes hear a question, so nobody
waits for the dead. Nodes that are alive are noted in Redis, with what they last told of
themselves.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec

from hub.errors import HubError
from hub.realtime.errors import BrokerDown
from hub.realtime.ports import Broker
from hub.realtime.publication import Message

__all__ = ["EVERY_NODE", "PATIENCE", "Peers"]

logger = logging.getLogger(__name__)

EVERY_NODE = "\0nodes"
"""A channel no client can name: channels of clients are printable."""
PATIENCE = 1.0
_QUESTION, _ANSWER = b"q", b"a"
_RETRY_SECONDS = 1.0
_HEARTBEAT_SECONDS = 20

Answering = Callable[[bytes], Awaitable[object]]
"""Gets a question as JSON; returns what msgspec can encode."""


class _Question(msgspec.Struct, frozen=True):
    number: int
    asker: str
    question: msgspec.Raw


class _Answer(msgspec.Struct, frozen=True):
    number: int
    answer: msgspec.Raw


class _Gathering:
    """Answers to one question. ``left`` is how many nodes are still to be heard of."""

    def __init__(self, answers: list[bytes]) -> None:
        self.answers = answers
        self.left: int | None = None
        self.early = 0
        self.complete = asyncio.Event()

    def expect(self, heard: int) -> None:
        self.left = heard - self.early
        if self.left <= 0:
            self.complete.set()

    def arrived(self) -> None:
        if self.left is None:
            self.early += 1
        else:
            self.left -= 1
            if self.left <= 0:
                self.complete.set()


class Peers:
    """One node among the others. ``about`` tells of it in one JSON object."""

    def __init__(
        self, broker: Broker, node_id: str, answering: Answering, about: Callable[[], object]
    ) -> None:
        self._broker = broker
        self._node_id = node_id
        self._answering = answering
        self._about = about
        self._number = 0
        self._gatherings: dict[int, _Gathering] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.address = f"\0peer:{node_id}"

    async def ask(self, question: object) -> list[bytes]:
        """The answers, as JSON, of this node and of all that answer in time.

        Raises ``BrokerDown`` where the others cannot be asked; this node has done its part then.
        """
        asked = msgspec.json.encode(question)
        gathering = _Gathering([msgspec.json.encode(await self._answering(asked))])
        self._number += 1
        number = self._number
        self._gatherings[number] = gathering
        try:
            message = msgspec.json.encode(_Question(number, self._node_id, msgspec.Raw(asked)))
            gathering.expect(await self._broker.announce(EVERY_NODE, message, kind=_QUESTION) or 0)
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await gathering.complete.wait()
        finally:
            del self._gatherings[number]
        return gathering.answers

    async def known(self) -> list[bytes]:
        """What each living node last told of itself."""
        return list((await self._broker.presence(EVERY_NODE)).values())

    def receive(self, message: Message) -> None:
        """Takes what another node sent."""
        data = message.publication.data
        with suppress(msgspec.DecodeError):
            if message.kind == _QUESTION:
                question = msgspec.json.decode(data, type=_Question)
                if question.asker == self._node_id:
                    self._arrived(question.number)  # our own: answered already
                else:
                    self._spawn(self._answer(question))
            elif message.kind == _ANSWER:
                answer = msgspec.json.decode(data, type=_Answer)
                gathering = self._gatherings.get(answer.number)
                if gathering is not None:
                    gathering.answers.append(bytes(answer.answer))
                    gathering.arrived()

    def _arrived(self, number: int) -> None:
        gathering = self._gatherings.get(number)
        if gathering is not None:
            gathering.arrived()

    async def _answer(self, question: _Question) -> None:
        try:
            answer = msgspec.json.encode(await self._answering(bytes(question.question)))
            message = msgspec.json.encode(_Answer(question.number, msgspec.Raw(answer)))
            await self._broker.announce(f"\0peer:{question.asker}", message, kind=_ANSWER)
        except (HubError, msgspec.DecodeError) as fault:
            logger.warning("a question of another node could not be answered: %s", fault)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def keep_present(self) -> None:
        """Listens for others and says again and again that this node is alive."""
        while True:
            try:
                await self._broker.subscribe(EVERY_NODE)
                await self._broker.subscribe(self.address)
                about = msgspec.json.encode(self._about())
                await self._broker.enter(EVERY_NODE, {self._node_id: about})
                pause: float = _HEARTBEAT_SECONDS
            except BrokerDown as fault:
                logger.warning("this node does not hear the others: %s", fault.message)
                pause = _RETRY_SECONDS
            await asyncio.sleep(pause)

    async def leave(self) -> None:
        """This node stops."""
        with suppress(BrokerDown):
            await self._broker.leave(EVERY_NODE, self._node_id)
