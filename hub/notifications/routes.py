"""What became of a notice, and which channels a person wants."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ControllerRouterHandler

from hub.clock import Clock
from hub.database import Connection, Database
from hub.identity import Principal
from hub.ids import EventId, PersonId
from hub.limits import limit_by_person
from hub.notifications.errors import NoSuchNotice
from hub.notifications.preferences import preferences_of, switch_channel
from hub.notifications.steps import Timeline, timeline

__all__ = ["routes"]

_STAFF = frozenset({"support", "operations"})


class ChannelSwitches(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Channels to switch on or off; those left out stay as they are."""

    push: bool | None = None
    sms: bool | None = None
    email: bool | None = None


@get("/v1/notices/{event_id:uuid}/timeline")
async def get_timeline(
    request: Request[Principal, Any, Any],
    database: NamedDependency[Database],
    event_id: FromPath[UUID],
    person_id: FromQuery[UUID | None] = None,
) -> Timeline:
    """How one event reached, or did not reach, you; staff may name another person."""
    principal = request.user
    asked = PersonId(person_id or principal.person_id)
    found = None
    if asked == principal.person_id or principal.roles & _STAFF:
        async with database.connection() as c:
            found = await timeline(c, EventId(event_id), asked)
    if found is None:
        raise NoSuchNotice("There is no such notice.")
    return found


@get("/v1/me/channels")
async def get_channels(
    request: Request[Principal, Any, Any], database: NamedDependency[Database]
) -> dict[str, bool]:
    """Which channels may be used to reach you; critical notices use all of them."""
    async with database.connection() as c:
        return await preferences_of(c, request.user.person_id)


@put("/v1/me/channels", guards=[limit_by_person("settings", rate_per_minute=30, burst=30)])
async def put_channels(
    request: Request[Principal, Any, Any],
    database: NamedDependency[Database],
    clock: NamedDependency[Clock],
    data: JSONBody[ChannelSwitches],
) -> dict[str, bool]:
    """Switches channels on or off."""
    person_id = request.user.person_id

    async def work(tx: Connection) -> dict[str, bool]:
        for channel, enabled in msgspec.structs.asdict(data).items():
            if enabled is not None:
                await switch_channel(tx, person_id, channel, enabled, clock.now())
        return await preferences_of(tx, person_id)

    return await database.transaction(work)


routes: list[ControllerRouterHandler] = [get_timeline, get_channels, put_channels]
