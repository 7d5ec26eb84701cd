-- USSD: where each session stands, what each hop was answered, and what was promised by SMS.
-- Rows of sessions live a day (hub housekeeping); what they hold is sealed with a key of the
-- session's own, and neither a PIN nor the path that held it is ever among it.

CREATE TABLE ussd_sessions (
    session_id  text PRIMARY KEY,                -- the aggregator's
    phone_index bytea NOT NULL,                  -- blind index: a session belongs to one number
    person_id   uuid REFERENCES people (id),
    wrapped_key bytea NOT NULL,
    state       bytea,                           -- sealed; null before the first answer
    segments    integer NOT NULL DEFAULT 0 CHECK (segments >= 0),  -- of the path, done with
    signed_in   boolean NOT NULL DEFAULT false,
    resumable   boolean NOT NULL DEFAULT false,  -- stopped somewhere worth going on from
    ended       boolean NOT NULL DEFAULT false,
    lease       uuid,                            -- the turn under way
    lease_until timestamptz,
    started_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
);
CREATE INDEX ussd_sessions_latest ON ussd_sessions (person_id, updated_at DESC) WHERE signed_in;
CREATE INDEX ussd_sessions_age ON ussd_sessions (updated_at);

-- The answer to each hop, so that a repeated POST does nothing again. The key is an HMAC of the
-- session and the whole path.
CREATE TABLE ussd_answers (
    session_id  text NOT NULL REFERENCES ussd_sessions (session_id) ON DELETE CASCADE,
    replay_key  bytea NOT NULL,
    answer      bytea NOT NULL,                  -- sealed
    answered_at timestamptz NOT NULL,
    PRIMARY KEY (session_id, replay_key)
);

-- Confirmed on a screen, not done when the screen had to be answered: an SMS was promised.
CREATE TABLE ussd_promises (
    draft       uuid PRIMARY KEY,
    person_id   uuid NOT NULL REFERENCES people (id),
    subject     text NOT NULL,                   -- an offering's title or a person's public name
    promised_at timestamptz NOT NULL,
    kept_at     timestamptz
);
CREATE INDEX ussd_promises_open ON ussd_promises (promised_at) WHERE kept_at IS NULL;
