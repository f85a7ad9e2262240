-- Checks within segments, and reference profiles of model versions.

-- The segment whose rows were judged, such as `region = EU`; null: all rows.
ALTER TABLE model_drift_detection ADD COLUMN segment text;

-- What a version was trained on, as quantiles and counts without rows: drift can be judged without the reference data. Editions stay,
-- so that a result can always say what it was held against.
CREATE TABLE model_profiles (
    model_id   uuid NOT NULL REFERENCES model_registry,
    edition    integer NOT NULL CHECK (edition >= 1),
    profile    jsonb NOT NULL,
    digest     text NOT NULL,                     -- sha256:... of the profile
    source     text NOT NULL,                     -- where the rows lay
    row_count  bigint NOT NULL CHECK (row_count >= 0),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT steward_now(),
    PRIMARY KEY (model_id, edition)
);
