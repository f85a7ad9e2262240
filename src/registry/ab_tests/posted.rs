//! Results of a look as somebody posts them: both arms of the metric that decides, and of every side metric.
//!
//! What holds: what the plan asks for is there, and nothing else is; a look that lacks a guardrail's results is refused rather than
//! judged without it, and uses nothing up.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::validation::FieldProblem;
use super::Error;
use super::observed::Observed;
use super::results::ArmResults;
use super::rules::Rules;

/// Both arms of a metric, as they were posted.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BothArms {
    /// Of model A: see [`ArmResults::read`].
    pub model_a_results: Value,
    /// The same of model B.
    pub model_b_results: Value,
}

/// Everything that was posted for a look.
#[derive(Debug, Clone, PartialEq)]
pub struct PostedResults {
    a: ArmResults,
    b: ArmResults,
    labels: Option<ArmResults>,
    metrics: BTreeMap<String, (ArmResults, ArmResults)>,
}

impl PostedResults {
    /// Results of both arms, and nothing beside.
    #[must_use]
    pub fn of(a: ArmResults, b: ArmResults) -> Self {
        Self { a, b, labels: None, metrics: BTreeMap::new() }
    }

    /// Reads them; the pointers are those of the request.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn read(
        arms: &BothArms,
        labels: Option<&Value>,
        metrics: &BTreeMap<String, BothArms>,
    ) -> Result<Self, FieldProblem> {
        let both = |pointer: &str, arms: &BothArms| {
            Ok((
                ArmResults::read(&format!("{pointer}/model_a_results"), &arms.model_a_results)?,
                ArmResults::read(&format!("{pointer}/model_b_results"), &arms.model_b_results)?,
            ))
        };
        let (a, b) = both("", arms)?;
        let read = |(name, arms): (&String, &BothArms)| Ok((name.clone(), both(&format!("/metrics/{name}"), arms)?));
        Ok(Self {
            a,
            b,
            labels: labels.map(|labels| ArmResults::read("/labels", labels)).transpose()?,
            metrics: metrics.iter().map(read).collect::<Result<_, FieldProblem>>()?,
        })
    }

    /// What was observed of the metric that decides and of the side metrics, in the plan's order.
    pub(super) fn observed(&self, rules: &Rules) -> Result<(Observed, Vec<Observed>), Error> {
        if let Some(name) = &rules.covariate {
            return wrong(
                "/model_a_results",
                format!("this test adjusts outcomes by `{name}`, row by row: post rows with their `covariate` instead"),
            );
        }
        if let Some(name) = self.metrics.keys().find(|name| !rules.side_names().any(|known| known == *name)) {
            let known: Vec<&str> = rules.side_names().collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return wrong(
                &format!("/metrics/{name}"),
                format!("is no guardrail or secondary metric of this test ({known})"),
            );
        }
        let observed = match (&self.labels, rules.compares_scores()) {
            (None, true) => {
                return wrong("/labels", "the test compares scores by labels: post them, 0 or 1".to_owned());
            }
            (Some(_), false) => return wrong("/labels", "only `delong` takes labels".to_owned()),
            (Some(labels), true) => {
                let [labels, a, b] =
                    [rows("/labels", labels)?, rows("/model_a_results", &self.a)?, rows("/model_b_results", &self.b)?];
                if let Some(at) = labels.iter().flatten().position(|label| *label != 0.0 && *label != 1.0) {
                    return wrong(&format!("/labels/{at}"), "must be 0 or 1, true or false, or null".to_owned());
                }
                same_length("/model_a_results", labels.len(), a.len())?;
                same_length("/model_b_results", labels.len(), b.len())?;
                Observed::Scores(labels.clone(), a.clone(), b.clone())
            }
            (None, false) => arms("", rules, &self.a, &self.b)?,
        };
        let mut beside = Vec::new();
        for name in rules.side_names() {
            let Some((a, b)) = self.metrics.get(name) else {
                let pointer = format!("/metrics/{name}");
                return wrong(
                    &pointer,
                    format!("`{name}` is part of this test's plan: post the results of both arms with the others"),
                );
            };
            beside.push(arms(&format!("/metrics/{name}"), rules, a, b)?);
        }
        Ok((observed, beside))
    }
}

fn arms(pointer: &str, rules: &Rules, a: &ArmResults, b: &ArmResults) -> Result<Observed, Error> {
    if rules.same_rows {
        let a = rows(&format!("{pointer}/model_a_results"), a)?;
        let at_b = format!("{pointer}/model_b_results");
        let b = rows(&at_b, b)?;
        same_length(&at_b, a.len(), b.len())?;
        return Ok(Observed::Pairs(a.clone(), b.clone()));
    }
    Ok(match (a, b) {
        (ArmResults::Values(a), ArmResults::Values(b)) => Observed::Rows(a.clone(), b.clone()),
        _ => Observed::Moments(a.moments(), b.moments()),
    })
}

fn rows<'a>(pointer: &str, results: &'a ArmResults) -> Result<&'a Vec<Option<f64>>, Error> {
    match results {
        ArmResults::Values(values) => Ok(values),
        ArmResults::Moments(_) => wrong(
            pointer,
            "the test compares both models row by row: post the values of the rows, in one order".to_owned(),
        ),
    }
}

fn same_length(pointer: &str, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    wrong(
        pointer,
        format!("holds {found} results and not {expected}: the same rows, in the same order, for both models"),
    )
}

fn wrong<T>(pointer: &str, detail: String) -> Result<T, Error> {
    Err(Error::Invalid(vec![FieldProblem { item: 0, pointer: pointer.to_owned(), detail }]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::side_metric::SideMetric;
    use super::*;

    fn posted(a: Value, b: Value, metrics: Value) -> PostedResults {
        let arms = BothArms { model_a_results: a, model_b_results: b };
        PostedResults::read(&arms, None, &serde_json::from_value(metrics).unwrap()).unwrap()
    }

    fn problem(result: Result<(Observed, Vec<Observed>), Error>) -> (String, String) {
        match result {
            Err(Error::Invalid(mut problems)) => problems.pop().map(|p| (p.pointer, p.detail)).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn latency() -> SideMetric {
        SideMetric { name: "latency".to_owned(), lower_is_better: Some(true), margin: None }
    }

    #[test]
    fn a_look_holds_what_the_plan_asks_for_and_nothing_else() {
        let rules = Rules { guardrails: vec![latency()], ..Rules::default() };
        let both = json!({ "model_a_results": [1, 2], "model_b_results": { "n": 9, "mean": 1.0, "variance": 2.0 } });
        let (observed, beside) =
            posted(json!([1, 0]), json!([1, null]), json!({ "latency": both })).observed(&rules).unwrap();
        assert_eq!(observed, Observed::Rows(vec![Some(1.0), Some(0.0)], vec![Some(1.0), None]));
        assert!(matches!(beside[..], [Observed::Moments(..)]));

        let (pointer, detail) = problem(posted(json!([1, 0]), json!([1]), json!({})).observed(&rules));
        assert_eq!(pointer, "/metrics/latency");
        assert!(detail.contains("part of this test's plan"), "{detail}");
        let (pointer, detail) = problem(posted(json!([1]), json!([1]), json!({ "cost": both })).observed(&rules));
        assert_eq!((pointer.as_str(), detail.contains("(latency)")), ("/metrics/cost", true));
        let adjusted = Rules { covariate: Some("before".to_owned()), ..Rules::default() };
        assert_eq!(problem(posted(json!([1]), json!([1]), json!({})).observed(&adjusted)).0, "/model_a_results");
    }

    #[test]
    fn the_same_rows_are_equally_many() {
        let rules = Rules { same_rows: true, statistical_test: "paired_t_test".to_owned(), ..Rules::default() };
        let (observed, _) = posted(json!([1, 2]), json!([2, 4]), json!({})).observed(&rules).unwrap();
        assert!(matches!(observed, Observed::Pairs(..)));
        let (pointer, detail) = problem(posted(json!([1, 2]), json!([2]), json!({})).observed(&rules));
        assert_eq!((pointer.as_str(), detail.contains("1 results and not 2")), ("/model_b_results", true));
        let moments = json!({ "n": 2, "successes": 1 });
        assert_eq!(problem(posted(moments, json!([1, 2]), json!({})).observed(&rules)).0, "/model_a_results");

        let rules = Rules { same_rows: true, statistical_test: "delong".to_owned(), ..Rules::default() };
        assert_eq!(problem(posted(json!([1, 2]), json!([2, 4]), json!({})).observed(&rules)).0, "/labels");
        let arms = BothArms { model_a_results: json!([0.1, 0.9]), model_b_results: json!([0.2, 0.8]) };
        let read = |labels: Value| PostedResults::read(&arms, Some(&labels), &BTreeMap::new()).unwrap();
        assert!(read(json!([false, true])).observed(&rules).is_ok());
        assert_eq!(problem(read(json!([0, 2])).observed(&rules)).0, "/labels/1");
        assert_eq!(problem(read(json!([0])).observed(&rules)).0, "/model_a_results");
    }
}
