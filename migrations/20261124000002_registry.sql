-- The registry in full: order of versions, frozen fields, history, approvals, policies, aliases, cards, tombstones.

-- A text whose bytewise order is the precedence of Semantic Versioning 2.0.0 (build metadata does not count). A release ends
-- in '~', which is above every pre-release; numeric identifiers are ordered by length, then digits, and stand below words; a
-- shorter list of identifiers stands below a longer one. What is not a semantic version (rows from before this rule) stands
-- below all that are.
CREATE FUNCTION steward_version_key(version text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    parts text[] := regexp_match(version,
        '^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?$');
    identifier text;
    key text;
BEGIN
    IF parts IS NULL THEN
        RETURN ' ' || version;
    END IF;
    key := lpad(length(parts[1])::text, 3, '0') || parts[1] || '.' || lpad(length(parts[2])::text, 3, '0') || parts[2] || '.'
        || lpad(length(parts[3])::text, 3, '0') || parts[3];
    IF parts[4] IS NULL THEN
        RETURN key || '~';
    END IF;
    FOREACH identifier IN ARRAY string_to_array(parts[4], '.') LOOP
        IF identifier ~ '^[0-9]+$' THEN
            key := key || ' 0' || lpad(length(identifier)::text, 3, '0') || identifier;
        ELSE
            key := key || ' 1' || identifier;
        END IF;
    END LOOP;
    RETURN key;
END $$;

ALTER TABLE model_registry
    ADD COLUMN precedence text COLLATE "C" NOT NULL GENERATED ALWAYS AS (steward_version_key(version)) STORED,
    ADD COLUMN is_prerelease boolean NOT NULL GENERATED ALWAYS AS (steward_version_key(version) NOT LIKE '%~') STORED,
    ADD COLUMN owner text,
    ADD COLUMN tags jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(tags) = 'object'),
    ADD COLUMN artefact_digest text CHECK (artefact_digest ~ '^sha256:[0-9a-f]{64}$'),
    ADD COLUMN artefact_status text NOT NULL DEFAULT 'none'
        CHECK (artefact_status IN ('none', 'pending', 'verified', 'missing', 'mismatch')),
    ADD COLUMN artefact_detail text,
    ADD COLUMN artefact_size_bytes bigint,
    ADD COLUMN artefact_checked_at timestamptz,
    ADD COLUMN revision bigint NOT NULL DEFAULT 1,  -- counts changes of the row: its ETag
    ADD COLUMN deleted_at timestamptz,              -- a tombstone: the number is never used again
    ADD COLUMN deleted_by text,
    ADD COLUMN deleted_reason text;

-- Build metadata cannot make a second row.
CREATE UNIQUE INDEX model_registry_by_precedence ON model_registry (model_name, precedence DESC);
-- `latest`, in any stage; then lists and searches, newest first. Not partial: statements that ask for tombstones too use them.
CREATE INDEX model_registry_latest ON model_registry (model_name, is_prerelease, precedence DESC)
    WHERE stage <> 'archived' AND deleted_at IS NULL;
CREATE INDEX model_registry_latest_by_stage ON model_registry (model_name, stage, is_prerelease, precedence DESC)
    WHERE deleted_at IS NULL;
CREATE INDEX model_registry_newest ON model_registry (created_at DESC, id DESC);
DROP INDEX model_registry_by_time;
CREATE INDEX model_registry_newest_by_name ON model_registry (model_name, created_at DESC, id DESC);
CREATE INDEX model_registry_newest_by_stage ON model_registry (stage, created_at DESC, id DESC);
CREATE INDEX model_registry_newest_by_owner ON model_registry (owner, created_at DESC, id DESC);
CREATE INDEX model_registry_newest_by_creator ON model_registry (created_by, created_at DESC, id DESC);
CREATE INDEX model_registry_by_prefix ON model_registry (model_name COLLATE "C");
CREATE INDEX model_registry_tags ON model_registry USING gin (tags jsonb_path_ops);

-- What was registered stays what it was. A row that was registered automatically knows next to nothing and is completed by the
-- registration that comes after it; a digest, once known, never changes.
CREATE FUNCTION model_registry_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.model_name, NEW.version, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.model_name, OLD.version, OLD.created_at)
       OR (OLD.artefact_digest IS NOT NULL AND NEW.artefact_digest IS DISTINCT FROM OLD.artefact_digest)
       OR ((NOT OLD.auto_registered OR OLD.stage <> 'development')
           AND (NEW.model_path, NEW.training_data_path, NEW.hyperparameters, NEW.training_metadata, NEW.created_by, NEW.auto_registered)
               IS DISTINCT FROM (OLD.model_path, OLD.training_data_path, OLD.hyperparameters, OLD.training_metadata, OLD.created_by, OLD.auto_registered))
       OR (OLD.deleted_at IS NOT NULL) THEN
        RAISE EXCEPTION 'version % of model % is frozen', OLD.version, OLD.model_name USING ERRCODE = 'restrict_violation';
    END IF;
    NEW.revision := OLD.revision + 1;
    NEW.updated_at := steward_now();
    RETURN NEW;
END $$;
CREATE TRIGGER model_registry_frozen BEFORE UPDATE ON model_registry FOR EACH ROW EXECUTE FUNCTION model_registry_frozen();

-- A deletion is a tombstone, never a missing row.
CREATE FUNCTION model_registry_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a model version is deleted by a tombstone, not by removing its row' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER model_registry_no_delete BEFORE DELETE ON model_registry FOR EACH ROW EXECUTE FUNCTION model_registry_no_delete();

-- The periods of each version's life, one row a stage. What was in production at an instant is one look into it.
CREATE TABLE model_stage_history (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_id       uuid NOT NULL REFERENCES model_registry,
    model_name     text NOT NULL,
    version        text NOT NULL,
    from_stage     text,                          -- null: registered
    stage          text NOT NULL CHECK (stage IN ('development', 'staging', 'production', 'archived')),
    valid_from     timestamptz NOT NULL,
    valid_to       timestamptz,                   -- null: still
    actor          text NOT NULL,
    approved_by    text,
    reason         text,
    break_glass    boolean NOT NULL DEFAULT false,
    decision       jsonb NOT NULL DEFAULT '{}',   -- policy, gates and approvals as they were when it was decided
    event_sequence bigint,                        -- of governance_events
    CHECK (valid_to IS NULL OR valid_to >= valid_from)
);
CREATE UNIQUE INDEX model_stage_history_current ON model_stage_history (model_id) WHERE valid_to IS NULL;
CREATE INDEX model_stage_history_by_model ON model_stage_history (model_name, id DESC);
CREATE UNIQUE INDEX model_stage_history_one_production ON model_stage_history (model_name)
    WHERE stage = 'production' AND valid_to IS NULL;
CREATE INDEX model_stage_history_production ON model_stage_history (model_name, valid_from DESC) WHERE stage = 'production';

-- Rows from before the history began: their present stage, since they took it.
INSERT INTO model_stage_history (model_id, model_name, version, stage, valid_from, actor, approved_by, reason)
SELECT id, model_name, version, stage, coalesce(promoted_at, created_at), coalesce(created_by, 'steward'), approved_by,
       'registered before the history began'
  FROM model_registry;

-- What a model asks of a promotion; without a row the configured default holds.
CREATE SEQUENCE model_policy_revision;              -- never the same again, also after a policy was taken away
CREATE TABLE model_policies (
    model_name text PRIMARY KEY,
    policy     jsonb NOT NULL,
    revision   bigint NOT NULL DEFAULT nextval('model_policy_revision'),
    updated_by text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT steward_now()
);

-- An approval holds for the artefact and the metrics that the approver saw.
CREATE TABLE model_approvals (
    id                  uuid PRIMARY KEY,
    model_id            uuid NOT NULL REFERENCES model_registry,
    stage               text NOT NULL CHECK (stage IN ('staging', 'production')),
    approver            text NOT NULL,
    approver_kind       text NOT NULL CHECK (approver_kind IN ('token', 'local', 'system')),
    comment             text,
    artefact_digest     text,
    metrics_fingerprint text NOT NULL,            -- SHA-256 over the metrics that were there
    metrics             jsonb NOT NULL,           -- those metrics, for whoever asks later
    created_at          timestamptz NOT NULL DEFAULT steward_now(),
    withdrawn_at        timestamptz,
    used_at             timestamptz               -- counted by a promotion: it never counts for another one
);
CREATE UNIQUE INDEX model_approvals_one_each ON model_approvals (model_id, stage, approver)
    WHERE withdrawn_at IS NULL AND used_at IS NULL;
CREATE INDEX model_approvals_by_model ON model_approvals (model_id, created_at);

-- Names that move: `champion`, `canary`.
CREATE TABLE model_aliases (
    model_name text NOT NULL,
    alias      text NOT NULL CHECK (alias ~ '^[A-Za-z][A-Za-z0-9_-]{0,63}$'),
    model_id   uuid NOT NULL REFERENCES model_registry,
    updated_by text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT steward_now(),
    PRIMARY KEY (model_name, alias)
);
CREATE INDEX model_aliases_by_version ON model_aliases (model_id);

-- Model cards, every edition kept.
CREATE TABLE model_cards (
    model_id   uuid NOT NULL REFERENCES model_registry,
    edition    integer NOT NULL CHECK (edition >= 1),
    body       text NOT NULL,                     -- Markdown
    author     text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT steward_now(),
    PRIMARY KEY (model_id, edition)
);

-- Where a metric's numbers come from.
ALTER TABLE model_validation_metrics
    ADD COLUMN dataset_uri text,
    ADD COLUMN dataset_digest text,
    ADD COLUMN created_by text;
CREATE INDEX model_validation_metrics_by_time ON model_validation_metrics (model_name, model_version, created_at DESC, id DESC);
CREATE INDEX model_validation_metrics_newest ON model_validation_metrics (model_name, created_at DESC, id DESC);

-- The plan of an A/B test is agreed before the first row is seen: from the start on nobody changes it.
CREATE FUNCTION model_ab_tests_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'draft'
       AND (NEW.test_name, NEW.model_a_name, NEW.model_a_version, NEW.model_b_name, NEW.model_b_version, NEW.success_metric,
            NEW.lower_is_better, NEW.traffic_split, NEW.min_samples, NEW.success_threshold, NEW.statistical_test,
            NEW.significance_level, NEW.plan)
           IS DISTINCT FROM
           (OLD.test_name, OLD.model_a_name, OLD.model_a_version, OLD.model_b_name, OLD.model_b_version, OLD.success_metric,
            OLD.lower_is_better, OLD.traffic_split, OLD.min_samples, OLD.success_threshold, OLD.statistical_test,
            OLD.significance_level, OLD.plan) THEN
        RAISE EXCEPTION 'the plan of A/B test % is frozen since its start', OLD.test_name USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER model_ab_tests_frozen BEFORE UPDATE ON model_ab_tests FOR EACH ROW EXECUTE FUNCTION model_ab_tests_frozen();
CREATE INDEX model_ab_tests_newest ON model_ab_tests (created_at DESC, id DESC);

-- A gate asks for the live incidents of a version.
CREATE INDEX incidents_live_by_model ON incidents (model_name, model_version) WHERE state <> 'resolved';

-- Whoever waits for a version to change (long-poll) hears of it at once.
CREATE FUNCTION model_registry_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('steward_models', NEW.model_name);
    RETURN NULL;
END $$;
CREATE TRIGGER model_registry_notify AFTER INSERT OR UPDATE ON model_registry FOR EACH ROW EXECUTE FUNCTION model_registry_notify();

-- What happened stays what happened: a period is closed once, an approval is withdrawn or used once, no row goes.
CREATE FUNCTION model_stage_history_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.valid_to IS NULL
       AND (NEW.id, NEW.model_id, NEW.model_name, NEW.version, NEW.from_stage, NEW.stage, NEW.valid_from, NEW.actor,
            NEW.approved_by, NEW.reason, NEW.break_glass, NEW.decision, NEW.event_sequence)
           IS NOT DISTINCT FROM
           (OLD.id, OLD.model_id, OLD.model_name, OLD.version, OLD.from_stage, OLD.stage, OLD.valid_from, OLD.actor,
            OLD.approved_by, OLD.reason, OLD.break_glass, OLD.decision, OLD.event_sequence) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the history of stages is only added to' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER model_stage_history_kept BEFORE UPDATE OR DELETE ON model_stage_history
    FOR EACH ROW EXECUTE FUNCTION model_stage_history_kept();

CREATE FUNCTION model_approvals_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.withdrawn_at IS NULL AND OLD.used_at IS NULL
       AND (NEW.id, NEW.model_id, NEW.stage, NEW.approver, NEW.approver_kind, NEW.comment, NEW.artefact_digest,
            NEW.metrics_fingerprint, NEW.metrics, NEW.created_at)
           IS NOT DISTINCT FROM
           (OLD.id, OLD.model_id, OLD.stage, OLD.approver, OLD.approver_kind, OLD.comment, OLD.artefact_digest,
            OLD.metrics_fingerprint, OLD.metrics, OLD.created_at) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'an approval is withdrawn or used once, and stays what it was' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER model_approvals_kept BEFORE UPDATE OR DELETE ON model_approvals
    FOR EACH ROW EXECUTE FUNCTION model_approvals_kept();
