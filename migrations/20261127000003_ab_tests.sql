-- A/B tests in service: who was sent to which arm, what was observed of whom, and what was read of objects.

-- Why a test ended, in the words of whoever ended it.
ALTER TABLE model_ab_tests
    ADD COLUMN ended_by text,
    ADD COLUMN ended_reason text;

-- Who was assigned to an arm. One row a unit, however often it came: its sample ratio is that of the assignment.
CREATE TABLE ab_exposures (
    test_id    uuid NOT NULL REFERENCES model_ab_tests,
    unit       text COLLATE "C" NOT NULL CHECK (length(unit) >= 1 AND octet_length(unit) <= 256),
    variant    text NOT NULL CHECK (variant IN ('a', 'b')),
    first_seen timestamptz NOT NULL DEFAULT steward_now(),
    last_seen  timestamptz NOT NULL DEFAULT steward_now(),
    count      bigint NOT NULL DEFAULT 1 CHECK (count >= 1),
    PRIMARY KEY (test_id, unit)
);

-- Rows that somebody posted, each once by its request id. What was observed is never changed; an outcome that was missing may come.
CREATE TABLE ab_observations (
    test_id    uuid NOT NULL REFERENCES model_ab_tests,
    request_id text COLLATE "C" NOT NULL CHECK (length(request_id) >= 1 AND octet_length(request_id) <= 256),
    unit       text CHECK (length(unit) >= 1 AND octet_length(unit) <= 256),
    variant    text NOT NULL CHECK (variant IN ('a', 'b')),
    outcome    double precision,              -- null: none yet
    created_at timestamptz NOT NULL DEFAULT steward_now(),
    PRIMARY KEY (test_id, request_id)
);

-- What a test keeps of each object that it has read: a later look reads only what is new. An object that was written again, or whose
-- rows had not all come into the window, is read again.
CREATE TABLE ab_test_objects (
    test_id     uuid NOT NULL REFERENCES model_ab_tests,
    role        text NOT NULL,                -- current, reference
    object      text NOT NULL,                -- URI of the object
    etag        text,
    version     text,
    size_bytes  bigint NOT NULL,
    reading     text NOT NULL,                -- digest of what was asked of its rows
    is_complete boolean NOT NULL,             -- no row of it lies behind the cut-off
    records     bytea NOT NULL,
    read_at     timestamptz NOT NULL DEFAULT steward_now(),
    PRIMARY KEY (test_id, role, object)
);
