"""Carries to the hub what the providers owe it, however often the hub is down.

A call is a row before it is tried and goes when the hub answered 2xx. Connection faults, timeouts,
408, 429 and 5xx are tried again with doubling waits, for about five minutes; then the row stays as
given up and can be read at ``/callbacks``. A provider that ``insists`` (Paystack: anything but 200
counts as not received) tries again after other answers too. A crash between the hub's answer and
the delete repeats the call: as with the real ones, at least once.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlencode

import httpx
import msgspec

from hub.clock import Clock, milliseconds
from hub.sandbox.store import Row, Store

__all__ = ["Courier", "Pace"]

_log = logging.getLogger(__name__)
_RETRIED = frozenset({408, 425, 429})
_CONCURRENCY = 32


class Pace(msgspec.Struct, frozen=True):
    """How long things take, in milliseconds; tests hurry."""

    sent_report: int = 400
    final_report: int = 1_500
    first_retry: int = 500
    longest_retry: int = 30_000
    retries: int = 15  # 0.5 s doubling to 30 s: about five minutes
    call_timeout: int = 10_000
    ussd_answer: int = 15_000  # Africa's Talking's limit for the application
    ussd_session: int = 180_000
    housekeeping: int = 5_000


class Courier:
    """The sandbox's one sender of callbacks and webhooks."""

    def __init__(self, store: Store, clock: Clock, hub_url: str, pace: Pace) -> None:
        self._store = store
        self._clock = clock
        self._pace = pace
        self._client = httpx.AsyncClient(
            base_url=hub_url.rstrip("/"),
            timeout=pace.call_timeout / 1000,
            limits=httpx.Limits(max_connections=_CONCURRENCY * 2),
            trust_env=False,
            verify=hub_url.startswith("https:"),  # loading certificates takes a while
        )
        self._woken = asyncio.Event()
        self._under_way: dict[int, asyncio.Task[None]] = {}

    @property
    def client(self) -> httpx.AsyncClient:
        """The connection pool to the hub."""
        return self._client

    def owe_form(self, what: str, path: str, form: Mapping[str, str], *, after: int = 0) -> int:
        """Owes the hub a form post, due in ``after`` ms; returns the call's number."""
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return self.owe(what, path, headers, urlencode(form).encode(), after=after)

    def owe(
        self,
        what: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        after: int = 0,
        insists: bool = False,
    ) -> int:
        """Owes the hub a POST of exactly these bytes; returns the call's number."""
        number = self._store.run(
            "INSERT INTO calls (what, path, headers, body, due_at, insists)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            what,
            path,
            msgspec.json.encode(headers).decode(),
            body,
            self._now() + after,
            insists,
        )
        self._woken.set()
        return number

    async def carry_now(self, number: int) -> None:
        """Tries one call at once and waits for the hub's answer."""
        call = self._store.one("SELECT * FROM calls WHERE seq = ?", number)
        if call is not None and number not in self._under_way:
            self._start(call)
            await self._under_way[number]

    async def run(self) -> None:
        """Carries due calls until cancelled."""
        try:
            while True:
                self._woken.clear()
                wait = self._carry_due()
                # Not wait_for: in Python 3.11 it can swallow a cancellation, and the end hangs.
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._woken.wait()
        finally:
            for task in self._under_way.values():
                task.cancel()
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)
            await self._client.aclose()

    def _carry_due(self) -> float:
        """Starts what is due and fits; returns the seconds until the next look."""
        free = _CONCURRENCY - len(self._under_way)
        if free <= 0:
            return 60.0
        rows = self._store.all(
            "SELECT * FROM calls WHERE given_up = 0 ORDER BY due_at, seq LIMIT ?",
            free + len(self._under_way),
        )
        now = self._now()
        for row in rows:
            if row["seq"] in self._under_way:
                continue
            if row["due_at"] > now:
                return float(max((row["due_at"] - now) / 1000, 0.001))
            self._start(row)
        return 60.0

    def _start(self, call: Row) -> None:
        number = int(call["seq"])
        task = asyncio.get_running_loop().create_task(self._carry(call))
        self._under_way[number] = task
        task.add_done_callback(lambda _: self._finished(number))

    def _finished(self, number: int) -> None:
        self._under_way.pop(number, None)
        self._woken.set()

    async def _carry(self, call: Row) -> None:
        problem, again = await self._post(call)
        if not problem:
            self._store.run("DELETE FROM calls WHERE seq = ?", call["seq"])
            return
        attempts = call["attempts"] + 1
        again = (again or bool(call["insists"])) and attempts <= self._pace.retries
        wait = min(self._pace.first_retry * 2 ** min(attempts - 1, 20), self._pace.longest_retry)
        self._store.run(
            "UPDATE calls SET attempts = ?, problem = ?, given_up = ?, due_at = ? WHERE seq = ?",
            attempts,
            problem,
            not again,
            self._now() + wait,
            call["seq"],
        )
        if not again:
            _log.warning("the hub did not take %s: %s", call["what"], problem)

    async def _post(self, call: Row) -> tuple[str, bool]:
        """What went wrong, empty for nothing, and whether another try may help."""
        headers = msgspec.json.decode(call["headers"], type=dict[str, str])
        try:
            answer = await self._client.post(call["path"], headers=headers, content=call["body"])
        except httpx.HTTPError as fault:
            return type(fault).__name__, True
        if answer.is_success:
            return "", False
        return f"HTTP {answer.status_code}", answer.is_server_error or (
            answer.status_code in _RETRIED
        )

    def _now(self) -> int:
        return milliseconds(self._clock.now())
