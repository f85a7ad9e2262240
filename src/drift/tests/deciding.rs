//! What decides: thresholds, p-values, both, and how many rows there must be.

use super::*;

fn judged(name: &str, reference: &[f64], current: &[f64], options: &Options) -> Check {
    judge("x", method(name).unwrap(), &side(reference), &side(current), options)
}

#[test]
fn the_warning_band_begins_at_half_the_threshold() {
    let reference = numbers((0..100).map(f64::from));
    let status = |shift: f64| {
        let current: Vec<f64> = reference.iter().map(|value| value + shift).collect();
        check("ks_test", &side(&reference), &side(&current)).status
    };
    assert_eq!(
        [status(9.0), status(10.0), status(20.0), status(21.0)],
        [Status::Ok, Status::Warning, Status::Warning, Status::Drifted]
    );
    for name in names(false) {
        let current: Vec<f64> = reference.iter().map(|value| value + 12.0).collect();
        let at = score(name, &reference, &current);
        let status = |threshold: f64| {
            judged(name, &reference, &current, &Options { threshold: Some(threshold), ..Options::default() }).status
        };
        assert_eq!(
            [status(2.0 * at), status(2.0 * at.next_up()), status(at / 1.5)],
            [Status::Warning, Status::Ok, Status::Drifted],
            "{name}"
        );
    }
}

#[test]
fn p_values_decide_where_they_are_told_to() {
    let options = Options { decide_on: DecideOn::PValue, alpha: 0.01, ..Options::default() };
    let reference = numbers((0..20_000).map(f64::from));
    let current: Vec<f64> = reference.iter().map(|value| value + 0.06 * 20_000.0 / 12f64.sqrt()).collect();
    let (few, moved) = (normal(6, 0.0, 1.0), normal(6, 0.6, 1.0));
    for name in names(false).filter(|name| method(name).unwrap().has_p_value()) {
        let many = judged(name, &reference, &current, &options);
        assert!(many.drifted && many.score.unwrap() < many.threshold, "{name}: a small effect of many rows");
        assert_eq!((many.status, many.alpha), (Status::Drifted, Some(0.01)), "{name}");
        let few = judged(name, &few, &moved, &options);
        assert_eq!((few.drifted, few.status), (false, Status::Warning), "{name}: a large effect of few rows");
        assert_eq!(few.reason.as_deref(), Some("above the threshold, and not significant at 0.01"), "{name}");
        let same = judged(name, &reference, &reference, &options);
        assert_eq!((same.drifted, same.status, same.reason), (false, Status::Ok, None), "{name}");
    }
    let at = judged("ks_test", &few, &moved, &Options { decide_on: DecideOn::PValue, ..Options::default() });
    let level = at.p_value.unwrap();
    let by = |alpha: f64| judged("ks_test", &few, &moved, &Options { alpha, ..options.clone() }).drifted;
    assert_eq!((by(level * (1.0 - 1e-12)), by(level * (1.0 + 1e-12))), (false, true), "below alpha");
}

#[test]
fn a_p_value_below_the_smallest_double_is_still_below_alpha() {
    let options = Options { decide_on: DecideOn::PValue, alpha: 1e-300, ..Options::default() };
    let (reference, current) = (normal(20_000, 0.0, 1.0), normal(20_000, 2.0, 1.0));
    for name in names(false).filter(|name| method(name).unwrap().has_p_value()) {
        let check = judged(name, &reference, &current, &options);
        assert!(check.drifted && check.log10_p_value.unwrap() < -300.0, "{name} {:?}", check.log10_p_value);
        assert!(check.p_value.unwrap() < 1e-300, "{name}");
    }
}

#[test]
fn missing_rows_decide_whatever_else_does() {
    let options = Options { decide_on: DecideOn::PValue, ..Options::default() };
    let (reference, current) = (normal(1000, 0.0, 1.0), normal(700, 0.0, 1.0));
    let check = judge("x", method("ks_test").unwrap(), &side(&reference), &with_missing(&current, 300), &options);
    assert_eq!((check.status, check.reason.as_deref(), check.alpha), (Status::Drifted, Some("missing"), None));
}

#[test]
fn both_keys_are_needed_where_significance_is_required() {
    let options = Options { require_significance: Some(0.01), ..Options::default() };
    let (few, moved) = (normal(6, 0.0, 1.0), normal(6, 0.6, 1.0));
    let (many, far) = (normal(600, 0.0, 1.0), normal(600, 0.6, 1.0));
    let near = normal(600, 0.05, 1.0);
    for name in names(false).filter(|name| method(name).unwrap().has_p_value()) {
        let unsure = judged(name, &few, &moved, &options);
        assert!(unsure.score.unwrap() > unsure.threshold, "{name}");
        assert_eq!((unsure.drifted, unsure.status), (false, Status::Warning), "{name}");
        assert!(unsure.reason.unwrap().ends_with("not significant at 0.01"));
        let sure = judged(name, &many, &far, &options);
        assert_eq!((sure.drifted, sure.alpha, sure.reason), (true, None, None), "{name}");
        assert!(!judged(name, &many, &near, &options).drifted, "{name}: significant or not, it is small");
    }
}

#[test]
fn a_method_without_a_p_value_is_not_used_where_one_is_needed() {
    let values = normal(500, 0.0, 1.0);
    let by_p = Options { decide_on: DecideOn::PValue, ..Options::default() };
    let both = Options { require_significance: Some(0.01), ..Options::default() };
    for (options, why) in [(by_p, "decide_on"), (both, "require_significance")] {
        let check = judged("wasserstein", &values, &values, &options);
        assert_eq!((check.status, check.score), (Status::NotApplicable, None));
        assert!(check.reason.unwrap().contains(why));
    }
}

#[test]
fn too_few_rows_are_insufficient_data() {
    let options = Options { min_samples: Some(200), ..Options::default() };
    let (few, enough) = (normal(199, 0.0, 1.0), normal(200, 0.0, 1.0));
    for name in names(false) {
        let status = |a: &[f64], b: &[f64]| judged(name, a, b, &options).status;
        assert_eq!(status(&enough, &few), Status::InsufficientData, "{name}");
        assert_eq!(status(&few, &enough), Status::InsufficientData, "{name}");
        assert_eq!(status(&enough, &enough), Status::Ok, "{name}");
    }
}

#[test]
fn methods_of_present_values_need_that_many_of_them() {
    let options = Options { min_samples: Some(200), ..Options::default() };
    let (reference, current) = (normal(1000, 0.0, 1.0), normal(150, 2.0, 1.0));
    for name in BY_RANK.into_iter().chain(BY_LENGTH) {
        let judged = |missing: u64| {
            judge("x", method(name).unwrap(), &side(&reference), &with_missing(&current, missing), &options)
        };
        assert_eq!(judged(40).status, Status::InsufficientData, "{name}: 190 rows");
        assert_eq!(judged(500).reason.as_deref(), Some("missing"), "{name}: 650 rows, and most of them missing");
        let both = judge(
            "x",
            method(name).unwrap(),
            &with_missing(&normal(150, 0.0, 1.0), 100),
            &with_missing(&current, 100),
            &options,
        );
        assert_eq!(both.status, Status::InsufficientData, "{name}: 250 rows with 150 values each");
        assert!(both.reason.unwrap().starts_with("150 present values"), "{name}");
    }
}

#[test]
fn a_small_reference_makes_the_verdict_unreliable() {
    let (few, many) = (normal(30, 0.0, 1.0), normal(1000, 0.0, 1.0));
    for name in names(false) {
        assert_eq!(check(name, &side(&few), &side(&many)).reliability, Some(Reliability::Low), "{name}");
        assert_eq!(check(name, &side(&many), &side(&many)).reliability, Some(Reliability::Normal), "{name}");
        let least = method(name).unwrap().minimum_sample() as usize;
        let enough = normal(least + 1, 0.0, 1.0);
        assert_eq!(check(name, &side(&enough), &side(&enough)).reliability, Some(Reliability::Normal), "{name}");
        let short = normal(least - 3, 0.0, 1.0);
        assert_eq!(check(name, &side(&short), &side(&short)).reliability, Some(Reliability::Low), "{name}");
    }
}
