"""What the dashboards ask besides the capabilities: configuration, the feed, and operations."""

import msgspec
from litestar import Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromQuery

from hub.database import Database
from hub.events import Streams, personal_stream
from hub.identity import Principal, has_role
from hub.notifications import attempt_counts, escalation_counts
from hub.realtime import Node
from hub.settings import Settings

__all__ = ["routes"]

_FEED_PAGE = 100
_LAST = 2**63 - 1  # what PostgreSQL counts to


@get("/v1/config", opt={"public": True}, sync_to_thread=False)
def config(settings: NamedDependency[Settings]) -> dict[str, object]:
    """What a page must know before anybody signs in; demo people only where the sandbox is on."""
    if not settings.sandbox.enabled:
        return {"sandbox_url": None, "demo": None}
    from hub.demo import PEOPLE

    people = [
        {"name": p.name, "phone": p.phone, "role": "/".join(sorted(p.roles)), "pin": p.pin}
        for p in PEOPLE
    ]
    return {
        "sandbox_url": settings.sandbox.url,
        "service_code": settings.africas_talking.service_code,
        "sender_id": settings.africas_talking.sender_id,
        "demo": {"people": people},
    }


@get("/v1/feed")
async def feed(
    request: Request[Principal, None, State],
    streams: NamedDependency[Streams],
    before: FromQuery[int] = 0,
    limit: FromQuery[int] = 20,
) -> dict[str, object]:
    """The signed-in person's events, newest first; ``before`` is the last offset seen."""
    stream = personal_stream(request.user.person_id)
    limit = max(1, min(limit, _FEED_PAGE))
    entries = await streams.read(
        stream, after=min(max(before, 0), _LAST), limit=limit, reverse=True
    )
    items = [{**msgspec.json.decode(entry.data), "offset": entry.offset} for entry in entries]
    last = entries[-1].offset if len(entries) == limit else 1
    return {"items": items, "next_cursor": str(last) if last > 1 else None}


@get("/v1/ops/overview", guards=[has_role("operations")])
async def overview(
    database: NamedDependency[Database], node: NamedDependency[Node]
) -> dict[str, object]:
    """The state of the system in figures, for the operations view."""
    async with database.connection() as connection:
        waiting = await connection.fetchval("SELECT count(*) FROM outbox")
        tops = await connection.fetchval("SELECT coalesce(sum(top), 0)::bigint FROM streams")
        escalations = await escalation_counts(connection)
        attempts = await attempt_counts(connection)
        recent = await connection.fetch(
            "SELECT kind, event_id, recorded_at FROM audit_log"
            " ORDER BY recorded_at DESC, seq DESC LIMIT 20"
        )
    return {
        "connections": len(node.sessions),
        "outbox_waiting": waiting,
        "stream_tops": tops,
        "escalations": escalations,
        "attempts": attempts,
        "recent": [
            {"kind": row["kind"], "id": row["event_id"], "at": row["recorded_at"]} for row in recent
        ],
    }


routes = [config, feed, overview]
