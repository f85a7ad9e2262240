//! What a caller must be allowed to do before a request that changes something is read any further.
//!
//! Handlers ask for their scope themselves; this table lets the same question be asked before a body is received and parsed, so that
//! who may not do a thing learns only that. A test holds it against the routes. Deliberately absent: reads, whose requests have
//! no body, and what depends on the body (a submitted document that writes metrics needs `metrics:write` too).

use axum::http::Method;

use crate::access::Scope;

/// Method, path below `/governance`, scope.
const WRITES: &[(&str, &str, Scope)] = &[
    ("POST", "/ab-tests", Scope::MetricsWrite),
    ("POST", "/ab-tests/{test_id}/assign", Scope::MetricsWrite),
    ("POST", "/ab-tests/{test_id}/cancel", Scope::MetricsWrite),
    ("POST", "/ab-tests/{test_id}/conclude", Scope::MetricsWrite),
    ("POST", "/ab-tests/{test_id}/evaluate", Scope::MetricsWrite),
    ("POST", "/ab-tests/{test_id}/observations", Scope::MetricsWrite),
    ("POST", "/ab-tests/{test_id}/pause", Scope::MetricsWrite),
    ("POST", "/ab-tests/{test_id}/results", Scope::MetricsWrite),
    ("POST", "/ab-tests/{test_id}/resume", Scope::MetricsWrite),
    ("POST", "/ab-tests/{test_id}/start", Scope::MetricsWrite),
    ("POST", "/deliveries/{delivery_id}/retry", Scope::JobsSubmit),
    ("POST", "/drift/alerts/{alert_id}/acknowledge", Scope::AlertsAck),
    ("POST", "/incidents/{incident_id}/acknowledge", Scope::AlertsAck),
    ("POST", "/jobs/{job_name}/pause", Scope::JobsSubmit),
    ("POST", "/jobs/{job_name}/resume", Scope::JobsSubmit),
    ("POST", "/jobs/{job_name}/run", Scope::JobsSubmit),
    ("POST", "/models/register", Scope::ModelsRegister),
    ("PUT", "/models/{model_name}/aliases/{alias}", Scope::ModelsRegister),
    ("DELETE", "/models/{model_name}/aliases/{alias}", Scope::ModelsRegister),
    ("PUT", "/models/{model_name}/policy", Scope::Admin),
    ("DELETE", "/models/{model_name}/policy", Scope::Admin),
    ("POST", "/models/{model_name}/rollback", Scope::ModelsPromote),
    ("PATCH", "/models/{model_name}/{version}", Scope::ModelsRegister),
    ("DELETE", "/models/{model_name}/{version}", Scope::Admin),
    ("POST", "/models/{model_name}/{version}/approvals", Scope::ModelsApprove),
    ("POST", "/models/{model_name}/{version}/approvals/withdraw", Scope::ModelsApprove),
    ("POST", "/models/{model_name}/{version}/archive", Scope::ModelsPromote),
    ("POST", "/models/{model_name}/{version}/card", Scope::ModelsRegister),
    ("POST", "/models/{model_name}/{version}/demote", Scope::ModelsPromote),
    ("POST", "/models/{model_name}/{version}/metrics", Scope::MetricsWrite),
    ("POST", "/models/{model_name}/{version}/metrics/batch", Scope::MetricsWrite),
    ("POST", "/models/{model_name}/{version}/metrics/evaluate-classification", Scope::MetricsWrite),
    ("POST", "/models/{model_name}/{version}/metrics/evaluate-regression", Scope::MetricsWrite),
    ("POST", "/models/{model_name}/{version}/profile", Scope::ModelsRegister),
    ("POST", "/models/{model_name}/{version}/promote", Scope::ModelsPromote),
    ("POST", "/models/{model_name}/{version}/verify", Scope::ModelsRegister),
    ("POST", "/runs", Scope::JobsSubmit),
    ("POST", "/runs/{run_id}/cancel", Scope::JobsSubmit),
    ("POST", "/runs/{run_id}/retry", Scope::JobsSubmit),
    ("POST", "/tokens", Scope::Admin),
    ("POST", "/tokens/{token_id}/revoke", Scope::Admin),
];

/// The scope that a change at this route needs; none for reads and for routes that do not exist.
#[must_use]
pub(super) fn needed(method: &Method, route: &str) -> Option<Scope> {
    let path = route.strip_prefix("/governance")?;
    WRITES.iter().find(|(verb, known, _)| *verb == method.as_str() && *known == path).map(|(.., scope)| *scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_has_its_scope_and_every_scope_its_change() {
        let document: serde_json::Value = serde_json::from_str(&super::super::openapi_document()).unwrap();
        let mut changes: Vec<String> = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for verb in item.as_object().unwrap().keys().filter(|verb| *verb != "get") {
                changes.push(format!("{} {}", verb.to_uppercase(), path.strip_prefix("/governance").unwrap()));
            }
        }
        let mut known: Vec<String> = WRITES.iter().map(|(verb, path, _)| format!("{verb} {path}")).collect();
        changes.sort();
        known.sort();
        assert_eq!(known, changes);
    }
}
