-- The audit trail: one row per mutation and per denial, in the transaction of the effect, chained by hashes.
-- Tamper-evident, not tamper-proof: who can rewrite every later row and the head can rewrite history; who edits, removes or
-- inserts a row is found by `steward audit verify`.

-- The time right now, not that of the transaction's start: what waited for a lock happened after it got it.
CREATE FUNCTION steward_clock() RETURNS timestamptz
    LANGUAGE sql VOLATILE
    AS $$ SELECT coalesce(nullif(current_setting('steward.now', true), '')::timestamptz, clock_timestamp()) $$;

CREATE TABLE governance_events (
    sequence      bigint PRIMARY KEY CHECK (sequence >= 1),  -- without gaps
    at            timestamptz NOT NULL CHECK (isfinite(at)),
    actor         text NOT NULL,
    actor_kind    text NOT NULL CHECK (actor_kind IN ('token', 'local', 'system')),
    action        text NOT NULL,                  -- model.registered, model.promoted, run.submitted, ...
    outcome       text NOT NULL CHECK (outcome IN ('done', 'denied')),
    subject_kind  text NOT NULL,                  -- model, run, job, incident, token, ...
    subject       text NOT NULL,                  -- name/version, id, ...
    request_id    text,
    detail        text NOT NULL,                  -- JSON, kept as the exact text that was hashed
    previous_hash bytea NOT NULL,
    hash          bytea NOT NULL
);
CREATE INDEX governance_events_by_subject ON governance_events (subject_kind, subject, sequence DESC);
CREATE INDEX governance_events_by_actor ON governance_events (actor, sequence DESC);
CREATE INDEX governance_events_by_action ON governance_events (action, sequence DESC);
CREATE INDEX governance_events_by_time ON governance_events (at);

-- Where the chain ends. Its one row is locked by whoever appends, so that the order of the rows is the order of commits.
CREATE TABLE governance_head (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    sequence bigint NOT NULL,
    hash     bytea NOT NULL
);
INSERT INTO governance_head (sequence, hash) VALUES (0, decode(repeat('00', 32), 'hex'));

-- What is hashed: the hash before, sequence and time (microseconds) as big-endian 64-bit integers, then each text with its
-- length in bytes (32 bits, big-endian; -1 and nothing else for an absent one) before it: actor, actor_kind, action, outcome,
-- subject_kind, subject, request_id, detail. `db::audit` computes the same.
CREATE FUNCTION governance_hash(previous bytea, sequence bigint, at timestamptz, VARIADIC texts text[]) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
        SELECT sha256(previous || int8send(sequence) || int8send((extract(epoch FROM at) * 1000000)::bigint)
            || (SELECT string_agg(CASE WHEN t IS NULL THEN int4send(-1)
                                    ELSE int4send(octet_length(convert_to(t, 'UTF8'))) || convert_to(t, 'UTF8') END, ''::bytea ORDER BY n)
                  FROM unnest(texts) WITH ORDINALITY AS u (t, n)))
    $$;

CREATE FUNCTION append_governance_event(actor text, actor_kind text, action text, outcome text, subject_kind text,
                                        subject text, request_id text, detail text) RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    head governance_head;
    moment timestamptz;
    next_hash bytea;
BEGIN
    SELECT * INTO STRICT head FROM governance_head FOR UPDATE;
    moment := steward_clock();
    next_hash := governance_hash(head.hash, head.sequence + 1, moment, actor, actor_kind, action, outcome, subject_kind,
                                 subject, request_id, detail);
    INSERT INTO governance_events VALUES (head.sequence + 1, moment, actor, actor_kind, action, outcome, subject_kind, subject,
                                          request_id, detail, head.hash, next_hash);
    UPDATE governance_head SET sequence = head.sequence + 1, hash = next_hash;
    RETURN head.sequence + 1;
END $$;

CREATE FUNCTION governance_events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER governance_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON governance_events
    FOR EACH STATEMENT EXECUTE FUNCTION governance_events_append_only();
REVOKE UPDATE, DELETE, TRUNCATE ON governance_events FROM PUBLIC;
