"""How the chain is made: hash(n) = SHA-256(hash(n-1) || canonical(n)).

The canonical form is length-prefixed, so no two different records share one. Only bytes that are
stored are hashed; where they are sealed, the hash covers the ciphertext, and erasing a person's
key leaves the chain whole.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

import msgspec

from hub.clock import milliseconds
from hub.database import Connection
from hub.ids import EventId

__all__ = ["Record", "extend", "link"]


class Record(msgspec.Struct, frozen=True):
    """What one link covers."""

    shard: int
    event_id: EventId
    kind: str
    actor: str
    data: bytes
    evidence: bytes
    recorded_at: datetime


def link(previous: bytes, seq: int, record: Record) -> bytes:
    """The hash of the record that follows ``previous`` as number ``seq`` of its shard."""
    parts = (
        previous,
        str(record.shard).encode(),
        str(seq).encode(),
        record.event_id.bytes,
        record.kind.encode(),
        record.actor.encode(),
        str(milliseconds(record.recorded_at)).encode(),
        record.data,
        record.evidence,
    )
    return sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


async def extend(tx: Connection, records: Sequence[Record]) -> None:
    """Appends the records to their shards' chains, in the order given, within ``tx``.

    The caller is the only writer of these shards (it holds their leases in this transaction).
    """
    if not records:
        return
    shards = sorted({record.shard for record in records})
    rows = await tx.fetch(
        "SELECT shard, seq, hash FROM audit_heads WHERE shard = ANY($1) ORDER BY shard FOR UPDATE",
        shards,
    )
    heads: dict[int, tuple[int, bytes]] = {row["shard"]: (row["seq"], row["hash"]) for row in rows}
    chained = []
    for record in records:
        seq, previous = heads[record.shard]
        hashed = link(previous, seq + 1, record)
        heads[record.shard] = (seq + 1, hashed)
        chained.append(
            (record.shard, seq + 1, record.event_id, record.kind, record.actor, record.data,
             record.evidence, record.recorded_at, hashed)
        )  # fmt: skip
    columns = list(zip(*chained, strict=True))
    await tx.execute(
        "INSERT INTO audit_log"
        " (shard, seq, event_id, kind, actor, data, evidence, recorded_at, hash)"
        " SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::text[], $5::text[],"
        " $6::bytea[], $7::bytea[], $8::timestamptz[], $9::bytea[])",
        *(list(column) for column in columns),
    )
    await tx.execute(
        "UPDATE audit_heads h SET seq = n.seq, hash = n.hash"
        " FROM unnest($1::smallint[], $2::bigint[], $3::bytea[]) AS n (shard, seq, hash)"
        " WHERE h.shard = n.shard",
        shards,
        [heads[shard][0] for shard in shards],
        [heads[shard][1] for shard in shards],
    )
