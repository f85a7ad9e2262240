-- Who may call: API tokens. And what they called: answers kept under idempotency keys.

CREATE TABLE api_tokens (
    id           uuid PRIMARY KEY,
    name         text NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$'), -- the principal: a person or a service
    kind         text NOT NULL CHECK (kind IN ('person', 'service')),
    prefix       text NOT NULL,                   -- the first characters, so that people can tell tokens apart
    secret_hash  bytea NOT NULL UNIQUE,           -- SHA-256; the token itself is shown once
    scopes       text[] NOT NULL,
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT steward_now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    revoked_by   text,
    last_used_at timestamptz
);
CREATE INDEX api_tokens_by_time ON api_tokens (created_at DESC, id DESC);

CREATE TABLE idempotency_keys (
    principal    text NOT NULL,
    key          text NOT NULL,
    request_hash bytea NOT NULL,                  -- SHA-256 of method, path and body
    status       integer,                         -- the answer; null while the first request is still working
    headers      jsonb,
    body         bytea,
    created_at   timestamptz NOT NULL DEFAULT steward_now(),
    PRIMARY KEY (principal, key)
);
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);
