"""Keeps the tables small and the promises about time: what is past its day is cut."""

from datetime import timedelta

from hub.clock import Clock
from hub.database import Connection, Database

__all__ = ["STREAM_RETENTION", "cut_streams"]

STREAM_RETENTION = timedelta(days=30)
_BATCH = 10_000


async def cut_streams(database: Database, clock: Clock) -> int:
    """Removes stream entries older than 30 days; how many went.

    Only published entries go, oldest first, so what is left has no gap. A client that was away
    for longer is told ``recovered: false`` and reloads.
    """
    before = clock.now() - STREAM_RETENTION

    async def cut(tx: Connection) -> int:
        rows = await tx.fetch(
            'DELETE FROM stream_entries WHERE (stream, "offset") IN ('
            ' SELECT e.stream, e."offset" FROM stream_entries e JOIN streams s ON s.name = e.stream'
            ' WHERE e.recorded_at < $1 AND e."offset" <= s.published LIMIT $2)'
            " RETURNING 1",
            before,
            _BATCH,
        )
        return len(rows)

    return await database.transaction(cut)
