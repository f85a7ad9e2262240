//! The OpenAPI 3.1 document, made from the handlers, and a page for people that needs nothing from the network.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, InfoBuilder, OpenApi, Ref, ResponseBuilder};
use utoipa::{OpenApi as _, ToSchema as _};

use super::Api;
use super::problem::{self, ProblemBody};
use super::scopes;

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
        (name = "tokens", description = "Who may call."),
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
    let problems =
        problem::CODES.iter().map(|(code, meaning)| json!({ "code": code, "meaning": meaning })).collect::<Vec<_>>();
    document.extensions.get_or_insert_default().insert("x-problems".to_owned(), problems.into());
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    for (path, item) in &mut document.paths.paths {
        let open = matches!(path.as_str(), "/livez" | "/readyz" | "/openapi.json" | "/reference");
        let operations = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("put", &mut item.put),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ];
        for (verb, operation) in operations {
            if let Some(operation) = operation {
                operation.operation_id = Some(name(verb, path));
                if verb == "post" && path != "/governance/tokens" {
                    operation.parameters.get_or_insert_default().push(idempotency_key().into());
                }
                complete(operation, open);
                let method = axum::http::Method::from_bytes(verb.to_uppercase().as_bytes()).unwrap_or_default();
                if let Some(scope) = scopes::needed(&method, path) {
                    // Roles of a bearer scheme, as OpenAPI 3.1 allows.
                    operation.security =
                        Some(vec![SecurityRequirement::new("token", [scope.as_str()]), SecurityRequirement::default()]);
                }
            }
        }
    }
    document
}

/// What every `POST` takes.
fn idempotency_key() -> Parameter {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(255))
        .pattern(Some("^[!-~]+$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "The same key with the same request gives the same answer and one effect; a UUID is a good one.",
        ))
        .schema(Some(text))
        .build()
}

/// A name that generators of clients can use: `get_models_by_model_name_latest`.
fn name(verb: &str, path: &str) -> String {
    let segments = path.split('/').filter(|segment| !segment.is_empty() && *segment != "governance");
    segments.fold(verb.to_owned(), |name, segment| match segment.strip_prefix('{') {
        Some(parameter) => format!("{name}_by_{}", parameter.trim_end_matches('}')),
        None => format!("{name}_{}", segment.replace(['-', '.'], "_")),
    })
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    /// The document as it is checked in, for readers and for generators of clients.
    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");

    #[test]
    fn the_document_that_is_checked_in_is_the_one_that_is_served() {
        let wanted = format!("{}\n", super::super::openapi_document());
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(FILE, &wanted).unwrap();
        }
        let found = std::fs::read_to_string(FILE).unwrap_or_default();
        assert!(found == wanted, "docs/openapi.json is not what the handlers say: run `make doc`");
    }

    #[test]
    fn every_operation_says_what_it_does_and_has_a_name_of_its_own() {
        let document: Value = serde_json::from_str(&super::super::openapi_document()).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let tags: Vec<&str> =
            document["tags"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
        let mut names = std::collections::BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (verb, operation) in item.as_object().unwrap() {
                let at = format!("{verb} {path}");
                assert!(operation["summary"].as_str().is_some_and(|s| s.ends_with('.')), "{at} has no summary");
                assert!(operation["responses"]["default"].is_object(), "{at} does not say how errors look");
                for tag in operation["tags"].as_array().unwrap() {
                    assert!(tags.contains(&tag.as_str().unwrap()), "{at}: {tag} is not among the tags");
                }
                let name = operation["operationId"].as_str().unwrap();
                assert!(names.insert(name.to_owned()), "{at}: another operation is called {name} too");
            }
        }
        assert!(names.len() > 60, "{}", names.len());
    }

    #[test]
    fn every_code_that_the_tests_meet_is_explained() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it");
        let mut met = std::collections::BTreeSet::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            for part in text.split(".problem(").skip(1) {
                let arguments = part.split(')').next().unwrap();
                met.extend(arguments.split('"').nth(1).filter(|code| code.contains('_')).map(str::to_owned));
            }
        }
        assert!(met.len() > 15, "{met:?}");
        for code in met {
            assert!(
                super::problem::CODES.iter().any(|(known, _)| *known == code),
                "{code} is not explained in problem::CODES"
            );
        }
    }

    #[test]
    fn the_page_needs_nothing_from_the_network() {
        for foreign in ["http://", "https://", "//cdn", "import "] {
            assert!(!super::PAGE.contains(foreign), "{foreign}");
        }
        assert_eq!(super::script_hash().len(), 44);
    }
}
