"""Walks the audit chains again from their beginning."""

from datetime import datetime

import msgspec

from hub.audit.chain import Record, link
from hub.database import Database

__all__ = ["ChainReport", "verify_chains"]

_PAGE = 5_000
_HEADS = """
SELECT h.shard, h.seq, h.hash, coalesce(max(l.seq), 0) AS last
FROM audit_heads h LEFT JOIN audit_log l ON l.shard = h.shard AND l.seq > h.seq
GROUP BY h.shard, h.seq, h.hash ORDER BY h.shard
"""


class ChainReport(msgspec.Struct, frozen=True):
    """What the walk found. ``broken`` names the first row of each shard that does not fit."""

    records: int
    broken: list[str]
    waiting: int
    oldest_waiting: datetime | None


async def verify_chains(database: Database) -> ChainReport:
    """Recomputes every hash; also counts events that are committed and not chained yet.

    A head that was set back, to hide what follows it, is found as well.
    """
    records, broken = 0, []
    async with database.connection() as connection:
        heads = await connection.fetch(_HEADS)  # one statement sees one moment
        waiting = await connection.fetchrow(
            "SELECT count(*) AS count, min(recorded_at) AS oldest FROM outbox WHERE lead"
        )
    for head in heads:
        walked, fault = await _walk(database, head["shard"], head["seq"], head["hash"])
        records += walked
        if fault is None and head["last"]:
            fault = f"shard {head['shard']}: the head stands before record {head['last']}"
        if fault is not None:
            broken.append(fault)
    assert waiting is not None
    return ChainReport(records, broken, waiting["count"], waiting["oldest"])


async def _walk(
    database: Database, shard: int, head_seq: int, head_hash: bytes
) -> tuple[int, str | None]:
    """Walks one shard up to its head; how many rows fitted, and the first fault if any."""
    previous, seq = b"", 0
    while seq < head_seq:
        async with database.connection() as connection:
            rows = await connection.fetch(
                "SELECT seq, event_id, kind, actor, data, evidence, recorded_at, hash"
                " FROM audit_log WHERE shard = $1 AND seq > $2 AND seq <= $3"
                " ORDER BY seq LIMIT $4",
                shard,
                seq,
                head_seq,
                _PAGE,
            )
        if not rows:
            return seq, f"shard {shard}: record {seq + 1} is missing"
        for row in rows:
            if row["seq"] != seq + 1:
                return seq, f"shard {shard}: record {seq + 1} is missing"
            record = Record(
                shard, row["event_id"], row["kind"], row["actor"], row["data"],
                row["evidence"], row["recorded_at"],
            )  # fmt: skip
            if link(previous, seq + 1, record) != row["hash"]:
                return seq, f"shard {shard}: record {seq + 1} (event {row['event_id']}) was changed"
            previous, seq = row["hash"], seq + 1
    if previous != head_hash:
        return seq, f"shard {shard}: the head does not match record {seq}"
    return seq, None
