-- What the REST API asks for beside the registry.

-- Messages that were given up are counted at every look at /readyz, however many were sent.
CREATE INDEX deliveries_dead ON deliveries (channel) WHERE state = 'dead';
-- Lists by state, newest first.
CREATE INDEX deliveries_by_state ON deliveries (state, created_at DESC, id);
CREATE INDEX incidents_by_model ON incidents (model_name, opened_at DESC, id) WHERE model_name IS NOT NULL;
CREATE INDEX model_drift_detection_by_time ON model_drift_detection (created_at DESC, id DESC);
CREATE INDEX model_drift_detection_newest ON model_drift_detection (model_name, created_at DESC, id DESC);
CREATE INDEX model_drift_detection_newest_alerts ON model_drift_detection (created_at DESC, id DESC) WHERE is_alert;
CREATE INDEX model_ab_tests_by_time ON model_ab_tests (created_at DESC, id DESC);

-- The trace (W3C trace context) that a submission belongs to: it goes on into the run's log lines and its webhooks.
ALTER TABLE runs ADD COLUMN traceparent text CHECK (traceparent ~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$');
