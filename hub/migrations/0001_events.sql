-- The outbox, numbered streams, the audit chain and idempotency keys: what every capability
-- writes through. Times are parameters; now() stands only in leases.

-- What a transaction has to tell the world, in the order it was drawn. One row per shard touched;
-- the row with lead = true also enters that shard's audit chain. The relay deletes what it numbered.
CREATE TABLE outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard       smallint NOT NULL CHECK (shard BETWEEN 0 AND 15),
    lead        boolean NOT NULL,
    event_id    uuid NOT NULL,
    kind        text NOT NULL,
    data        bytea NOT NULL,                  -- the event as JSON, encoded once for table, Redis and socket
    streams     text[] NOT NULL,                 -- streams of this shard that carry the event
    recipients  uuid[] NOT NULL DEFAULT '{}',    -- people of this shard whom its Reach concerns
    actor       text NOT NULL,                   -- person:<id>, system or a provider's name
    evidence    bytea NOT NULL DEFAULT '',       -- canonical bytes the audit chain covers besides data
    recorded_at timestamptz NOT NULL,
    trace       text NOT NULL DEFAULT ''
);

CREATE TABLE streams (
    name      text PRIMARY KEY,
    shard     smallint NOT NULL,
    epoch     text NOT NULL,                     -- lives here, so it survives a wiped Redis
    top       bigint NOT NULL DEFAULT 0,         -- last number given
    published bigint NOT NULL DEFAULT 0,         -- last number Redis has confirmed
    CHECK (published <= top)
);
CREATE INDEX streams_unpublished ON streams (shard) WHERE published < top;

CREATE TABLE stream_entries (
    stream      text NOT NULL REFERENCES streams (name),
    "offset"    bigint NOT NULL,
    event_id    uuid NOT NULL,
    kind        text NOT NULL,
    data        bytea NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (stream, "offset"),
    UNIQUE (stream, event_id)
);

CREATE TABLE relay_leases (
    shard      smallint PRIMARY KEY CHECK (shard BETWEEN 0 AND 15),
    token      uuid,
    expires_at timestamptz NOT NULL
);
INSERT INTO relay_leases (shard, expires_at) SELECT n, 'epoch' FROM generate_series(0, 15) AS n;

-- One hash chain per shard; every event that commits is in exactly one of them.
CREATE TABLE audit_log (
    shard       smallint NOT NULL,
    seq         bigint NOT NULL,
    event_id    uuid NOT NULL,
    kind        text NOT NULL,
    actor       text NOT NULL,
    data        bytea NOT NULL,
    evidence    bytea NOT NULL,
    recorded_at timestamptz NOT NULL,
    hash        bytea NOT NULL,
    PRIMARY KEY (shard, seq)
);
CREATE UNIQUE INDEX audit_log_event ON audit_log (event_id);

CREATE TABLE audit_heads (
    shard smallint PRIMARY KEY,
    seq   bigint NOT NULL,
    hash  bytea NOT NULL
);
INSERT INTO audit_heads (shard, seq, hash) SELECT n, 0, '\x' FROM generate_series(0, 15) AS n;

-- One outcome for ever per (principal, route, key). An answer is stored in the transaction of its
-- effect; a row without an answer is a gateway step under way, held until lease_until.
CREATE TABLE idempotency_keys (
    principal    text NOT NULL,
    route        text NOT NULL,
    key          text NOT NULL,
    request_hash bytea NOT NULL,
    status       smallint,
    body         bytea,
    lease_until  timestamptz,
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (principal, route, key)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_log_never_emptied BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
