//! Metrics beside the one that decides. Cases of [`super::guardrail`] and [`super::secondary`].

use super::looks::Rule;
use super::tests::{look, share, verdict};
use super::*;
use crate::stats::Moments;

fn guardrail(rule: GuardrailRule) -> Guardrail {
    Guardrail { name: "latency_ms".to_owned(), rule, lower_is_better: true }
}

fn latency(mean: f64) -> Arms {
    let of = |mean| Moments::from_summary(1000, mean, 400.0).unwrap();
    Arms::of_moments(of(200.0), of(mean))
}

/// A look at a model that would be shipped.
fn shipping(guardrails: &[(Guardrail, Arms)], looks: Looks) -> Evaluation {
    let arms = Arms::of_moments(share(500, 1000), share(600, 1000));
    evaluate_under(&Plan::default(), &arms, looks, &Circumstances { guardrails, ..Circumstances::default() })
}

#[test]
fn line_8_a_failed_guardrail_asks_people() {
    let (no_harm, inside) = (guardrail(GuardrailRule::NoHarm), guardrail(GuardrailRule::NonInferiority(0.02)));
    let judge = |guardrail: &Guardrail, arms: &Arms| {
        guardrail.judge(arms, &Plan { min_samples: 2, ..Plan::default() }, Rule::Level(0.05))
    };
    let (same, slower) = (latency(200.5), latency(205.0));
    assert!(judge(&no_harm, &same).passes && judge(&inside, &same).passes);
    let failed = judge(&no_harm, &slower);
    assert!(!failed.passes && !judge(&inside, &slower).passes && failed.p_value.unwrap() < 1e-6);
    assert_eq!((failed.n_a, failed.mean_b, failed.relative_improvement), (1000, Some(205.0), Some(-2.5)));
    assert!(failed.relative_improvement_ci.unwrap()[1] < 0.0, "it is worse, so all of its interval is");
    let constant = |mean| Moments::from_summary(100, mean, 0.0).unwrap();
    let worse = judge(&no_harm, &Arms::of_moments(constant(1.0), constant(2.0)));
    assert!(!worse.passes && worse.reason == Some("zero_variance") && worse.relative_improvement == Some(-100.0));
    assert!(judge(&no_harm, &Arms::of_moments(constant(1.0), constant(1.0))).passes);
    let unknown = judge(&no_harm, &Arms::of_moments(Moments::new(), constant(1.0)));
    assert!(!unknown.passes && unknown.reason == Some("no_usable_rows"), "nothing known is no pass");

    let found = shipping(&[(no_harm.clone(), same), (no_harm, slower.clone()), (inside, slower)], Looks::ONCE);
    assert_eq!((verdict(&found), found.winner), (("REVIEW", "guardrail_failed"), None));
    assert_eq!(found.guardrails.iter().map(|result| result.passes).collect::<Vec<_>>(), [true, false, false]);
    assert!(found.warnings[0].starts_with("guardrail latency_ms failed: it is worse by 2.5 %"), "{:?}", found.warnings);
    let sentence = found.sentence();
    assert!(sentence.contains("but latency_ms is worse by 2.5 % (p 1.3e-8)"), "{sentence}");
    assert!(
        sentence.ends_with(" and latency_ms cannot be shown to be within 2 %: people have to decide."),
        "{sentence}"
    );
}

#[test]
fn harm_is_searched_for_at_every_look_and_a_margin_is_held_against_its_level() {
    // One-sided p of harm 0.03 and of being inside 1 % 0.014: half of the level is what the margin is held against.
    let harmed = [(guardrail(GuardrailRule::NoHarm), latency(201.7))];
    let inside = [(guardrail(GuardrailRule::NonInferiority(0.01)), latency(200.0))];
    let almost = [(guardrail(GuardrailRule::NonInferiority(0.01)), latency(200.3))];
    assert!(!shipping(&almost, Looks::ONCE).guardrails[0].passes, "p is 0.03");
    for (guardrails, passes) in [(&harmed, [false, false]), (&inside, [true, false])] {
        let of = |looks| shipping(guardrails, looks).guardrails[0].clone();
        let (once, early) = (of(Looks::ONCE), of(look(2, Some(4), false)));
        assert_eq!([once.passes, early.passes], passes, "{once:?} {early:?}");
        assert!(once.p_value.unwrap() < 0.05 && once.p_value == early.p_value);
    }
    // Under a confidence sequence the margin's p-value holds at every look, and so does its interval.
    let of = |looks| shipping(&inside, looks).guardrails[0].clone();
    let (plain, sequence) = (of(Looks::ONCE), of(look(2, None, false)));
    assert!(!sequence.passes && sequence.p_value.unwrap() > 5.0 * plain.p_value.unwrap());
    assert!(sequence.relative_improvement_ci.unwrap()[0] < plain.relative_improvement_ci.unwrap()[0]);
}

#[test]
fn pairs_are_compared_as_pairs() {
    // Differences of one percent under noise that both sides share.
    let noise: Vec<f64> = (0..300).map(|i| f64::from(i * 7919 % 101)).collect();
    let side = |shift: f64| {
        noise.iter().enumerate().map(|(i, x)| Some(x + 100.0 + shift * (i % 3) as f64)).collect::<Vec<_>>()
    };
    let arms = Arms::of_pairs(&side(0.0), &side(1.5)).unwrap();
    let worse = guardrail(GuardrailRule::NoHarm).judge(&arms, &Plan::default(), Rule::Level(0.05));
    assert!(!worse.passes && worse.p_value.unwrap() < 1e-20, "{worse:?}");
    let inside = guardrail(GuardrailRule::NonInferiority(0.02)).judge(&arms, &Plan::default(), Rule::Level(0.05));
    assert!(inside.passes && inside.p_value.unwrap() < 1e-10, "{inside:?}");
    // The contrast of every pair, written out: B - 1.02 A.
    let contrast: Vec<f64> = arms.pairs().map(|(a, b)| a.iter().zip(b).map(|(a, b)| b - 1.02 * a).collect()).unwrap();
    let zero = vec![Some(0.0); contrast.len()];
    let written_out = Arms::of_pairs(&zero, &contrast.iter().copied().map(Some).collect::<Vec<_>>()).unwrap();
    let found = PairedTTest.compare(&written_out, &Question { alpha: 0.05, seed: 0 }).unwrap();
    assert!((found.p_less.ln() - inside.p_value.unwrap().ln()).abs() < 1e-9, "{found:?} {inside:?}");
    let metric = SecondaryMetric { name: "latency_ms".to_owned(), lower_is_better: true };
    let secondary = [(metric, arms)];
    let circumstances = Circumstances { secondary: &secondary, ..Circumstances::default() };
    let found = evaluate_under(
        &Plan::default(),
        &Arms::of_moments(share(500, 1000), share(500, 1000)),
        Looks::ONCE,
        &circumstances,
    );
    assert!(
        found.secondary_metrics[0].is_significant && found.secondary_metrics[0].relative_improvement.unwrap() < 0.0
    );
}

#[test]
fn secondary_metrics_are_adjusted_for_each_other() {
    let metric = |name: &str| SecondaryMetric { name: name.to_owned(), lower_is_better: false };
    let of = |ones: usize| Arms::of_moments(share(500, 1000), share(ones, 1000));
    let constant = Arms::of_moments(share(0, 100), share(0, 100));
    // One with a small p-value, one that would do on its own, one without any.
    let secondary = [(metric("a"), of(570)), (metric("b"), of(546)), (metric("c"), constant)];
    let circumstances = Circumstances { secondary: &secondary, ..Circumstances::default() };
    let found = evaluate_under(&Plan::default(), &of(500), Looks::ONCE, &circumstances);
    assert_eq!(found.decision, Decision::Inconclusive, "they never decide");
    let [a, b, c] = &found.secondary_metrics[..] else { panic!("{found:?}") };
    let own = |of: &Secondary| of.p_value.unwrap();
    assert_eq!(a.adjusted_p_value, Some(2.0 * own(a)));
    assert_eq!(b.adjusted_p_value, Some(own(b)), "Holm's last step, over those that have a p-value");
    assert!(a.is_significant && b.is_significant && own(b) > 0.03);
    assert_eq!((c.p_value, c.adjusted_p_value, c.is_significant), (None, None, false));
    assert_eq!((c.reason, a.reason), (Some("zero_variance"), None));
    assert!((a.relative_improvement.unwrap() - 14.0).abs() < 1e-12);
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["secondary_metrics"][0]["name"], "a");
    assert!(json.get("guardrails").is_none() && json.get("share").is_none() && json.get("hypothesis").is_none());
}

#[test]
fn a_guardrail_that_nobody_can_judge_does_not_hold() {
    let values = |mean: f64, n: usize| (0..n).map(|i| Some(mean + (i % 3) as f64)).collect::<Vec<_>>();
    let few = Arms::of_rows(&values(100.0, 3), &values(180.0, 3));
    let found = &shipping(&[(guardrail(GuardrailRule::NoHarm), few)], Looks::ONCE);
    assert_eq!((found.decision, found.guardrails[0].reason), (Decision::Review, Some("below_min_samples")));
    assert!(
        found.sentence().contains("latency_ms has too few rows to be judged (3 of A, 3 of B)"),
        "{}",
        found.sentence()
    );
    let mut missing = values(100.0, 400);
    missing[..320].fill(None);
    let found =
        shipping(&[(guardrail(GuardrailRule::NoHarm), Arms::of_rows(&values(100.0, 400), &missing))], Looks::ONCE);
    assert_eq!((found.decision, found.guardrails[0].reason), (Decision::Review, Some("missing_values_differ")));
}
