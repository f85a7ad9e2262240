-- Takes up to $2 due runs of queue $1 for worker $3 ($4) and leases them for $5 seconds.
-- Columns are named one by one: they are read by position, and `*` depends on the history of the table.
-- The predecessor is a scalar subquery because EXISTS would be hashed: all unfinished runs read for one claim.
-- `due` stays on the partial index runs_claim whatever the number of finished runs; a test asserts the plan.
WITH due AS (
    SELECT r.id, r.fence
    FROM runs r
    WHERE r.queue = $1
      AND r.state = 'available'
      AND r.run_after <= steward_now()
      AND (r.after_run IS NULL
           OR coalesce((SELECT p.state NOT IN ('waiting_data', 'available', 'leased')
                        FROM runs p WHERE p.id = r.after_run), true))
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
RETURNING r.id, r.job_id, r.job_name, r.kind, r.document, r.queue, r.priority, r.state, r.trigger, r.notifies,
          r.tick_at, r.window_start, r.window_end, r.idempotency_key, r.parent_id, r.after_run, r.run_after,
          r.attempt, r.max_attempts, r.crash_count, r.max_crashes, r.time_limit_seconds, r.deadline, r.fence,
          r.lease_owner, r.lease_until, r.cancel_requested, r.submitted_by, r.traceparent, r.created_at, r.started_at,
          r.finished_at, r.outcome, r.summary, r.error, r.error_kind
