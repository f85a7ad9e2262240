-- Incidents (the life of one problem) and deliveries (one message to one recipient, kept until accepted or dead).

CREATE TABLE incidents (
    id                uuid PRIMARY KEY,
    fingerprint       text NOT NULL,              -- SHA-256 of job and what breached
    job_id            uuid REFERENCES jobs,
    job_name          text NOT NULL,
    kind              text NOT NULL,              -- drift, metric, no_data, insufficient_data, schema_error, run_failed, ...
    subject           text NOT NULL,              -- the column, metric or input it is about
    state             text NOT NULL DEFAULT 'open' CHECK (state IN ('pending', 'open', 'acknowledged', 'recovering', 'resolved')),
    severity          text NOT NULL DEFAULT 'warning' CHECK (severity IN ('info', 'warning', 'critical')),
    title             text NOT NULL,
    model_name        text,
    model_version     text,
    evidence          jsonb NOT NULL,             -- of the latest breach
    peak_score        double precision,
    breaches          integer NOT NULL DEFAULT 1, -- evaluations in breach in a row
    clean             integer NOT NULL DEFAULT 0, -- evaluations without breach in a row
    opened_at         timestamptz NOT NULL,       -- the tick (or time) of the first breach
    last_breach_at    timestamptz NOT NULL,
    resolved_at       timestamptz,
    opened_by_run     uuid,
    resolved_by_run   uuid,
    acknowledged_by   text,
    acknowledged_at   timestamptz,
    acknowledge_note  text,
    created_at        timestamptz NOT NULL DEFAULT steward_now(),
    updated_at        timestamptz NOT NULL DEFAULT steward_now()
);
CREATE UNIQUE INDEX incidents_one_live ON incidents (fingerprint) WHERE state <> 'resolved';
CREATE INDEX incidents_by_time ON incidents (opened_at DESC, id);
CREATE INDEX incidents_by_job ON incidents (job_name, opened_at DESC);

CREATE TABLE incident_events (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id uuid NOT NULL REFERENCES incidents,
    kind        text NOT NULL CHECK (kind IN ('pending', 'opened', 'breached', 'acknowledged', 'recovering', 'resolved')),
    at          timestamptz NOT NULL,
    run_id      uuid,
    actor       text,
    detail      jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX incident_events_by_incident ON incident_events (incident_id, id);

-- Evaluations are applied in tick order; an older one than the last applied is recorded only.
CREATE TABLE job_evaluations (
    job_name     text PRIMARY KEY,
    last_applied timestamptz NOT NULL,
    last_run     uuid NOT NULL
);

CREATE TABLE deliveries (
    id              uuid PRIMARY KEY,             -- v5 of event, channel and recipient
    event_id        uuid NOT NULL,                -- v5 of what happened (run and transition)
    event_kind      text NOT NULL,                -- opened, resolved, test, ...
    channel         text NOT NULL,
    channel_kind    text NOT NULL,                -- email, webhook
    recipient       text NOT NULL,                -- address or endpoint
    queue           text NOT NULL DEFAULT 'default', -- a replay sends its own messages
    state           text NOT NULL DEFAULT 'pending'
                    CHECK (state IN ('pending', 'leased', 'sent', 'retry', 'dead', 'suppressed', 'merged', 'uncertain')),
    subject         text NOT NULL,
    message         jsonb NOT NULL,               -- frozen when inserted: what the channel needs to send it
    run_id          uuid,
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT steward_now(),
    lease_owner     uuid,
    lease_until     timestamptz,
    merged_into     uuid REFERENCES deliveries,
    last_error      text,
    created_at      timestamptz NOT NULL DEFAULT steward_now(),
    sent_at         timestamptz
);
-- Claims go channel by channel, so that a backlog of one channel is not read through for another.
CREATE INDEX deliveries_due ON deliveries (queue, channel, next_attempt_at, id)
    WHERE state IN ('pending', 'retry', 'uncertain');
CREATE INDEX deliveries_undelivered_by_queue ON deliveries (queue text_pattern_ops)
    WHERE state IN ('pending', 'leased', 'retry', 'uncertain');
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE state = 'leased';
CREATE INDEX deliveries_by_time ON deliveries (created_at DESC, id);
CREATE INDEX deliveries_by_event ON deliveries (event_id);

CREATE TABLE delivery_incidents (
    delivery_id uuid NOT NULL REFERENCES deliveries ON DELETE CASCADE,
    incident_id uuid NOT NULL REFERENCES incidents,
    PRIMARY KEY (delivery_id, incident_id)
);
CREATE INDEX delivery_incidents_by_incident ON delivery_incidents (incident_id);

CREATE TABLE delivery_attempts (
    delivery_id uuid NOT NULL REFERENCES deliveries ON DELETE CASCADE,
    attempt     integer NOT NULL,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('sent', 'retry', 'dead', 'uncertain')),
    status      integer,                          -- HTTP status or SMTP reply code
    latency_ms  bigint NOT NULL,
    excerpt     text,
    PRIMARY KEY (delivery_id, attempt)
);

CREATE FUNCTION deliveries_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('steward_deliveries', NEW.queue);
    RETURN NULL;
END $$;
CREATE TRIGGER deliveries_notify AFTER INSERT ON deliveries FOR EACH ROW EXECUTE FUNCTION deliveries_notify();
