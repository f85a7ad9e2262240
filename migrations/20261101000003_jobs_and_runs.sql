-- Jobs (definitions), schedules, ticks (what became of each planned instant) and runs (the queue).

CREATE TABLE jobs (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name          text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$'),
    kind          text NOT NULL,
    document      jsonb NOT NULL,                 -- the validated document, canonical
    source        text NOT NULL,                  -- the text as it was written
    path          text,                           -- the file it came from
    digest        text NOT NULL,                  -- SHA-256 of the canonical document
    state         text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'removed')),
    paused_by     text,
    paused_reason text,
    paused_at     timestamptz,
    created_at    timestamptz NOT NULL DEFAULT steward_now(),
    updated_at    timestamptz NOT NULL DEFAULT steward_now()
);

CREATE TABLE schedules (
    id                      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    job_id                  uuid NOT NULL UNIQUE REFERENCES jobs,
    cron                    text NOT NULL,
    timezone                text NOT NULL,
    overlap                 text NOT NULL DEFAULT 'skip'
                            CHECK (overlap IN ('skip', 'queue_one', 'queue_all', 'cancel_running', 'allow')),
    catch_up                text NOT NULL DEFAULT 'latest' CHECK (catch_up IN ('latest', 'all', 'none')),
    catch_up_window_seconds bigint NOT NULL DEFAULT 604800 CHECK (catch_up_window_seconds >= 0),
    jitter_seconds          bigint NOT NULL DEFAULT 0 CHECK (jitter_seconds >= 0),
    epoch                   timestamptz NOT NULL,  -- ticks at or before it do not exist
    high_water              timestamptz NOT NULL,  -- every tick up to here has its verdict
    active                  boolean NOT NULL DEFAULT true,
    updated_at              timestamptz NOT NULL DEFAULT steward_now()
);

CREATE TABLE runs (
    id                 uuid PRIMARY KEY,
    job_id             uuid REFERENCES jobs,      -- null for an ad-hoc document
    job_name           text NOT NULL,
    kind               text NOT NULL,
    document           jsonb NOT NULL,            -- frozen when enqueued; a changed job changes later runs only
    queue              text NOT NULL DEFAULT 'default',
    priority           smallint NOT NULL DEFAULT 100,
    state              text NOT NULL DEFAULT 'available'
                       CHECK (state IN ('waiting_data', 'available', 'leased', 'succeeded', 'failed',
                                        'timed_out', 'cancelled', 'poisoned')),
    trigger            text NOT NULL
                       CHECK (trigger IN ('schedule', 'manual', 'adhoc', 'backfill', 'replay', 'retry')),
    notifies           boolean NOT NULL DEFAULT true, -- false: writes results, opens and closes no incident
    tick_at            timestamptz,
    window_start       timestamptz,
    window_end         timestamptz,
    idempotency_key    text UNIQUE,
    parent_id          uuid REFERENCES runs,
    after_run          uuid,                      -- starts only when that run is finished (or pruned): overlap policies
    run_after          timestamptz NOT NULL DEFAULT steward_now(),
    attempt            integer NOT NULL DEFAULT 0, -- burnt attempts
    max_attempts       integer NOT NULL DEFAULT 5 CHECK (max_attempts >= 1),
    crash_count        integer NOT NULL DEFAULT 0,
    max_crashes        integer NOT NULL DEFAULT 3,
    time_limit_seconds bigint NOT NULL DEFAULT 3600 CHECK (time_limit_seconds > 0),
    deadline           timestamptz,                -- how long not_ready may snooze
    fence              bigint NOT NULL DEFAULT 0,
    lease_owner        uuid,
    lease_until        timestamptz,
    cancel_requested   boolean NOT NULL DEFAULT false,
    submitted_by       text,
    created_at         timestamptz NOT NULL DEFAULT steward_now(),
    started_at         timestamptz,
    finished_at        timestamptz,
    outcome            text,                       -- what the run found: ok, drifted, breached, no_data, ...
    summary            jsonb,
    error              text,
    error_kind         text
);
CREATE INDEX runs_claim ON runs (queue, priority, run_after, id) WHERE state = 'available';
CREATE INDEX runs_leased ON runs (lease_until) WHERE state = 'leased';
CREATE INDEX runs_by_job ON runs (job_name, created_at DESC);
CREATE INDEX runs_by_time ON runs (created_at DESC, id DESC);
-- Private queues (of commands that run runs themselves) are looked through every few seconds, however many runs are kept.
CREATE INDEX runs_unfinished_by_queue ON runs (queue text_pattern_ops) WHERE state IN ('waiting_data', 'available', 'leased');
CREATE INDEX runs_unfinished_by_job ON runs (job_id) WHERE state IN ('waiting_data', 'available', 'leased');

-- A finished run never changes: results may be cited years later.
CREATE FUNCTION runs_terminal_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('succeeded', 'failed', 'timed_out', 'cancelled', 'poisoned') THEN
        RAISE EXCEPTION 'run % is finished (%) and cannot change', OLD.id, OLD.state USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER runs_terminal_is_final BEFORE UPDATE ON runs FOR EACH ROW EXECUTE FUNCTION runs_terminal_is_final();

CREATE TABLE run_attempts (
    run_id            uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    fence             bigint NOT NULL,            -- which lease
    worker_id         uuid NOT NULL,
    worker_name       text NOT NULL,
    started_at        timestamptz NOT NULL DEFAULT steward_now(),
    finished_at       timestamptz,
    outcome           text CHECK (outcome IN ('succeeded', 'failed', 'retried', 'snoozed', 'released',
                                              'timed_out', 'cancelled', 'crashed', 'fenced_out')),
    error             text,
    error_kind        text,
    peak_memory_bytes bigint,
    bytes_read        bigint,
    PRIMARY KEY (run_id, fence)
);

-- The objects a run read, as they were at first read: a retry reads the same bytes or says that they changed.
CREATE TABLE run_inputs (
    run_id     uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    role       text NOT NULL,                     -- reference, current, data
    object     text NOT NULL,                     -- URI of the object
    etag       text,
    version    text,
    size_bytes bigint NOT NULL,
    row_count  bigint,
    pinned_at  timestamptz NOT NULL DEFAULT steward_now(),
    PRIMARY KEY (run_id, role, object)
);

CREATE TABLE ticks (
    schedule_id uuid NOT NULL REFERENCES schedules,
    tick_at     timestamptz NOT NULL,
    verdict     text NOT NULL
                CHECK (verdict IN ('enqueued', 'skipped_overlap', 'missed_window', 'collapsed', 'paused', 'data_timeout')),
    reason      text,
    run_id      uuid REFERENCES runs ON DELETE SET NULL,
    decided_at  timestamptz NOT NULL DEFAULT steward_now(),
    PRIMARY KEY (schedule_id, tick_at)
);

-- Wakes workers at once; the poll makes it dispensable.
CREATE FUNCTION runs_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('steward_runs', NEW.queue);
    RETURN NULL;
END $$;
CREATE TRIGGER runs_notify_insert AFTER INSERT ON runs FOR EACH ROW
    WHEN (NEW.state = 'available') EXECUTE FUNCTION runs_notify();
CREATE TRIGGER runs_notify_update AFTER UPDATE OF state ON runs FOR EACH ROW
    WHEN (NEW.state = 'available') EXECUTE FUNCTION runs_notify();
-- A cancellation reaches the worker that holds the run.
CREATE TRIGGER runs_notify_cancel AFTER UPDATE OF cancel_requested ON runs FOR EACH ROW
    WHEN (NEW.cancel_requested) EXECUTE FUNCTION runs_notify();
