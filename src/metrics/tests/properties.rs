//! What holds whatever the rows, and how often intervals hold the truth.

use super::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

fn given<'a>(label: &'a [Option<f64>], guess: &'a [Option<f64>]) -> Given<'a> {
    Given { prediction: Some(Column::Numbers(guess)), ..Given::new(Column::Numbers(label)) }
}

fn close(a: Option<f64>, b: Option<f64>, tolerance: f64) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1.0),
        (a, b) => a == b,
    }
}

/// Each row as often as its weight says.
fn repeated(values: &[Option<f64>], times: &[usize]) -> Vec<Option<f64>> {
    values.iter().zip(times).flat_map(|(value, times)| std::iter::repeat_n(*value, *times)).collect()
}

proptest! {
    #[test]
    fn a_weight_of_k_is_k_rows(rows in prop::collection::vec((0u8..3, 0u8..3, 0u8..=20, 1usize..4), 2..40)) {
        let label = numbers(&rows.iter().map(|row| f64::from(row.0)).collect::<Vec<_>>());
        let guess = numbers(&rows.iter().map(|row| f64::from(row.1)).collect::<Vec<_>>());
        let score = numbers(&rows.iter().map(|row| f64::from(row.2) / 20.0).collect::<Vec<_>>());
        let times: Vec<usize> = rows.iter().map(|row| row.3).collect();
        let weight = numbers(&times.iter().map(|times| *times as f64).collect::<Vec<_>>());
        let (labels, guesses, scores) = (repeated(&label, &times), repeated(&guess, &times), repeated(&score, &times));
        let (half, halves): (Vec<_>, Vec<_>) = (
            score.iter().map(|p| p.map(|p| (1.0 - p) / 2.0)).collect(), scores.iter().map(|p| p.map(|p| (1.0 - p) / 2.0)).collect(),
        );
        for positive in [Some("1"), None] {
            let make = |base: Given<'_>, one: &[Option<f64>], others: &[Option<f64>], weight: Option<&[Option<f64>]>| {
                Rows::classify(&Given {
                    score: positive.map(|_| one), positive, weight,
                    class_scores: vec![("0", others), ("1", one), ("2", others)], ..base
                }).unwrap()
            };
            let weighted = make(given(&label, &guess), &score, &half, Some(&weight));
            let plain = make(given(&labels, &guesses), &scores, &halves, None);
            for metric in ALL.iter().filter(|metric| metric.task() == Task::Classification) {
                let (a, b) = (value(&weighted, metric.name()), value(&plain, metric.name()));
                // One class makes it divide by almost nothing.
                prop_assume!(metric.name() != "d2_log_loss" || a.value.is_none_or(|value| value.abs() < 1e6));
                prop_assert!(close(a.value, b.value, 1e-10), "{a:?} {b:?}");
            }
        }
        let weighted = Rows::regress(&Given { weight: Some(&weight), ..given(&label, &score) }).unwrap();
        let plain = Rows::regress(&given(&labels, &scores)).unwrap();
        for metric in ALL.iter().filter(|metric| metric.task() == Task::Regression) {
            let (a, b) = (value(&weighted, metric.name()), value(&plain, metric.name()));
            let limit = a.value.map_or(1.0, f64::abs).max(1.0);
            prop_assert!(close(a.value.map(|v| v / limit), b.value.map(|v| v / limit), 1e-9), "{a:?} {b:?}");
        }
    }

    #[test]
    fn relations_hold(rows in prop::collection::vec((0u8..2, 0u8..2, -50i32..50, -50i32..50), 2..60)) {
        let label: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
        let guess: Vec<f64> = rows.iter().map(|row| f64::from(row.1)).collect();
        let of = |name: &str| value(&classes(&label, &guess), name).value;
        let (precision, recall, f1, jaccard) = (of("precision"), of("recall"), of("f1"), of("jaccard"));
        if let (Some(p), Some(r), Some(f)) = (precision, recall, f1) {
            prop_assert!(f <= p.max(r) + 1e-15 && (f >= p.min(r) - 1e-15 || p == 0.0 || r == 0.0));
            prop_assert!(close(jaccard, Some(f / (2.0 - f)), 1e-14));
        }
        prop_assert_eq!(of("precision_micro"), of("accuracy"));
        let (x, y): (Vec<f64>, Vec<f64>) = rows.iter().map(|row| (f64::from(row.2), f64::from(row.3))).unzip();
        let of = |name: &str| value(&regression(&x, &y), name).value;
        prop_assert!(close(of("rmse").map(|rmse| rmse * rmse), of("mse"), 1e-13));
        prop_assert!(of("mae") <= of("rmse").map(|rmse| rmse * (1.0 + 1e-14)));
        prop_assert!(close(of("pinball").map(|half| 2.0 * half), of("mae"), 1e-13));
        prop_assert!(of("explained_variance").zip(of("r2")).is_none_or(|(a, b)| a >= b - 1e-12));
    }

    #[test]
    fn a_power_of_two_scales_and_nothing_else(
        rows in prop::collection::vec((-50i32..50, -50i32..50), 2..30), power in prop::sample::select(vec![-300, -100, 100, 300]),
    ) {
        let unit = 2f64.powi(power);
        let (x, y): (Vec<f64>, Vec<f64>) = rows.iter().map(|row| (f64::from(row.0), f64::from(row.1))).unzip();
        let scaled = |values: &[f64]| values.iter().map(|value| value * unit).collect::<Vec<_>>();
        let (plain, scaled) = (regression(&x, &y), regression(&scaled(&x), &scaled(&y)));
        for (name, factor) in [
            ("mae", unit), ("rmse", unit), ("mse", unit * unit), ("median_absolute_error", unit), ("mean_error", unit), ("pinball", unit),
            ("r2", 1.0), ("explained_variance", 1.0), ("smape", 1.0), ("wape", 1.0), ("max_error", unit),
        ] {
            let (a, b) = (value(&plain, name), value(&scaled, name));
            prop_assert!(close(a.value, b.value.map(|v| v / factor), 1e-12), "{name} {a:?} {b:?}");
            prop_assert!(close(a.ci_low, b.ci_low.map(|v| v / factor), 1e-9), "{name} {a:?} {b:?}");
            prop_assert!(close(a.ci_high, b.ci_high.map(|v| v / factor), 1e-9), "{name} {a:?} {b:?}");
        }
    }

    #[test]
    fn no_input_panics_or_answers_nan(
        rows in prop::collection::vec((prop::option::of(any::<f64>()), prop::option::of(any::<f64>()), prop::option::of(any::<f64>())), 0..12),
    ) {
        let label: Vec<_> = rows.iter().map(|row| row.0).collect();
        let other: Vec<_> = rows.iter().map(|row| row.1).collect();
        let weight: Vec<_> = rows.iter().map(|row| row.2).collect();
        for weight in [None, Some(weight.as_slice())] {
            let made = [
                Rows::regress(&Given { weight, ..given(&label, &other) }),
                Rows::classify(&Given { weight, score: Some(&other), positive: Some("1"), ..given(&label, &other) }),
                Rows::classify(&Given { weight, class_scores: vec![("a", &other), ("b", &label)], ..Given::new(Column::Numbers(&label)) }),
            ];
            for rows in made.into_iter().flatten() {
                for metric in ALL.iter().filter(|metric| metric.task() == rows.task()) {
                    let value = value(&rows, metric.name());
                    prop_assert!(value.value.is_some() || value.reason.is_some());
                    for number in [value.value, value.ci_low, value.ci_high].into_iter().flatten() {
                        prop_assert!(number.is_finite(), "{value:?}");
                    }
                    let (low, high) = metric.range();
                    prop_assert!(value.value.is_none_or(|v| low - 1e-9 <= v && v <= high + 1e-9), "{value:?}");
                }
            }
        }
    }
}

/// Intervals hold the value of a very large sample about as often as they say, for every metric that has one.
#[test]
fn intervals_hold_the_truth() {
    fn sample(n: usize, random: &mut StdRng) -> [Vec<f64>; 5] {
        let mut columns = [(); 5].map(|()| Vec::with_capacity(n));
        for _ in 0..n {
            let label = f64::from(u8::from(random.random::<f64>() < 0.4));
            let noise: f64 = (0..4).map(|_| random.random::<f64>() - 0.5).sum();
            let score = (0.35 + 0.3 * label + 0.3 * noise).clamp(0.0, 1.0);
            let truth = 5.0 + 3.0 * random.random::<f64>();
            let row = [label, f64::from(u8::from(score > 0.5)), score, truth, truth + 0.2 + noise];
            columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
        columns
    }
    let rows = |columns: &[Vec<f64>; 5]| {
        let [label, guess, score, truth, forecast] = columns.each_ref().map(|column| numbers(column));
        let classified = Rows::classify(&Given { score: Some(&score), ..given(&label, &guess) }).unwrap();
        (classified, Rows::regress(&given(&truth, &forecast)).unwrap())
    };
    let mut random = StdRng::seed_from_u64(7);
    let (classified, regressed) = rows(&sample(400_000, &mut random));
    let truth: Vec<(&str, Option<f64>)> = ALL
        .iter()
        .map(|metric| {
            let rows = if metric.task() == Task::Classification { &classified } else { &regressed };
            (metric.name(), value(rows, metric.name()).value)
        })
        .collect();
    let mut hits = vec![(0u32, 0u32); truth.len()];
    for _ in 0..400 {
        let (classified, regressed) = rows(&sample(300, &mut random));
        for (metric, (hits, (_, truth))) in ALL.iter().zip(hits.iter_mut().zip(&truth)) {
            let rows = if metric.task() == Task::Classification { &classified } else { &regressed };
            let value = value(rows, metric.name());
            if let (Some(low), Some(high), Some(truth)) = (value.ci_low, value.ci_high, *truth) {
                hits.1 += 1;
                hits.0 += u32::from(low <= truth && truth <= high);
            }
        }
    }
    let without = ["max_error", "ece", "mce", "ks_statistic", "top_k_accuracy", "msle_"];
    let mut wrong = Vec::new();
    for ((name, _), (held, all)) in truth.iter().zip(&hits) {
        if *all == 0 {
            assert!(without.contains(name) || name.starts_with("roc_auc_o"), "{name} has no interval");
            continue;
        }
        let share = f64::from(*held) / f64::from(*all);
        // The logit interval of Boyd et al. is known to be wide; the others have 1.1 % of sampling error.
        let most = if ["average_precision", "pr_auc"].contains(name) { 1.0 } else { 0.985 };
        if !(0.91..=most).contains(&share) {
            wrong.push(format!("{name}: {share}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
