-- The five tables that the specification names. Everything that its text implies is a column;
-- what an operator needs beside it (who, when, from which run) stands behind it.

CREATE TABLE model_registry (
    id                 uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    model_name         text NOT NULL CHECK (model_name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$'),
    version            text NOT NULL CHECK (length(version) BETWEEN 1 AND 128),
    stage              text NOT NULL DEFAULT 'development'
                       CHECK (stage IN ('development', 'staging', 'production', 'archived')),
    description        text,
    model_path         text,
    training_data_path text,
    hyperparameters    jsonb NOT NULL DEFAULT '{}',
    training_metadata  jsonb NOT NULL DEFAULT '{}',
    created_by         text,
    approved_by        text,
    auto_registered    boolean NOT NULL DEFAULT false,
    created_at         timestamptz NOT NULL DEFAULT steward_now(),
    updated_at         timestamptz NOT NULL DEFAULT steward_now(),
    promoted_at        timestamptz,
    UNIQUE (model_name, version)
);
CREATE UNIQUE INDEX model_registry_one_production ON model_registry (model_name) WHERE stage = 'production';
CREATE INDEX model_registry_by_time ON model_registry (model_name, created_at DESC);

CREATE TABLE model_validation_metrics (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    model_name     text NOT NULL,
    model_version  text NOT NULL,
    metric_name    text NOT NULL,
    metric_value   double precision,              -- null when undefined; metadata says why
    metric_type    text NOT NULL CHECK (metric_type IN ('classification', 'regression', 'custom')),
    dataset_split  text,
    sample_count   bigint CHECK (sample_count >= 0),
    ci_low         double precision,
    ci_high        double precision,
    segment        text,
    window_start   timestamptz,
    window_end     timestamptz,
    run_id         uuid,
    metadata       jsonb NOT NULL DEFAULT '{}',
    created_at     timestamptz NOT NULL DEFAULT steward_now()
);
CREATE INDEX model_validation_metrics_by_model
    ON model_validation_metrics (model_name, model_version, metric_name, created_at DESC);
CREATE INDEX model_validation_metrics_by_run ON model_validation_metrics (run_id);

CREATE TABLE model_drift_detection (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    model_name       text,
    model_version    text,
    drift_type       text NOT NULL CHECK (drift_type IN ('data', 'prediction', 'concept')),
    feature_name     text NOT NULL,               -- the column that was judged
    method           text NOT NULL,
    drift_score      double precision,            -- null when there is no result; reason says why
    threshold        double precision,
    p_value          double precision,
    is_alert         boolean NOT NULL,
    status           text NOT NULL CHECK (status IN ('ok', 'warning', 'drifted', 'not_applicable',
                                                     'insufficient_data', 'schema_error', 'no_data')),
    reliability      text CHECK (reliability IN ('normal', 'low')),
    n_reference      bigint NOT NULL DEFAULT 0,
    n_current        bigint NOT NULL DEFAULT 0,
    reason           text,
    details          jsonb NOT NULL DEFAULT '{}',
    run_id           uuid,
    incident_id      uuid,
    window_start     timestamptz,
    window_end       timestamptz,
    acknowledged     boolean NOT NULL DEFAULT false,
    acknowledged_by  text,
    acknowledged_at  timestamptz,
    created_at       timestamptz NOT NULL DEFAULT steward_now()
);
CREATE INDEX model_drift_detection_by_model ON model_drift_detection (model_name, created_at DESC);
CREATE INDEX model_drift_detection_alerts ON model_drift_detection (created_at DESC) WHERE is_alert;
CREATE INDEX model_drift_detection_by_run ON model_drift_detection (run_id);

CREATE TABLE model_ab_tests (
    id                 uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    test_name          text NOT NULL UNIQUE,
    model_a_name       text NOT NULL,
    model_a_version    text NOT NULL,
    model_b_name       text NOT NULL,
    model_b_version    text NOT NULL,
    success_metric     text NOT NULL,
    lower_is_better    boolean NOT NULL DEFAULT false,
    traffic_split      double precision NOT NULL DEFAULT 0.5 CHECK (traffic_split > 0 AND traffic_split < 1),
    min_samples        bigint NOT NULL DEFAULT 100 CHECK (min_samples >= 2),
    success_threshold  double precision NOT NULL DEFAULT 0.02 CHECK (success_threshold >= 0),
    statistical_test   text NOT NULL DEFAULT 't_test',
    significance_level double precision NOT NULL DEFAULT 0.05 CHECK (significance_level > 0 AND significance_level < 1),
    status             text NOT NULL DEFAULT 'draft'
                       CHECK (status IN ('draft', 'running', 'paused', 'concluded', 'cancelled')),
    decision           text,
    winner             text CHECK (winner IN ('a', 'b')),
    plan               jsonb NOT NULL DEFAULT '{}',
    created_by         text,
    created_at         timestamptz NOT NULL DEFAULT steward_now(),
    started_at         timestamptz,
    decided_at         timestamptz,
    ended_at           timestamptz,
    CHECK ((model_a_name, model_a_version) <> (model_b_name, model_b_version))
);

CREATE TABLE model_ab_test_results (
    id                    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    test_id               uuid NOT NULL REFERENCES model_ab_tests,
    look                  integer NOT NULL CHECK (look >= 1),
    n_a                   bigint NOT NULL,
    n_b                   bigint NOT NULL,
    mean_a                double precision,
    mean_b                double precision,
    absolute_difference   double precision,
    difference_low        double precision,
    difference_high       double precision,
    relative_improvement  double precision,       -- percent; positive when B is better
    statistic             double precision,
    degrees_of_freedom    double precision,
    p_value               double precision,
    log10_p_value         double precision,
    is_significant        boolean NOT NULL,
    meets_threshold       boolean NOT NULL,
    decision              text NOT NULL,
    winner                text CHECK (winner IN ('a', 'b')),
    reason                text NOT NULL,
    details               jsonb NOT NULL DEFAULT '{}',
    window_start          timestamptz,
    window_end            timestamptz,
    run_id                uuid,
    created_at            timestamptz NOT NULL DEFAULT steward_now(),
    UNIQUE (test_id, look)
);
CREATE INDEX model_ab_test_results_by_run ON model_ab_test_results (run_id);
