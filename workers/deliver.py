"""Tells people what live sessions did not: takes due notices, sends them, writes down the outcome.

The attempt is committed before its notice is sent and completed after, so a worker may die at any
point: an attempt without an outcome is in doubt, and the next worker to see it decides by the
delivery reports. Nothing is sent inside a transaction. Any number of these may run.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from channels.base import Address, Channel, Dead, Notice, SendInDoubt
from hub.clock import Clock
from hub.countries import Country
from hub.database import Connection, Database
from hub.errors import HubError, Invalid, NotFound
from hub.identity import Person, get_person
from hub.ids import MessageId, PersonId
from hub.messaging import read_text
from hub.notifications import (
    Claim,
    Dispatch,
    Finished,
    Wording,
    address_hash,
    claim_due,
    complete,
    quiet_end,
)
from hub.sealing import Keyring
from hub.telemetry import logger

__all__ = ["Deliver", "deliver_due"]

_BATCH = 200
_GRACE_SECONDS = 15  # longer than any provider client waits
_log = logger("deliver")


class Deliver(msgspec.Struct, frozen=True):
    """What delivering needs. ``channels`` by name; ``country`` raises ``Invalid`` for others.

    ``sms_per_minute`` caps SMS for each country: after an outage what has piled up leaves at this
    pace instead of as a storm.
    """

    database: Database
    clock: Clock
    keyring: Keyring
    channels: Mapping[str, Channel]
    wording: Wording
    country: Callable[[str], Country]
    sms_per_minute: int = 6_000


async def deliver_due(parts: Deliver, *, limit: int = _BATCH) -> int:
    """One round: how many due notices were looked at. Fewer than ``limit``: nothing is left.

    Cancelled, it first lets the round under way end, so that a worker told to stop leaves nothing
    in doubt behind it.
    """
    under_way = asyncio.ensure_future(_round(parts, limit))
    try:
        return await asyncio.shield(under_way)
    except asyncio.CancelledError:
        await asyncio.wait([under_way], timeout=_GRACE_SECONDS)
        raise


async def _round(parts: Deliver, limit: int) -> int:
    now = parts.clock.now()
    book = _Book(parts)

    async def take(tx: Connection) -> Claim:
        return await claim_due(tx, book, now=now, limit=limit, sms_per_minute=parts.sms_per_minute)

    claim = await parts.database.transaction(take)
    await _send_all(parts, claim.dispatches)
    return claim.rows


async def _send_all(parts: Deliver, dispatches: Sequence[Dispatch]) -> None:
    """Sends side by side; each outcome is written as it comes in, many by one transaction."""
    loop = asyncio.get_running_loop()
    pending = {loop.create_task(_send(parts, dispatch)) for dispatch in dispatches}
    try:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            finished = [task.result() for task in done]

            async def write(tx: Connection, finished: list[Finished] = finished) -> None:
                now = parts.clock.now()
                await _retire(parts, tx, finished, now)
                await complete(tx, finished, now)

            await parts.database.transaction(write)
    finally:
        for task in pending:  # what is cut off here is in doubt, and is treated as such
            task.cancel()


async def _send(parts: Deliver, dispatch: Dispatch) -> Finished:
    """One send. Only cancellation leaves it."""
    try:
        notice = await _worded(parts, dispatch)
    except (HubError, LookupError, msgspec.DecodeError) as fault:
        _log.error("a notice could not be worded", kind=dispatch.kind, exc_info=fault)
        return Finished(dispatch, Dead("it could not be worded"))
    channel = parts.channels[dispatch.channel]
    try:
        return Finished(dispatch, await channel.send(notice))
    except SendInDoubt as doubt:
        return Finished(dispatch, None, doubt.message)
    except Exception as fault:  # whatever it was, the notice may have left
        _log.error("a send broke off", channel=dispatch.channel, fault=type(fault).__name__)
        return Finished(dispatch, None, f"the send broke off: {type(fault).__name__}")


async def _worded(parts: Deliver, dispatch: Dispatch) -> Notice:
    """The notice in the person's language."""
    data = msgspec.json.decode(dispatch.data)
    text = ""
    if dispatch.kind == "message.sent" and dispatch.channel == "sms":
        async with parts.database.connection() as c:
            text = await read_text(c, parts.keyring, MessageId(UUID(data["message_id"])))
    words = parts.wording.notice(
        dispatch.kind, dispatch.channel, dispatch.person.language, data, text
    )
    return Notice(
        event_id=dispatch.event_id,
        kind=dispatch.kind,
        person_id=dispatch.person.id,
        address=dispatch.address,
        title=words.title,
        text=words.text,
        verbatim=words.verbatim,
        urgency=dispatch.urgency,
        number=dispatch.number,
        expires_at=dispatch.expires_at,
        data={"event": dispatch.kind, "id": str(dispatch.event_id)},
    )


async def _retire(
    parts: Deliver, tx: Connection, finished: Sequence[Finished], now: datetime
) -> None:
    for one in finished:
        if isinstance(one.outcome, Dead) and one.outcome.retire:
            channel = parts.channels[one.dispatch.channel]
            await channel.retire(tx, one.dispatch.address, one.outcome.reason, now)


class _Book:
    """The channels as claiming sees them."""

    def __init__(self, parts: Deliver) -> None:
        self._parts = parts

    async def person(self, c: Connection, person_id: PersonId) -> Person | None:
        try:
            return await get_person(c, person_id)
        except NotFound:
            return None

    async def addresses(self, c: Connection, person: Person, channel: str) -> Sequence[Address]:
        return await self._parts.channels[channel].can_reach(c, person)

    def provider(self, channel: str) -> str | None:
        found = self._parts.channels.get(channel)
        return found.provider if found else None

    def hash(self, address: Address) -> bytes:
        return address_hash(self._parts.keyring, address)

    def quiet_until(self, person: Person, now: datetime) -> datetime | None:
        try:
            hours = self._parts.country(person.country).quiet_hours
        except Invalid:
            return None
        return quiet_end(now, hours.start, hours.end, person.timezone) if hours else None
