//! The OpenAPI 3.1 document, made from the handlers, and a page for people that needs nothing from the network.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, InfoBuilder, OpenApi, Ref, ResponseBuilder};
use utoipa::{OpenApi as _, ToSchema as _};

use super::Api;
use super::problem::ProblemBody;

/// The page: it reads `/openapi.json` and shows it.
const PAGE: &str = include_str!("reference.html");

/// What the document says beside the handlers.
#[derive(utoipa::OpenApi)]
#[openapi(
    components(schemas(ProblemBody)),
    tags(
        (name = "models", description = "The registry: versions, stages, approvals, history."),
        (name = "metrics", description = "Validation metrics of model versions."),
        (name = "drift", description = "Drift checks and their alerts."),
        (name = "ab-tests", description = "A/B tests between model versions."),
        (name = "jobs", description = "Declared jobs and their schedules."),
        (name = "runs", description = "Runs: submitted, scheduled, repeated."),
        (name = "incidents", description = "Incidents and the messages about them."),
        (name = "audit", description = "The audit trail."),
        (name = "health", description = "For the machines that run Steward."),
    )
)]
struct Base;

/// The document to which the routers add their paths.
#[must_use]
pub fn base() -> OpenApi {
    let mut document = Base::openapi();
    document.info = InfoBuilder::new()
        .title("Steward")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(include_str!("description.md")))
        .license(Some(
            utoipa::openapi::LicenseBuilder::new()
                .name("MIT OR Apache-2.0")
                .identifier(Some("MIT OR Apache-2.0"))
                .build(),
        ))
        .build();
    document
}

/// Adds what holds for every operation: how errors look, and that a token is needed.
#[must_use]
pub fn finished(mut document: OpenApi) -> OpenApi {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token of `steward token create`. In the open mode on loopback none is needed."))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    for (path, item) in &mut document.paths.paths {
        let open = matches!(path.as_str(), "/livez" | "/readyz" | "/openapi.json" | "/reference");
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            complete(operation, open);
        }
    }
    document
}

fn complete(operation: &mut Operation, open: bool) {
    let problem = Content::new(Some(Ref::from_schema_name(ProblemBody::name())));
    let response = ResponseBuilder::new()
        .description("What went wrong (RFC 9457).")
        .content("application/problem+json", problem)
        .build();
    operation.responses.responses.insert("default".to_owned(), response.into());
    if !open {
        operation.security =
            Some(vec![SecurityRequirement::new::<_, [&str; 0], _>("token", []), SecurityRequirement::default()]);
    }
}

/// The document as this process serves it.
pub(super) async fn document(State(api): State<Api>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], api.openapi.to_string()).into_response()
}

/// The page.
pub(super) async fn page() -> Response {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-@@'; connect-src 'self'";
    let policy = policy.replace("@@", script_hash());
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()), (header::CONTENT_SECURITY_POLICY, policy)], PAGE)
        .into_response()
}

/// The hash of the page's one script, for its content security policy.
fn script_hash() -> &'static str {
    use base64::Engine as _;
    use sha2::{Digest as _, Sha256};
    static HASH: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    HASH.get_or_init(|| {
        let script =
            PAGE.split_once("<script>").and_then(|(_, rest)| rest.split_once("</script>")).map_or("", |(s, _)| s);
        base64::engine::general_purpose::STANDARD.encode(Sha256::digest(script))
    })
}
