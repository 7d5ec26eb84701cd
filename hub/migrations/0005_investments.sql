-- Businesses, what they offer, and what people put in. Money is in the ledger only: an offering's
-- escrow account holds what was invested until the offering is funded or fails.

CREATE TABLE businesses (
    id            uuid PRIMARY KEY,
    owner_id      uuid NOT NULL REFERENCES people (id),
    name          text NOT NULL CHECK (name <> ''),
    sector        text NOT NULL,
    country       text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    registered_at timestamptz NOT NULL
);
CREATE INDEX businesses_of_owner ON businesses (owner_id);

CREATE TABLE offerings (
    id           uuid PRIMARY KEY,
    business_id  uuid NOT NULL REFERENCES businesses (id),
    title        text NOT NULL CHECK (title <> ''),
    summary      text NOT NULL,
    currency     text NOT NULL,
    target       bigint NOT NULL CHECK (target > 0),
    minimum      bigint NOT NULL CHECK (minimum > 0),     -- least that one investment may be
    maximum      bigint NOT NULL CHECK (maximum >= target), -- most that all together may be
    rate_percent numeric NOT NULL CHECK (rate_percent BETWEEN 0 AND 100),
    term_months  smallint NOT NULL CHECK (term_months > 0),
    escrow_id    uuid NOT NULL UNIQUE REFERENCES accounts (id),
    state        text NOT NULL CHECK (state IN ('open', 'funded', 'failed')),
    raised       bigint,                                  -- at closing; while open, what is in escrow
    opened_at    timestamptz NOT NULL,
    closes_at    timestamptz NOT NULL,
    closed_at    timestamptz,
    CHECK ((state = 'open') = (closed_at IS NULL) AND (state = 'open') = (raised IS NULL))
);
CREATE INDEX offerings_open ON offerings (id) WHERE state = 'open';
CREATE INDEX offerings_of_business ON offerings (business_id);

-- Written by invest_batch only, which has looked the offering up; no foreign keys, because they
-- are checked row by row at the price of the batch's speed.
CREATE TABLE investments (
    id          uuid PRIMARY KEY,
    offering_id uuid NOT NULL,
    investor_id uuid NOT NULL,
    amount      bigint NOT NULL CHECK (amount > 0),
    currency    text NOT NULL,
    posting_id  uuid NOT NULL,
    state       text NOT NULL DEFAULT 'confirmed' CHECK (state IN ('confirmed', 'refunded')),
    made_at     timestamptz NOT NULL
);
CREATE INDEX investments_in_offering ON investments (offering_id, investor_id);
CREATE INDEX investments_of_investor ON investments (investor_id, id);
CREATE TRIGGER investments_never_deleted BEFORE DELETE OR TRUNCATE ON investments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A batch of investments: keys, rules, postings, investments, answers and outbox in one statement,
-- so in one transaction. Arrays have one element per investment unless said otherwise; item n is
-- posting n of ledger_post, its first leg debits the wallet and its second credits the escrow, and
-- p_offer is its offering's number in p_offering.
--
-- Text that ends in a figure known only here comes as its head: the figure and the currency are
-- put behind it. p_funds_tail (with XXX for the currency) and p_limit_tail (per limit) are the ends
-- of refusals that begin with a figure. p_refused is the answer of an item that was refused before
-- it came here. p_closed is the answer where the offering takes no more money.
--
-- Each item has two events, one after the other, of the kinds p_kind: the first goes to the outbox
-- rows of its offering (p_row_offer to p_row_recipients, an element per row) and ends in what is in
-- escrow; the second goes to the investor's stream and ends in what is in the wallet.
--
-- o_status: 201 or 422 with the answer in o_body (new or stored under the key), 1 the key is in
-- flight, 2 the key was used with another body. o_raised: what is in escrow after a new one.
CREATE FUNCTION invest_batch(
    p_recorded_at timestamptz,
    p_id uuid[], p_digest bytea[],
    p_account uuid[], p_account_currency text[], p_leg_account integer[], p_leg_amount bigint[],
    p_counter_key text[], p_counter_window text[], p_counter_total bigint[],
    p_guard_until integer[], p_guard_counter integer[], p_guard_delta bigint[],
    p_guard_limit integer[], p_ceiling bigint[],
    p_principal text[], p_route text[], p_key text[], p_lock bigint[], p_hash bytea[],
    p_investor uuid[], p_shard smallint[], p_stream text[], p_offer integer[],
    p_answer text[], p_refused text[], p_event uuid[], p_data text[],
    p_offering uuid[],
    p_row_offer integer[], p_row_shard smallint[], p_row_lead boolean[], p_row_streams text[],
    p_row_recipients text[], p_kind text[], p_closed text, p_funds_tail text, p_limit_tail text[],
    OUT o_status integer[], OUT o_body text[], OUT o_raised bigint[]
) LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    v_count     integer := cardinality(p_id);
    v_reference text[];
    v_free      boolean[];
    v_closed    uuid[];
    v_outcome   integer[] := array_fill(0, ARRAY[v_count]);
    v_new       boolean[] := array_fill(true, ARRAY[v_count]);
    v_at        integer[];
    v_figure    bigint[];
    v_balance   bigint[];
    v_currency  text;
    v_row       record;
BEGIN
    o_status := array_fill(0, ARRAY[v_count]);
    o_body := array_fill(NULL::text, ARRAY[v_count]);
    o_raised := array_fill(0::bigint, ARRAY[v_count]);

    -- Keys. The lock first, the look afterwards: whoever held it before has committed.
    SELECT array_agg(pg_try_advisory_xact_lock(w.lock) ORDER BY w.n),
           array_agg('investment:' || w.id ORDER BY w.n)
    INTO v_free, v_reference FROM unnest(p_lock, p_id) WITH ORDINALITY AS w (lock, id, n);
    FOR v_row IN
        SELECT w.n::integer AS n, k.request_hash = w.hash AS same, k.status,
               convert_from(k.body, 'UTF8') AS body
        FROM unnest(p_principal, p_route, p_key, p_hash)
             WITH ORDINALITY AS w (principal, route, key, hash, n),
             LATERAL (SELECT * FROM idempotency_keys k
                      WHERE k.principal = w.principal AND k.route = w.route AND k.key = w.key
                      LIMIT 1) AS k
    LOOP
        v_new[v_row.n] := false;
        v_outcome[v_row.n] := 9;
        o_status[v_row.n] := CASE WHEN NOT v_row.same THEN 2 ELSE coalesce(v_row.status, 1) END;
        o_body[v_row.n] := CASE WHEN v_row.same THEN v_row.body END;
    END LOOP;

    -- An offering closes under the lock of its escrow account, so what is open now stays open
    -- until this transaction ends.
    PERFORM FROM accounts a WHERE a.id = ANY (p_account) ORDER BY a.id FOR UPDATE;
    SELECT coalesce(array_agg(o.id), '{}') INTO v_closed FROM offerings o
    WHERE o.id = ANY (p_offering) AND (o.state <> 'open' OR o.closes_at <= p_recorded_at);

    FOR v_n IN 1 .. v_count LOOP
        CONTINUE WHEN v_outcome[v_n] <> 0;
        IF NOT v_free[v_n] THEN
            v_new[v_n] := false;
            v_outcome[v_n] := 9;
            o_status[v_n] := 1;
        ELSIF p_refused[v_n] IS NOT NULL THEN
            v_outcome[v_n] := 4;
            o_body[v_n] := p_refused[v_n];
        ELSIF v_closed <> '{}' AND p_offering[p_offer[v_n]] = ANY (v_closed) THEN
            v_outcome[v_n] := 4;
            o_body[v_n] := p_closed;
        END IF;
    END LOOP;

    SELECT l.p_outcome, l.o_at, l.o_figure, l.o_leg_balance
    INTO v_outcome, v_at, v_figure, v_balance
    FROM ledger_post(
        p_recorded_at, p_id, v_reference, array_fill(p_recorded_at, ARRAY[v_count]),
        array_fill('{}'::text, ARRAY[v_count]), p_digest, p_account, p_account_currency,
        ARRAY(SELECT 2 * n FROM generate_series(1, v_count) AS n), p_leg_account, p_leg_amount,
        p_counter_key, p_counter_window, p_counter_total,
        p_guard_until, p_guard_counter, p_guard_delta, p_guard_limit, p_ceiling, v_outcome) AS l;

    FOR v_n IN 1 .. v_count LOOP
        v_currency := p_account_currency[p_leg_account[2 * v_n]];
        IF v_outcome[v_n] = 0 THEN
            o_status[v_n] := 201;
            o_raised[v_n] := v_balance[2 * v_n];
            o_body[v_n] := p_answer[v_n] || v_balance[2 * v_n - 1]
                || ',"currency":"' || v_currency || '"}}';
        ELSIF v_outcome[v_n] = 1 THEN
            o_status[v_n] := 422;
            o_body[v_n] := '{"available":' || v_figure[v_n]
                || replace(p_funds_tail, '"XXX"', '"' || v_currency || '"');
        ELSIF v_outcome[v_n] = 2 THEN
            o_status[v_n] := 422;
            o_body[v_n] := '{"used":' || v_figure[v_n]
                || p_limit_tail[p_guard_limit[v_at[v_n]]];
        ELSIF v_outcome[v_n] = 4 THEN
            o_status[v_n] := 422;
        ELSIF v_outcome[v_n] = 3 THEN
            RAISE EXCEPTION 'an investment id was used twice' USING ERRCODE = 'unique_violation';
        END IF;
    END LOOP;

    -- The outbox ids are drawn in the order of the items.
    WITH made AS (
        INSERT INTO investments
            (id, offering_id, investor_id, amount, currency, posting_id, made_at)
        SELECT w.id, p_offering[w.offer], w.investor, p_leg_amount[2 * w.n],
               p_account_currency[p_leg_account[2 * w.n]], w.id, p_recorded_at
        FROM unnest(p_id, p_offer, p_investor, v_outcome)
             WITH ORDINALITY AS w (id, offer, investor, outcome, n)
        WHERE w.outcome = 0
    ), told AS (
        INSERT INTO outbox (shard, lead, event_id, kind, data, streams, recipients, actor,
                            evidence, recorded_at)
        SELECT CASE e.k WHEN 1 THEN p_row_shard[e.place] ELSE p_shard[e.n] END,
               e.k = 2 OR p_row_lead[e.place], p_event[2 * e.n - 2 + e.k], p_kind[e.k],
               convert_to(p_data[2 * e.n - 2 + e.k] || v_balance[2 * e.n + 1 - e.k]
                          || ',"currency":"' || p_account_currency[p_leg_account[2 * e.n]]
                          || '"}}', 'UTF8'),
               CASE e.k WHEN 1 THEN string_to_array(p_row_streams[e.place], ' ')
                        ELSE ARRAY[p_stream[e.n]] END,
               CASE e.k WHEN 1 THEN string_to_array(p_row_recipients[e.place], ' ')::uuid[]
                        ELSE ARRAY[p_investor[e.n]] END,
               'person:' || p_investor[e.n],
               CASE WHEN e.k = 2 OR p_row_lead[e.place] THEN p_digest[e.n] ELSE '' END,
               p_recorded_at
        FROM (
            SELECT w.n, 1 AS k, r.n AS place
            FROM unnest(v_outcome, p_offer) WITH ORDINALITY AS w (outcome, offer, n)
            JOIN unnest(p_row_offer) WITH ORDINALITY AS r (offer, n) ON r.offer = w.offer
            WHERE w.outcome = 0
            UNION ALL
            SELECT w.n, 2, 0 FROM unnest(v_outcome) WITH ORDINALITY AS w (outcome, n)
            WHERE w.outcome = 0
            ORDER BY 1, 2, 3
        ) AS e
    )
    INSERT INTO idempotency_keys
        (principal, route, key, request_hash, status, body, recorded_at)
    SELECT w.principal, w.route, w.key, w.hash, w.status, convert_to(w.body, 'UTF8'), p_recorded_at
    FROM unnest(p_principal, p_route, p_key, p_hash, o_status, o_body, v_new)
         AS w (principal, route, key, hash, status, body, new)
    WHERE w.new;
END $$;
