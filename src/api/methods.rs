//! `/governance/methods`: what job files may name as a way to judge.

use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Query;
use super::caller::Caller;
use super::problem::Problem;
use super::{Api, etag};
use crate::access::Scope;
use crate::jobs::catalogue::{self, Entry, FAMILIES};

pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which methods are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only of this family, such as `drift`, `metric` or `ab test`.
    family: Option<String>,
}

/// A way to judge, as its own entry describes it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Method)]
struct MethodView {
    /// The family it is of.
    family: &'static str,
    /// Its name in job files.
    name: &'static str,
    /// Its name for people.
    title: &'static str,
    /// What it measures.
    summary: &'static str,
    /// What it is for: kinds of columns, a task, two arms.
    applies_to: &'static str,
    /// When it is the right choice.
    when_to_use: Option<&'static str>,
    /// Its formula in plain text.
    formula: Option<&'static str>,
    /// The range of its score.
    range: Option<&'static str>,
    /// The threshold when a job names none.
    default_threshold: Option<f64>,
    /// Rows per side from which unchanged data stay below the default threshold 99 times in 100.
    minimum_sample: Option<u64>,
    /// Whether a p-value stands beside the score.
    has_p_value: Option<bool>,
    /// How ties, missing values, constants and infinities are treated.
    limits: Option<&'static str>,
    /// Where it comes from.
    reference: &'static str,
}

/// All methods; the list is short and has no pages.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Methods)]
struct MethodList {
    /// The methods, family by family.
    items: Vec<MethodView>,
}

impl From<Entry> for MethodView {
    fn from(entry: Entry) -> Self {
        Self {
            family: entry.family,
            name: entry.name,
            title: entry.title,
            summary: entry.summary,
            applies_to: entry.applies_to,
            when_to_use: entry.when_to_use,
            formula: entry.formula,
            range: entry.range,
            default_threshold: entry.default_threshold,
            minimum_sample: entry.minimum_sample,
            has_p_value: entry.has_p_value,
            limits: entry.limits,
            reference: entry.reference,
        }
    }
}

/// Lists what job files may name as a way to judge: drift methods, metrics, tests.
#[utoipa::path(get, path = "/governance/methods", tag = "jobs", params(ListQuery),
    responses((status = 200, description = "All of them.", body = MethodList)))]
async fn list(caller: Caller, Query(query): Query<ListQuery>) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let families: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
    if let Some(family) = query.family.as_deref()
        && !families.contains(&family)
    {
        let names: Vec<String> = families.iter().map(|name| format!("`{name}`")).collect();
        return Err(Problem::invalid("?family", &format!("must be one of {}", names.join(", "))));
    }
    let mut entries = catalogue::entries();
    entries.retain(|entry| query.family.as_deref().is_none_or(|family| family == entry.family));
    etag::json(&MethodList { items: entries.into_iter().map(MethodView::from).collect() })
}
