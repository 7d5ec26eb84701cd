-- Escalations, attempts and what came of them. No foreign key leaves this file: an escalation is
-- inserted in the relay's numbering transaction, and one bad row must not stop all events.

-- One row per event and person to be reached. Its Reach is copied in, so that a changed event class
-- does not change what is under way. Every row ends in exactly one state other than pending.
CREATE TABLE escalations (
    event_id     uuid NOT NULL,
    person_id    uuid NOT NULL,
    kind         text NOT NULL,
    stream       text NOT NULL,                  -- the person's own stream and the event's number
    "offset"     bigint NOT NULL,                -- in it: what acknowledgements refer to
    urgency      text NOT NULL CHECK (urgency IN ('critical', 'normal', 'promotional')),
    channels     text[] NOT NULL,
    stop_at      text NOT NULL CHECK (stop_at IN ('delivered', 'seen')),
    wait_ms      integer NOT NULL CHECK (wait_ms >= 0),
    recorded_at  timestamptz NOT NULL,
    starts_at    timestamptz NOT NULL,           -- until then only live sessions are given the chance
    due_at       timestamptz NOT NULL,           -- when a worker looks at the row again
    expires_at   timestamptz NOT NULL,
    state        text NOT NULL DEFAULT 'pending'
                 CHECK (state IN ('pending', 'reached', 'exhausted', 'expired')),
    position     smallint NOT NULL DEFAULT 0,    -- index in channels of the one whose turn it is
    acknowledged text NOT NULL DEFAULT 'no' CHECK (acknowledged IN ('no', 'delivered', 'seen')),
    last_step    text NOT NULL DEFAULT '',
    reached_how  text,                           -- session, push, sms or email
    ended_at     timestamptz,
    PRIMARY KEY (event_id, person_id),
    CHECK ((state = 'pending') = (ended_at IS NULL)),
    CHECK ((state = 'reached') = (reached_how IS NOT NULL))
);
CREATE INDEX escalations_due ON escalations (due_at) WHERE state = 'pending';
CREATE INDEX escalations_open ON escalations (person_id, stream, "offset") WHERE state = 'pending';

CREATE FUNCTION refuse_second_ending() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an escalation ends once' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER escalations_end_once BEFORE UPDATE ON escalations
    FOR EACH ROW WHEN (OLD.state <> 'pending' AND NEW.state IS DISTINCT FROM OLD.state)
    EXECUTE FUNCTION refuse_second_ending();

-- One row per try, written before sending and completed after. The unique key is what stops two
-- workers, or one that came back, from sending the same try twice.
CREATE TABLE delivery_attempts (
    id            uuid PRIMARY KEY,
    event_id      uuid NOT NULL,
    person_id     uuid NOT NULL,
    channel       text NOT NULL,
    address_hash  bytea NOT NULL,                -- blind index of the number or token
    provider      text NOT NULL,
    try           smallint NOT NULL CHECK (try > 0),
    country       text NOT NULL,                 -- of the person, for the cap per minute and country
    state         text NOT NULL
                  CHECK (state IN ('sending', 'sent', 'delivered', 'failed', 'retry', 'unknown')),
    reason        text NOT NULL DEFAULT '',
    provider_id   text,
    parts         smallint,                      -- SMS parts
    cost          numeric(14, 6),                -- providers charge in fractions of a minor unit
    cost_currency text,
    started_at    timestamptz NOT NULL,
    ended_at      timestamptz,                   -- when the send had an outcome
    retry_at      timestamptz,
    UNIQUE (event_id, person_id, channel, address_hash, provider, try),
    FOREIGN KEY (event_id, person_id) REFERENCES escalations (event_id, person_id),
    CHECK ((state = 'retry') = (retry_at IS NOT NULL)),
    CHECK ((cost IS NULL) = (cost_currency IS NULL))
);
CREATE INDEX delivery_attempts_rate ON delivery_attempts (channel, started_at, country);

-- What happened to a notice, step by step, in plain words; support reads it.
CREATE TABLE escalation_steps (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id   uuid NOT NULL,
    person_id  uuid NOT NULL,
    at         timestamptz NOT NULL,
    step       text NOT NULL,
    channel    text,
    reason     text NOT NULL,
    attempt_id uuid,
    FOREIGN KEY (event_id, person_id) REFERENCES escalations (event_id, person_id)
);
CREATE INDEX escalation_steps_of ON escalation_steps (event_id, person_id, id);

-- Delivery reports by the provider's message id. A report may come before the send is recorded, so
-- whoever is first makes the row and the second finds it. Ranks only rise: 0 no report yet,
-- 1 on its way, 2 final; the first final report wins.
CREATE TABLE delivery_reports (
    provider     text NOT NULL,
    provider_id  text NOT NULL,
    address_hash bytea NOT NULL,
    attempt_id   uuid,
    purpose      text NOT NULL DEFAULT '',       -- what was sent outside an escalation: code, reply
    rank         smallint NOT NULL CHECK (rank BETWEEN 0 AND 2),
    outcome      text NOT NULL CHECK (outcome IN ('sent', 'delivered', 'failed')),
    status       text NOT NULL,                  -- the provider's own words
    first_at     timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (provider, provider_id)
);
CREATE INDEX delivery_reports_unmatched ON delivery_reports (provider, address_hash, first_at)
    WHERE attempt_id IS NULL AND purpose = '';

-- Addresses a provider called dead (a blocked number); nothing is sent there again.
CREATE TABLE retired_addresses (
    channel      text NOT NULL,
    address_hash bytea NOT NULL,
    reason       text NOT NULL,
    retired_at   timestamptz NOT NULL,
    PRIMARY KEY (channel, address_hash)
);

CREATE TABLE notification_preferences (
    person_id  uuid NOT NULL,
    channel    text NOT NULL CHECK (channel IN ('push', 'sms', 'email')),
    enabled    boolean NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, channel)
);

-- How far each device of a person has come in a stream.
CREATE TABLE device_positions (
    person_id  uuid NOT NULL,
    device     text NOT NULL,
    stream     text NOT NULL,
    delivered  bigint NOT NULL DEFAULT 0,
    seen       bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, device, stream)
);

-- SMS that people sent us, once per provider id. A known sender's text lives in the conversation;
-- what has no place there is kept here, sealed with a key of its own.
CREATE TABLE sms_inbound (
    provider    text NOT NULL,
    provider_id text NOT NULL,
    sender_hash bytea NOT NULL,
    person_id   uuid,
    outcome     text NOT NULL,                   -- message, no_conversation, unknown_sender, refused
    sealed      bytea,
    wrapped_key bytea,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (provider, provider_id),
    CHECK ((sealed IS NULL) = (wrapped_key IS NULL))
);
CREATE INDEX sms_inbound_sender ON sms_inbound (sender_hash, received_at);
