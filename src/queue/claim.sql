-- Takes up to $2 due runs of queue $1 for worker $3 ($4) and leases them for $5 seconds.
-- `due` stays on the partial index runs_claim whatever the number of finished runs; a test asserts the plan.
WITH due AS (
    SELECT r.id, r.fence
    FROM runs r
    WHERE r.queue = $1
      AND r.state = 'available'
      AND r.run_after <= steward_now()
      AND (r.after_run IS NULL
           OR NOT EXISTS (SELECT 1 FROM runs p
                          WHERE p.id = r.after_run AND p.state IN ('waiting_data', 'available', 'leased')))
    ORDER BY r.priority, r.run_after, r.id
    LIMIT $2
    FOR UPDATE OF r SKIP LOCKED
), opened AS (
    INSERT INTO run_attempts (run_id, fence, worker_id, worker_name)
    SELECT id, fence + 1, $3, $4 FROM due
)
UPDATE runs r
SET state = 'leased', fence = r.fence + 1, lease_owner = $3,
    lease_until = steward_now() + make_interval(secs => $5),
    started_at = coalesce(r.started_at, steward_now())
FROM due
WHERE r.id = due.id
RETURNING r.*
