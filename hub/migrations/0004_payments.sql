-- Payments: what we ask of gateways, and what gateways tell us.

CREATE TABLE payments (
    id                uuid PRIMARY KEY,
    person_id         uuid NOT NULL REFERENCES people (id),
    idempotency_key   text NOT NULL,             -- finds the payment again when a step is resumed
    purpose           text NOT NULL CHECK (purpose IN ('top_up')),
    gateway           text NOT NULL,
    amount            bigint NOT NULL CHECK (amount > 0),
    currency          text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    guards            jsonb NOT NULL,            -- counters that grow when it settles
    attempt           integer NOT NULL CHECK (attempt > 0),  -- the reference in use at the gateway
    state             text NOT NULL
        CHECK (state IN ('created', 'pending', 'failed', 'expired', 'settled')),
    checkout_url      text,
    return_url        text NOT NULL,
    reason            text,
    settled_reference text,
    created_at        timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    settled_at        timestamptz,
    ask_at            timestamptz,               -- when the gateway is next asked; NULL: no more
    UNIQUE (person_id, idempotency_key),
    CHECK ((state = 'settled') = (settled_reference IS NOT NULL)),
    CHECK ((state = 'settled') = (settled_at IS NOT NULL)),
    CHECK (state NOT IN ('settled', 'expired') OR ask_at IS NULL),
    CHECK (state <> 'pending' OR checkout_url IS NOT NULL)
);
CREATE INDEX payments_of_person ON payments (person_id, id);
CREATE INDEX payments_to_ask ON payments (ask_at) WHERE ask_at IS NOT NULL;

-- The state only rises (hub/payments/model.py has the same table), and what was asked for never
-- changes: not by a bug, not by a late process, not by hand.
CREATE FUNCTION payments_only_rise() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ranks CONSTANT jsonb := '{"created": 0, "pending": 1, "failed": 2, "expired": 2, "settled": 3}';
BEGIN
    IF new.state <> old.state AND (ranks -> new.state)::int <= (ranks -> old.state)::int THEN
        RAISE EXCEPTION 'payment % cannot go from % to %', old.id, old.state, new.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (new.id, new.person_id, new.purpose, new.gateway, new.amount, new.currency)
        IS DISTINCT FROM (old.id, old.person_id, old.purpose, old.gateway, old.amount, old.currency)
        OR (old.state = 'settled' AND new IS DISTINCT FROM old) THEN
        RAISE EXCEPTION 'payment % cannot be rewritten', old.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER payments_only_rise BEFORE UPDATE ON payments
    FOR EACH ROW EXECUTE FUNCTION payments_only_rise();
CREATE TRIGGER payments_kept BEFORE DELETE OR TRUNCATE ON payments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Signed webhooks as they came in, without what must not be kept. One row per provider event.
CREATE TABLE webhook_inbox (
    id          uuid PRIMARY KEY,
    gateway     text NOT NULL,
    event_key   text NOT NULL,                   -- the same for every delivery of one event
    digest      bytea NOT NULL,                  -- SHA-256 of the first delivery's raw body
    event       text NOT NULL,
    reference   text,
    record      jsonb NOT NULL,
    state       text NOT NULL CHECK (state IN ('waiting', 'unmatched', 'done', 'ignored')),
    outcome     text,
    deliveries  integer NOT NULL DEFAULT 1,
    tries       integer NOT NULL DEFAULT 0,
    due_at      timestamptz,                     -- when it is next worked on; NULL: no more
    lease_until timestamptz,                     -- somebody works on it; the database's own clock
    received_at timestamptz NOT NULL,
    finished_at timestamptz,
    UNIQUE (gateway, event_key),
    CHECK (state IN ('waiting', 'unmatched') OR due_at IS NULL)
);
CREATE INDEX webhook_inbox_due ON webhook_inbox (due_at) WHERE due_at IS NOT NULL;
