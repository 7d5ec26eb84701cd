"""A feature phone in the terminal: ``hub phone +254700000001``.

Line by line, over the sandbox's phone API, so that it works typed and piped. Messages are shown as
they come. While a USSD session is open every line answers it; ``cancel`` ends it.
"""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable

import httpx
import msgspec

__all__ = ["run_phone"]

_HELP = """\
  *384*7#        dial a USSD code; then type the answers, or cancel
  > text         answer the last message (also: sms text)
  sms +N text    text to a number or a name
  inbox          all messages again
  wait SECONDS   wait for the next message (for scripts)
  quit           switch off"""
_POLL_SECONDS = 1.0


class _Message(msgspec.Struct):
    id: str
    direction: str
    peer: str
    text: str
    at: int


class _Messages(msgspec.Struct):
    items: list[_Message]


class _Turn(msgspec.Struct):
    session_id: str | None
    text: str
    more: bool


async def run_phone(
    sandbox_url: str,
    msisdn: str,
    *,
    lines: AsyncIterator[str] | None = None,
    show: Callable[[str], None] | None = None,
) -> None:
    """Runs the phone until ``quit`` or the end of the input.

    ``lines`` and ``show`` are standard input and output unless given.
    """
    async with httpx.AsyncClient(
        base_url=sandbox_url.rstrip("/"), timeout=30, trust_env=False
    ) as client:
        phone = _Phone(client, msisdn, show or _write)
        await phone.use(lines or _standard_input())


class _Phone:
    def __init__(self, client: httpx.AsyncClient, msisdn: str, show: Callable[[str], None]) -> None:
        self._client = client
        self._path = f"/phone/{msisdn}"
        self._name = msisdn
        self._show = show
        self._session: str | None = None
        self._last_id: str | None = None
        self._last_peer: str | None = None
        self._came = asyncio.Event()
        self._looking = asyncio.Lock()
        self._reachable = True

    async def use(self, lines: AsyncIterator[str]) -> None:
        self._show(f"Phone {self._name} is on. Type help for help.")
        await self._look(quiet=True)
        listener = asyncio.get_running_loop().create_task(self._listen())
        try:
            async for line in lines:
                if line.strip() == "quit":
                    break
                await self._obey(line.strip())
            await self._look()
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    async def _obey(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if not line:
            return
        if line == "help":
            self._show(_HELP)
        elif line == "inbox":
            await self._inbox()
        elif word == "wait" and rest.isdigit() and self._session is None:
            await self._wait(int(rest))
        elif word == ">" or word == "sms":
            await self._text(rest.strip())
        elif line.startswith("*") and line.endswith("#"):
            self._session = None
            await self._key(line)
        elif self._session is not None:
            await (self._cancel() if line == "cancel" else self._key(line))
        else:
            self._show("Not understood; type help for help.")

    async def _key(self, keys: str) -> None:
        body = {"session_id": self._session, "input": keys}
        answer = await self._call("POST", "/ussd", body)
        if answer is None:
            self._session = None
            return
        turn = msgspec.json.decode(answer, type=_Turn)
        self._session = turn.session_id if turn.more else None
        self._show("\n".join(f"| {line}" for line in turn.text.split("\n")))
        if not turn.more:
            self._show("(session ended)")

    async def _cancel(self) -> None:
        await self._call("DELETE", f"/ussd/{self._session}")
        self._session = None
        self._show("(session ended)")

    async def _text(self, rest: str) -> None:
        first, _, remainder = rest.partition(" ")
        to, text = (first, remainder) if first.startswith("+") else (self._last_peer, rest)
        if to is None:
            self._show("No message to answer yet; write: sms +NUMBER text")
        elif not text:
            self._show("Write something after it.")
        elif await self._call("POST", "/messages", {"to": to, "text": text}) is not None:
            self._show(f"(sent to {to})")

    async def _inbox(self) -> None:
        answer = await self._call("GET", "/messages")
        if answer is None:
            return
        items = msgspec.json.decode(answer, type=_Messages).items
        for message in items:
            self._show_message(message)
        if not items:
            self._show("(no messages)")

    async def _wait(self, seconds: int) -> None:
        try:  # one that came since the last wait counts: it may have been quicker than the script
            async with asyncio.timeout(seconds):
                await self._came.wait()
        except TimeoutError:
            self._show("(no message came)")
        self._came.clear()

    async def _listen(self) -> None:
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            await self._look()

    async def _look(self, *, quiet: bool = False) -> None:
        """Shows what came since the last look; ``quiet`` only remembers where the inbox ends."""
        async with self._looking:
            after = f"?after={self._last_id}" if self._last_id else ""
            answer = await self._call("GET", f"/messages{after}")
            items = msgspec.json.decode(answer, type=_Messages).items if answer else []
            for message in items:
                self._last_id = message.id
                if message.direction != "in":
                    continue
                self._last_peer = message.peer
                if not quiet:
                    self._show_message(message)
                    self._came.set()

    def _show_message(self, message: _Message) -> None:
        arrow = "from" if message.direction == "in" else "to"
        self._show(f"[SMS {arrow} {message.peer}] {message.text}")

    async def _call(
        self, method: str, path: str, body: dict[str, str | None] | None = None
    ) -> bytes | None:
        """The answer's body; None, after saying why, where there is none."""
        try:
            answer = await self._client.request(method, self._path + path, json=body)
        except httpx.HTTPError:
            if self._reachable:
                self._show("(no network: the sandbox does not answer)")
            self._reachable = False
            return None
        self._reachable = True
        if answer.is_success:
            return answer.content
        try:
            detail = str(answer.json().get("detail", ""))
        except ValueError:
            detail = ""
        self._show(f"({detail or f'the network answered {answer.status_code}'})")
        return None


async def _standard_input() -> AsyncIterator[str]:
    """Lines of standard input, read in a thread that does not hold up the end."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[str | None]()

    def read() -> None:
        try:
            for line in sys.stdin:
                loop.call_soon_threadsafe(queue.put_nowait, line)
            loop.call_soon_threadsafe(queue.put_nowait, None)
        except RuntimeError:  # the loop is gone: the phone was switched off
            return

    threading.Thread(target=read, daemon=True).start()
    while (line := await queue.get()) is not None:
        yield line


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
