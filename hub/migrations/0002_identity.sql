-- People, their devices, sign-in and PINs. What names a person towards strangers is sealed with
-- that person's own key; erasing the wrapped key erases it wherever it was copied.

CREATE TABLE people (
    id                uuid PRIMARY KEY,
    display_name      text NOT NULL CHECK (display_name <> ''),  -- public, chosen by the person
    legal_name_sealed bytea NOT NULL,
    phone_sealed      bytea NOT NULL,
    phone_index       bytea UNIQUE,               -- blind index of the E.164 number; NULL once erased
    language          text NOT NULL CHECK (language IN ('en', 'sw', 'fr')),
    country           text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    timezone          text NOT NULL,
    kyc_level         smallint NOT NULL CHECK (kyc_level BETWEEN 0 AND 3),
    roles             text[] NOT NULL DEFAULT '{}',
    wrapped_key       bytea,                      -- NULL once erased
    state             text NOT NULL CHECK (state IN ('active', 'suspended', 'erased')),
    registered_at     timestamptz NOT NULL,
    CHECK ((state = 'erased') = (wrapped_key IS NULL)),
    CHECK (state <> 'erased' OR phone_index IS NULL)
);

CREATE TABLE devices (
    id            uuid PRIMARY KEY,
    person_id     uuid NOT NULL REFERENCES people (id),
    platform      text NOT NULL CHECK (platform IN ('web', 'android', 'ios')),
    name          text NOT NULL,
    push_token    text UNIQUE,                    -- one token belongs to one device only
    registered_at timestamptz NOT NULL,
    retired_at    timestamptz
);
CREATE INDEX devices_of_person ON devices (person_id) WHERE retired_at IS NULL;

-- A code sent to a phone. person_id is NULL where nobody has that number: such a challenge looks
-- and fails like any other, so that asking for a code tells nobody who is a member.
CREATE TABLE sign_in_challenges (
    id            uuid PRIMARY KEY,
    person_id     uuid REFERENCES people (id),
    code_hash     bytea NOT NULL,
    attempts_left smallint NOT NULL CHECK (attempts_left >= 0),
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    used_at       timestamptz
);
CREATE INDEX sign_in_challenges_recent ON sign_in_challenges (person_id, created_at);
CREATE INDEX sign_in_challenges_expiry ON sign_in_challenges (expires_at);

-- A session is one sign-in on one device; its refresh tokens are one family.
CREATE TABLE sessions (
    id             uuid PRIMARY KEY,
    person_id      uuid NOT NULL REFERENCES people (id),
    device_id      uuid NOT NULL REFERENCES devices (id),
    started_at     timestamptz NOT NULL,
    revoked_at     timestamptz,
    revoked_reason text CHECK (revoked_reason IN ('signed_out', 'token_reused', 'erased', 'suspended')),
    CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))
);
CREATE INDEX sessions_of_person ON sessions (person_id) WHERE revoked_at IS NULL;

CREATE TABLE refresh_tokens (
    token_hash  bytea PRIMARY KEY,                -- SHA-256; the token itself is stored nowhere
    session_id  uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    issued_at   timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    replaced_by bytea
);
CREATE INDEX refresh_tokens_of_session ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);

-- hash is NULL for a person who never set a PIN but for whom one was tried: the tries count and
-- lock like everybody's.
CREATE TABLE pins (
    person_id    uuid PRIMARY KEY REFERENCES people (id),
    hash         text,                            -- argon2id in its encoded form
    failures     smallint NOT NULL DEFAULT 0 CHECK (failures >= 0),
    locked_until timestamptz,
    set_at       timestamptz
);
