//! The state of the whole in a few numbers, for `/metrics` and `/readyz`: one statement each, on indexes where tables grow.

use sqlx::PgPool;

/// The numbers.
#[derive(Debug, Clone, Default)]
pub struct Gauges {
    /// Runs by state, unfinished ones and those of the last hour; every state is there, also at zero.
    pub runs: Vec<(String, i64)>,
    /// How long the oldest run that could start has been waiting.
    pub queue_lag_seconds: f64,
    /// How late the newest decided tick of the schedules was decided, the worst of them.
    pub lateness_seconds: f64,
    /// Deliveries by channel and state: all that are not delivered, and the delivered of the last hour.
    pub deliveries: Vec<(String, String, i64)>,
    /// Unresolved incidents by severity; every severity is there.
    pub incidents: Vec<(String, i64)>,
    /// What is wrong with the job files, where something is.
    pub config_error: Option<String>,
    /// Events in the audit trail.
    pub audit_events: i64,
}

/// Reads them.
///
/// # Errors
/// Any error of the database.
pub async fn read(pool: &PgPool) -> Result<Gauges, sqlx::Error> {
    // Unfinished ones lie in partial indexes; of the finished, only the last hour is read.
    let runs = sqlx::query!(
        r#"WITH counted AS (
               SELECT state FROM runs WHERE state IN ('waiting_data', 'available', 'leased')
               UNION ALL
               SELECT state FROM runs
                WHERE created_at > steward_now() - interval '1 hour'
                  AND state IN ('succeeded', 'failed', 'timed_out', 'cancelled', 'poisoned'))
           SELECT s.state AS "state!", count(c.state) AS "count!"
             FROM unnest(ARRAY['waiting_data', 'available', 'leased', 'succeeded', 'failed', 'timed_out', 'cancelled', 'poisoned'])
                  AS s (state)
             LEFT JOIN counted c USING (state)
            GROUP BY s.state"#
    )
    .fetch_all(pool)
    .await?;
    let deliveries = sqlx::query!(
        r#"WITH counted AS (
               SELECT channel, state FROM deliveries WHERE state IN ('pending', 'leased', 'retry', 'uncertain')
               UNION ALL
               SELECT channel, state FROM deliveries WHERE state = 'dead'
               UNION ALL
               SELECT channel, state FROM deliveries
                WHERE created_at > steward_now() - interval '1 hour' AND state IN ('sent', 'suppressed', 'merged'))
           SELECT channel AS "channel!", state AS "state!", count(*) AS "count!" FROM counted GROUP BY channel, state"#
    )
    .fetch_all(pool)
    .await?;
    let incidents = sqlx::query!(
        r#"SELECT s.severity AS "severity!", count(i.id) AS "count!"
             FROM unnest(ARRAY['info', 'warning', 'critical']) AS s (severity)
             LEFT JOIN incidents i ON i.severity = s.severity AND i.state <> 'resolved'
            GROUP BY s.severity"#
    )
    .fetch_all(pool)
    .await?;
    let rest = sqlx::query!(
        r#"SELECT coalesce((SELECT extract(epoch FROM greatest(steward_now() - min(greatest(run_after, created_at)), interval '0'))
                              FROM runs WHERE state = 'available' AND run_after <= steward_now()), 0)::float8 AS "lag!",
                  coalesce((SELECT max(extract(epoch FROM t.decided_at - t.tick_at))
                              FROM schedules s
                             CROSS JOIN LATERAL (SELECT tick_at, decided_at FROM ticks
                                                  WHERE schedule_id = s.id ORDER BY tick_at DESC LIMIT 1) t
                             WHERE s.active), 0)::float8 AS "lateness!",
                  (SELECT title FROM incidents WHERE kind = 'config_error' AND state <> 'resolved'
                    ORDER BY opened_at DESC LIMIT 1) AS config_error,
                  (SELECT sequence FROM governance_head) AS "events!""#
    )
    .fetch_one(pool)
    .await?;
    Ok(Gauges {
        runs: runs.into_iter().map(|r| (r.state, r.count)).collect(),
        queue_lag_seconds: rest.lag,
        lateness_seconds: rest.lateness,
        deliveries: deliveries.into_iter().map(|r| (r.channel, r.state, r.count)).collect(),
        incidents: incidents.into_iter().map(|r| (r.severity, r.count)).collect(),
        config_error: rest.config_error,
        audit_events: rest.events,
    })
}
