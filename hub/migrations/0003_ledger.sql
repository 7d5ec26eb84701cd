-- Double entry. Whole minor units; an entry adds its signed amount to its account; every posting
-- sums to zero per currency. postings and entries are append-only.

CREATE TABLE accounts (
    id        uuid PRIMARY KEY,
    owner     text NOT NULL,
    purpose   text NOT NULL,
    currency  text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    stripe    smallint NOT NULL DEFAULT 0,       -- rows that share one account without a floor
    floor     bigint,                            -- NULL: may go as low as it likes
    posted    bigint NOT NULL DEFAULT 0,         -- sum of its entries
    held      bigint NOT NULL DEFAULT 0 CHECK (held >= 0), -- sum of its open holds
    opened_at timestamptz NOT NULL,
    UNIQUE (owner, purpose, currency, stripe),
    CHECK (posted - held >= floor),
    CHECK (stripe = 0 OR floor IS NULL)
) WITH (fillfactor = 70);                        -- room for updates that touch no index

CREATE TABLE postings (
    id           uuid PRIMARY KEY,
    reference    text NOT NULL UNIQUE,
    effective_at timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    metadata     jsonb NOT NULL,
    digest       bytea NOT NULL                  -- of the canonical form; the audit chain's evidence
);

-- No foreign keys: they are checked row by row, at the price of the batch's speed. The trigger
-- below checks the same for a whole statement at once, and nothing they point to can be deleted.
CREATE TABLE entries (
    id         bigint GENERATED ALWAYS AS IDENTITY,
    posting_id uuid NOT NULL,
    account_id uuid NOT NULL,
    currency   text NOT NULL,
    amount     bigint NOT NULL CHECK (amount <> 0),
    balance    bigint NOT NULL,                  -- the account's posted balance after the posting
    PRIMARY KEY (account_id, id)                 -- ids are drawn under the account's lock
);
CREATE INDEX entries_of_posting ON entries (posting_id);

CREATE TABLE holds (
    id         uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id),
    reference  text NOT NULL UNIQUE,
    amount     bigint NOT NULL CHECK (amount > 0),
    state      text NOT NULL CHECK (state IN ('open', 'captured', 'released', 'expired')),
    placed_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    closed_at  timestamptz,
    CHECK ((state = 'open') = (closed_at IS NULL))
);
CREATE INDEX holds_open ON holds (expires_at) WHERE state = 'open';

-- What limits count. C order, so that every process sorts and locks the keys alike.
CREATE TABLE guard_counters (
    key      text COLLATE "C" NOT NULL,
    "window" text COLLATE "C" NOT NULL,
    used     bigint NOT NULL,                    -- below zero if a window gives back what another took
    PRIMARY KEY (key, "window")
) WITH (fillfactor = 70);

CREATE TRIGGER postings_append_only BEFORE UPDATE OR DELETE ON postings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER postings_never_emptied BEFORE TRUNCATE ON postings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entries_append_only BEFORE UPDATE OR DELETE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entries_never_emptied BEFORE TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER accounts_never_deleted BEFORE DELETE OR TRUNCATE ON accounts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION check_entries() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (SELECT FROM added GROUP BY posting_id, currency HAVING sum(amount) <> 0) THEN
        RAISE EXCEPTION 'a posting does not sum to zero'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT posting_id FROM added) AS e
        LEFT JOIN LATERAL (SELECT p.id FROM postings p WHERE p.id = e.posting_id LIMIT 1) AS p
            ON true
        WHERE p.id IS NULL
    ) OR EXISTS (
        SELECT FROM (SELECT DISTINCT account_id, currency FROM added) AS e
        LEFT JOIN LATERAL (SELECT a.id FROM accounts a
                           WHERE a.id = e.account_id AND a.currency = e.currency LIMIT 1) AS a
            ON true
        WHERE a.id IS NULL
    ) THEN
        RAISE EXCEPTION 'an entry has no posting, or no account of its currency'
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER entries_balance AFTER INSERT ON entries
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION check_entries();

-- Locks accounts in id order: the one order in which anybody may lock more than one.
CREATE FUNCTION ledger_lock(p_accounts uuid[]) RETURNS integer LANGUAGE sql AS $$
    SELECT count(*)::integer
    FROM (SELECT FROM accounts WHERE id = ANY (p_accounts) ORDER BY id FOR UPDATE) AS locked;
$$;

-- Posts a batch. Arrays with one element per posting (p_id to p_digest, and p_leg_until and
-- p_guard_until: the number of its last leg and guard), per account (sorted by id, distinct), per
-- leg and per guard (both in posting order, naming their account, counter or limit by number from
-- 1), per counter (sorted, distinct; p_counter_total is the sum of its deltas), per limit.
-- References must differ within one call.
--
-- p_outcome goes in as 0, or as another number for a posting the caller has decided already, and
-- comes out as 0 posted, 1 an account would fall below its floor (at: the leg, figure: what is
-- available), 2 a guard refused (at: the guard, figure: what is used), 3 reference known.
-- A refused posting uses up nothing that the next one could use.
--
-- Plans are made once per session and must not depend on how small a table was at that moment:
-- look-ups are LATERAL with LIMIT 1, so by index, and rows are changed by the ctid found there.
-- Statements are few and large, because a statement's start costs as much as a row.
CREATE FUNCTION ledger_post(
    p_recorded_at timestamptz,
    p_id uuid[], p_reference text[], p_effective_at timestamptz[], p_metadata text[],
    p_digest bytea[],
    p_account uuid[], p_account_currency text[],
    p_leg_until integer[], p_leg_account integer[], p_leg_amount bigint[],
    p_counter_key text[], p_counter_window text[], p_counter_total bigint[],
    p_guard_until integer[], p_guard_counter integer[], p_guard_delta bigint[],
    p_guard_limit integer[], p_ceiling bigint[],
    INOUT p_outcome integer[],
    OUT o_at integer[], OUT o_figure bigint[], OUT o_leg_balance bigint[]
) LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    v_count    integer := cardinality(p_id);
    v_counters integer := cardinality(p_counter_key);
    v_row      tid[];
    v_currency text[];
    v_posted   bigint[];
    v_held     bigint[];
    v_floor    bigint[];
    v_counter  tid[];
    v_found    integer[];
    v_used     bigint[];
    v_accepted integer := 0;
    v_written  integer;
    v_known    integer;
    v_posting_of integer[] := p_leg_account;
    v_first_leg integer; v_leg integer := 0;
    v_first_guard integer; v_guard integer := 0;
    v_n integer;
    v_amount bigint;
BEGIN
    SELECT array_agg(l.ctid), array_agg(l.currency), array_agg(l.posted), array_agg(l.held),
           array_agg(l.floor)
    INTO v_row, v_currency, v_posted, v_held, v_floor
    FROM (
        SELECT a.ctid, a.currency, a.posted, a.held, a.floor FROM accounts a
        WHERE a.id = ANY (p_account) ORDER BY a.id FOR UPDATE
    ) AS l;
    IF v_currency IS DISTINCT FROM p_account_currency THEN
        RAISE EXCEPTION 'a leg names an account that does not exist in its currency'
            USING ERRCODE = 'foreign_key_violation';
    END IF;

    o_at := array_fill(0, ARRAY[v_count]);
    o_figure := array_fill(0::bigint, ARRAY[v_count]);
    o_leg_balance := array_fill(0::bigint, ARRAY[cardinality(p_leg_amount)]);

    FOR v_known IN
        SELECT r.n::integer FROM unnest(p_reference) WITH ORDINALITY AS r (reference, n),
             LATERAL (SELECT FROM postings p WHERE p.reference = r.reference LIMIT 1) AS p
    LOOP
        IF p_outcome[v_known] = 0 THEN
            p_outcome[v_known] := 3;
        END IF;
    END LOOP;

    -- Adds everything asked, which locks each counter and reads it in one go; what is refused
    -- below is taken off again. Nobody else sees a counter in between. A counter that is new, or
    -- that somebody changed between look and change, is not among the rows updated.
    IF v_counters > 0 THEN
        WITH counted AS (
            UPDATE guard_counters c SET used = c.used + w.total
            FROM (
                SELECT w.n, w.total, l.ctid
                FROM unnest(p_counter_key, p_counter_window, p_counter_total)
                     WITH ORDINALITY AS w (key, "window", total, n),
                     LATERAL (SELECT g.ctid FROM guard_counters g
                              WHERE g.key = w.key AND g."window" = w."window" LIMIT 1) AS l
            ) AS w
            WHERE c.ctid = w.ctid RETURNING w.n, c.ctid, c.used - w.total AS used
        )
        SELECT array_agg(c.n), array_agg(c.ctid), array_agg(c.used)
        INTO v_found, v_counter, v_used FROM (SELECT * FROM counted ORDER BY n) AS c;
        IF coalesce(cardinality(v_found), 0) < v_counters THEN
            WITH counted AS (
                INSERT INTO guard_counters AS c (key, "window", used)
                SELECT w.key, w."window", w.total
                FROM unnest(p_counter_key, p_counter_window, p_counter_total)
                     WITH ORDINALITY AS w (key, "window", total, n)
                WHERE NOT EXISTS (SELECT FROM unnest(v_found) AS f (n) WHERE f.n = w.n)
                ORDER BY w.n
                ON CONFLICT (key, "window") DO UPDATE SET used = c.used + excluded.used
                RETURNING c.ctid, c.key, c."window", c.used
            )
            SELECT array_agg(c.ctid), array_agg(c.used) INTO v_counter, v_used
            FROM (
                SELECT w.n, c.ctid, c.used - w.total AS used
                FROM counted c JOIN unnest(p_counter_key, p_counter_window, p_counter_total)
                     WITH ORDINALITY AS w (key, "window", total, n) USING (key, "window")
                UNION ALL
                SELECT * FROM unnest(v_found, v_counter, v_used)
                ORDER BY 1
            ) AS c;
        END IF;
    END IF;

    FOR v_posting IN 1 .. v_count LOOP
        v_first_leg := v_leg + 1;
        v_first_guard := v_guard + 1;
        v_leg := p_leg_until[v_posting];
        v_guard := p_guard_until[v_posting];
        FOR v_l IN v_first_leg .. v_leg LOOP
            v_posting_of[v_l] := v_posting;
        END LOOP;
        CONTINUE WHEN p_outcome[v_posting] <> 0;
        FOR v_l IN v_first_leg .. v_leg LOOP
            v_n := p_leg_account[v_l];
            v_amount := v_posted[v_n] + p_leg_amount[v_l];
            v_posted[v_n] := v_amount;
            o_leg_balance[v_l] := v_amount;
        END LOOP;
        FOR v_l IN v_first_leg .. v_leg LOOP
            IF p_leg_amount[v_l] < 0 THEN
                v_n := p_leg_account[v_l];
                IF v_posted[v_n] - v_held[v_n] < v_floor[v_n] THEN
                    p_outcome[v_posting] := 1;
                    o_at[v_posting] := v_l;
                    EXIT;
                END IF;
            END IF;
        END LOOP;
        IF p_outcome[v_posting] = 0 THEN
            FOR v_g IN v_first_guard .. v_guard LOOP
                v_n := p_guard_counter[v_g];
                v_amount := v_used[v_n] + p_guard_delta[v_g];
                IF v_amount > p_ceiling[p_guard_limit[v_g]] AND p_guard_delta[v_g] > 0 THEN
                    p_outcome[v_posting] := 2;
                    o_at[v_posting] := v_g;
                    o_figure[v_posting] := v_used[v_n];
                    FOR v_back IN v_first_guard .. v_g - 1 LOOP
                        v_n := p_guard_counter[v_back];
                        v_used[v_n] := v_used[v_n] - p_guard_delta[v_back];
                    END LOOP;
                    EXIT;
                END IF;
                v_used[v_n] := v_amount;
            END LOOP;
        END IF;
        IF p_outcome[v_posting] = 0 THEN
            v_accepted := v_accepted + 1;
        ELSE
            FOR v_l IN v_first_leg .. v_leg LOOP
                v_n := p_leg_account[v_l];
                v_posted[v_n] := v_posted[v_n] - p_leg_amount[v_l];
            END LOOP;
            IF p_outcome[v_posting] = 1 THEN
                v_n := p_leg_account[o_at[v_posting]];
                o_figure[v_posting] := v_posted[v_n] - v_held[v_n];
            END IF;
        END IF;
    END LOOP;

    IF v_accepted < v_count AND v_counters > 0 THEN
        UPDATE guard_counters c SET used = w.used
        FROM unnest(v_counter, v_used) AS w (ctid, used)
        WHERE c.ctid = w.ctid AND c.used <> w.used;
    END IF;
    IF v_accepted = 0 THEN
        RETURN;
    END IF;

    WITH posted AS (
        INSERT INTO postings (id, reference, effective_at, recorded_at, metadata, digest)
        SELECT w.id, w.reference, w.effective_at, p_recorded_at, w.metadata::jsonb, w.digest
        FROM unnest(p_id, p_reference, p_effective_at, p_metadata, p_digest, p_outcome)
             AS w (id, reference, effective_at, metadata, digest, outcome)
        WHERE w.outcome = 0
        ON CONFLICT (reference) DO NOTHING RETURNING id
    ), entered AS (
        INSERT INTO entries (posting_id, account_id, currency, amount, balance)
        SELECT p_id[l.posting], p_account[l.account], p_account_currency[l.account], l.amount,
               l.balance
        FROM unnest(v_posting_of, p_leg_account, p_leg_amount, o_leg_balance)
             AS l (posting, account, amount, balance)
        WHERE p_outcome[l.posting] = 0 AND (SELECT count(*) FROM posted) = v_accepted
    ), moved AS (
        UPDATE accounts a SET posted = w.posted
        FROM unnest(v_row, v_posted) AS w (ctid, posted)
        WHERE a.ctid = w.ctid AND a.posted <> w.posted
    )
    SELECT count(*) INTO v_written FROM posted;
    IF v_written <> v_accepted THEN
        RAISE EXCEPTION 'a reference was posted at the same moment'
            USING ERRCODE = 'serialization_failure';  -- tried again, it is known
    END IF;
END $$;
