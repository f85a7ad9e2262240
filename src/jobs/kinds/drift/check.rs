//! What the tables of `[drift]` cannot say: keys that need or exclude each other, methods that do not fit a column.

use super::super::super::diagnostic::Code;
use super::super::super::document::{
    ColumnSpec, ColumnType, DecideOn, DriftSpec, DriftTarget, JobDocument, ReferencePolicy, SchemaOf, Task,
};
use super::super::super::known::AppliesTo;
use super::super::super::review::Review;
use super::super::super::suggest::closest;
use crate::schedule::WindowSpec;

pub(super) fn check(spec: &DriftSpec, document: &JobDocument, review: &mut Review<'_>) {
    check_target(spec, document, review);
    check_reference(spec, document, review);
    check_decision(spec, review);
    check_quality(spec, document, review);
    check_selection(spec, review);
    for name in spec.columns.keys() {
        check_column(name, spec, review);
    }
}

fn check_target(spec: &DriftSpec, document: &JobDocument, review: &mut Review<'_>) {
    match spec.target {
        DriftTarget::Data => {
            if spec.prediction.is_some() {
                review.at_key(
                    &["drift", "prediction"],
                    Code::Conflict,
                    "`prediction` is used only with `target = \"prediction\"`",
                    |d| d.hint("remove it, or set `target = \"prediction\"`"),
                );
            }
        }
        DriftTarget::Prediction => {
            if spec.prediction.is_none() {
                review.at(
                    &["drift", "target"],
                    Code::MissingKey,
                    "`target = \"prediction\"` needs `prediction`",
                    |d| d.hint("add the column with the scores or predicted labels, such as `prediction = \"score\"`"),
                );
            }
            for (key, used) in [("select", !spec.select.is_empty()), ("exclude", !spec.exclude.is_empty())] {
                if used {
                    let message = format!("`{key}` is not used with `target = \"prediction\"`");
                    review.at_key(&["drift", key], Code::Conflict, message, |d| {
                        d.hint("only the column that `prediction` names is judged")
                    });
                }
            }
        }
        DriftTarget::Concept => check_concept(spec, document, review),
    }
    if spec.target != DriftTarget::Concept && spec.concept.is_some() {
        review.at_key(
            &["drift", "concept"],
            Code::Conflict,
            "`[drift.concept]` is used only with `target = \"concept\"`",
            |d| d.hint("remove it, or set `target = \"concept\"`"),
        );
    }
}

fn check_selection(spec: &DriftSpec, review: &mut Review<'_>) {
    for name in spec.select.iter().filter(|name| spec.exclude.contains(name)) {
        let message = format!("column `{name}` is both selected and excluded");
        review.at_item(&["drift", "exclude"], name, Code::Conflict, message, |d| {
            d.hint("remove it from one of the two lists")
        });
    }
    for name in spec.columns.keys() {
        let path = ["drift", "columns", name.as_str()];
        if spec.target == DriftTarget::Prediction {
            if spec.prediction.as_ref().is_some_and(|prediction| prediction != name) {
                let message = format!("column `{name}` is not judged: the target is `prediction`");
                review.at_key(&path, Code::Conflict, message, |d| {
                    d.hint("only the column that `prediction` names is judged")
                });
            }
        } else if spec.exclude.contains(name) {
            let message = format!("column `{name}` is excluded and has settings of its own");
            review.at_key(&path, Code::Conflict, message, |d| d.hint("remove one of the two"));
        } else if !spec.select.is_empty() && !spec.select.contains(name) {
            let message = format!("column `{name}` has settings of its own but is not selected");
            let near = closest(name, spec.select.iter().map(String::as_str));
            let hint = match near {
                Some(near) => format!("did you mean `{near}`? Otherwise add `{name}` to `select`"),
                None => format!("add `{name}` to `select`"),
            };
            review.at_key(&path, Code::Conflict, message, |d| d.hint(hint));
        }
    }
}

fn check_column(name: &str, spec: &DriftSpec, review: &mut Review<'_>) {
    let Some(column) = spec.columns.get(name) else { return };
    check_values(name, column, review);
    if column.bins.is_some() && column.edges.is_some() {
        review.at_key(
            &["drift", "columns", name, "edges"],
            Code::Conflict,
            "`bins` and `edges` exclude each other",
            |d| d.hint("explicit edges already say how many bins there are"),
        );
    }
    if let Some(edges) = &column.edges {
        if edges.is_empty() || edges.len() > 99 {
            review.at(&["drift", "columns", name, "edges"], Code::OutOfRange, "`edges` needs 1 to 99 numbers", |d| d);
        } else if edges.windows(2).any(|pair| pair[0] >= pair[1]) {
            review.at(
                &["drift", "columns", name, "edges"],
                Code::InvalidValue,
                "`edges` must ascend, each above the one before",
                |d| d,
            );
        }
    }
    // The method that will judge this column, when somebody says so: the column itself, else the whole section.
    let own = column.method.is_some();
    let Some(method) = column.method.as_ref().or(spec.method.as_ref()) else { return };
    let known = review.known();
    let Some(info) = known.drift_methods.iter().find(|m| m.name == *method) else { return };
    let (unfit, is) = match (info.applies_to, column.column_type) {
        (AppliesTo::Numeric, Some(ColumnType::Categorical)) => (true, "categorical"),
        (AppliesTo::Categorical, Some(ColumnType::Numeric)) => (true, "numeric"),
        _ => (false, ""),
    };
    if unfit {
        let categorical = is == "categorical";
        let fitting: Vec<String> = known
            .drift_methods
            .iter()
            .filter(|m| m.applies_to == AppliesTo::Any || (m.applies_to == AppliesTo::Categorical) == categorical)
            .map(|m| format!("`{}`", m.name))
            .collect();
        let last = if own { "method" } else { "type" };
        let message = format!("`{method}` does not judge a {is} column, and `{name}` is declared {is}");
        review.at(&["drift", "columns", name, last], Code::UnfitMethod, message, |d| {
            d.hint(format!("methods for {is} columns: {}", fitting.join(", ")))
        });
    }
}

fn check_reference(spec: &DriftSpec, document: &JobDocument, review: &mut Review<'_>) {
    use ReferencePolicy::{Profile, Rolling, SameWeekday};
    if spec.windows.is_some() && !matches!(spec.reference_policy(), Rolling | SameWeekday) {
        let message = "`windows` is used only with `reference = \"rolling\"` or `\"same_weekday\"`";
        review.at_key(&["drift", "windows"], Code::Conflict, message, |d| d.hint("remove it"));
    }
    if spec.reference_policy() == Profile {
        if document.model.is_none() {
            let message = "`reference = \"profile\"` needs `model`: the profile is registered with a model version";
            review.at(&["drift", "reference"], Code::MissingKey, message, |d| {
                d.hint("add `model = \"name\"` at the top; `steward models profile` registers the profile")
            });
        }
        if spec.group_by.is_some() {
            let message = "a profile has no segments, so `group_by` cannot be used with `reference = \"profile\"`";
            review.at_key(&["drift", "group_by"], Code::Conflict, message, |d| {
                d.hint("compare with a dataset, or remove `group_by`")
            });
        }
    }
    if spec.reference_policy() == SameWeekday
        && let Some(window) = document.data.current.as_ref().and_then(|current| current.window.as_deref())
        && WindowSpec::parse(window).is_ok_and(|window| window.is_longer_than_a_week())
    {
        let message = format!("a window of {window} would overlap with the same days of the week before");
        review.at(&["data", "current", "window"], Code::Conflict, message, |d| {
            d.hint("at most `\"1 week\"` with `reference = \"same_weekday\"`; or use `\"previous_window\"` or `\"rolling\"`")
        });
    }
}

fn check_decision(spec: &DriftSpec, review: &mut Review<'_>) {
    let by_p_value = spec.decide_on == Some(DecideOn::PValue);
    if spec.alpha.is_some() && !by_p_value {
        review.at_key(
            &["drift", "alpha"],
            Code::Conflict,
            "`alpha` is used only with `decide_on = \"p_value\"`",
            |d| d.hint("for both keys, score and p-value, use `require_significance`"),
        );
    }
    if spec.require_significance.is_some() && by_p_value {
        let message = "`require_significance` and `decide_on = \"p_value\"` exclude each other";
        review.at_key(&["drift", "require_significance"], Code::Conflict, message, |d| {
            d.hint("the p-value decides already; its level is `alpha`")
        });
    }
    let asks = if by_p_value { "decide_on = \"p_value\"" } else { "require_significance" };
    if by_p_value || spec.require_significance.is_some() {
        if let Some(method) = &spec.method {
            check_p_value(method, &["drift", "method"], asks, review);
        }
        for (name, column) in &spec.columns {
            if let Some(method) = &column.method {
                check_p_value(method, &["drift", "columns", name, "method"], asks, review);
            }
        }
    }
}

/// A method without a p-value cannot be used where p-values decide.
fn check_p_value(method: &str, path: &[&str], asks: &str, review: &mut Review<'_>) {
    let known = review.known();
    if known.drift_methods.iter().any(|m| m.name == method && !m.has_p_value) {
        let with: Vec<String> =
            known.drift_methods.iter().filter(|m| m.has_p_value).map(|m| format!("`{}`", m.name)).collect();
        let message = format!("`{method}` has no p-value, and `{asks}` needs one");
        review.at(path, Code::UnfitMethod, message, |d| d.hint(format!("methods with a p-value: {}", with.join(", "))));
    }
}

fn check_quality(spec: &DriftSpec, document: &JobDocument, review: &mut Review<'_>) {
    let Some(quality) = &spec.quality else { return };
    if quality.max_duplicate_share.is_some() && quality.key.is_empty() {
        let message = "`max_duplicate_share` needs `key`: the columns whose values name a row";
        review.at_key(&["drift", "quality", "max_duplicate_share"], Code::MissingKey, message, |d| d);
    }
    let timed = document.data.current.as_ref().is_none_or(|current| current.time_column.is_some());
    if quality.freshness_seconds.is_some() && !timed {
        let message = "`freshness` needs `data.current.time_column`: the column with each row's time";
        review.at_key(&["drift", "quality", "freshness"], Code::MissingKey, message, |d| d);
    }
    if quality.schema == Some(SchemaOf::Registered) && document.model.is_none() {
        let message = "`schema = \"registered\"` needs `model`: the schema is registered with a model version";
        review.at(&["drift", "quality", "schema"], Code::MissingKey, message, |d| {
            d.hint("add `model = \"name\"` at the top; `steward models profile` registers the profile")
        });
    }
    if quality.max_new_share.is_some() && spec.target == DriftTarget::Concept {
        let message = "`max_new_share` is not used with `target = \"concept\"`";
        review.at_key(&["drift", "quality", "max_new_share"], Code::Conflict, message, |d| d.hint("remove it"));
    }
}

fn check_concept(spec: &DriftSpec, document: &JobDocument, review: &mut Review<'_>) {
    let Some(concept) = &spec.concept else {
        review.at(
            &["drift", "target"],
            Code::MissingKey,
            "`target = \"concept\"` needs a table `[drift.concept]`",
            |d| d.hint("add `[drift.concept]` with `task`, `label`, and `prediction` or `score`"),
        );
        return;
    };
    let unused = [
        ("select", !spec.select.is_empty()),
        ("exclude", !spec.exclude.is_empty()),
        ("columns", !spec.columns.is_empty()),
        ("prediction", spec.prediction.is_some()),
        ("method", spec.method.is_some()),
        ("group_by", spec.group_by.is_some()),
        ("min_drifted_share", spec.min_drifted_share.is_some()),
        ("missing_threshold", spec.missing_threshold.is_some()),
        ("bins", spec.bins.is_some()),
        ("decide_on", spec.decide_on.is_some()),
        ("require_significance", spec.require_significance.is_some()),
    ];
    for (key, _) in unused.iter().filter(|(_, used)| *used) {
        let message = format!("`{key}` is not used with `target = \"concept\"`");
        review.at_key(&["drift", key], Code::Conflict, message, |d| {
            d.hint("columns and methods are those of `[drift.concept]`")
        });
    }
    if spec.reference_policy() == ReferencePolicy::Profile {
        let message = "errors cannot be compared with a profile, which has no labels";
        review.at(&["drift", "reference"], Code::Conflict, message, |d| d.hint("use a dataset or earlier windows"));
    }
    if concept.prediction.is_none() && concept.score.is_none() {
        let message = "`[drift.concept]` needs `prediction` or `score`";
        review.at_key(&["drift", "concept"], Code::MissingKey, message, |d| d);
    }
    if concept.task == Task::Regression && concept.score.is_some() {
        let message = "`score` is used only with `task = \"classification\"`";
        review.at_key(&["drift", "concept", "score"], Code::Conflict, message, |d| d);
    }
    let known = review.known();
    for name in &concept.methods {
        let Some(info) = known.concept_methods.iter().find(|info| info.name == *name) else { continue };
        let problem = if info.task.is_some_and(|task| task != concept.task) {
            Some((Code::UnfitMethod, format!("`{name}` does not judge {}", concept.task.as_str())))
        } else if info.needs_score && concept.score.is_none() {
            Some((Code::MissingKey, format!("`{name}` needs `score`: the probability of the positive class")))
        } else if info.needs_prediction && concept.prediction.is_none() {
            Some((Code::MissingKey, format!("`{name}` needs `prediction`")))
        } else if info.needs_time && document.data.current.as_ref().is_some_and(|c| c.time_column.is_none()) {
            Some((Code::MissingKey, format!("`{name}` follows the order of time and needs `data.current.time_column`")))
        } else {
            None
        };
        if let Some((code, message)) = problem {
            review.at_item(&["drift", "concept", "methods"], name, code, message, |d| d);
        }
    }
    if !concept.features.is_empty() && !concept.methods.iter().any(|name| name == "dle") {
        let message = "`features` is used only by the method `dle`";
        review.at_key(&["drift", "concept", "features"], Code::Conflict, message, |d| {
            d.hint("add `\"dle\"` to `methods`, or remove `features`")
        });
    }
}

/// Range and list of a column.
fn check_values(name: &str, column: &ColumnSpec, review: &mut Review<'_>) {
    let path = |key| ["drift", "columns", name, key];
    if let (Some(min), Some(max)) = (column.min, column.max)
        && min > max
    {
        let message = format!("the range of `{name}` is the wrong way round: {min} is above {max}");
        review.pair(&path("min"), &path("max"), Code::Conflict, message, "the upper end");
    }
    let ranged = column.min.is_some() || column.max.is_some();
    if ranged && !column.allowed.is_empty() {
        review.at_key(&path("allowed"), Code::Conflict, "`allowed` excludes `min` and `max`", |d| d);
    }
    if ranged && column.column_type == Some(ColumnType::Categorical) {
        let key = if column.min.is_some() { "min" } else { "max" };
        let message = format!("`{name}` is declared categorical and cannot have a range");
        review.at_key(&path(key), Code::Conflict, message, |d| d.hint("list its values with `allowed`"));
    }
    if column.max_outside_share.is_some() && !ranged && column.allowed.is_empty() {
        let message = "`max_outside_share` needs `min`, `max` or `allowed`";
        review.at_key(&path("max_outside_share"), Code::MissingKey, message, |d| d);
    }
}
