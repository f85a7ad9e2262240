//! Tests of ranks and of tables, and those that resample.

use serde_json::{Map, Value, json};
use steward::ab::{self, Arms, BetaBinomial, Bootstrap, McNemar, Share};
use steward::stats::{self, Tails};

use super::super::inputs::{number, numbers, tail, text};
use super::{ends, question, unbounded};

/// Orders are counted one by one up to this many steps; the cases with larger samples give no exact values.
const COUNTABLE: usize = 4_000_000;

pub(super) fn answer(function: &str, inputs: &Value) -> Option<Value> {
    Some(match function {
        "mann_whitney_u" => mann_whitney(inputs),
        "wilcoxon_signed_rank" => wilcoxon(inputs),
        "fisher_exact_2x2" => fisher(inputs),
        "mcnemar" => mcnemar(inputs),
        "permutation_test_mean_diff" => permutation(inputs),
        "bca_interval" => bca(inputs),
        "beta_binomial" => beta_binomial(inputs),
        _ => return None,
    })
}

fn put(fields: &mut Map<String, Value>, name: &str, tails: Option<Tails>) {
    let Some(tails) = tails else { return };
    for (side, p) in [("two-sided", tails.two_sided), ("less", tails.less), ("greater", tails.greater)] {
        fields.insert(format!("{name}_{side}"), tail(p));
    }
}

fn mann_whitney(inputs: &Value) -> Value {
    let (x, y) = (numbers(&inputs["x"]), numbers(&inputs["y"]));
    let found = stats::mann_whitney(&x, &y).unwrap();
    let mut fields = Map::new();
    fields.insert("U1".to_owned(), json!(found.u));
    fields.insert("auc_P(X>Y)+0.5P(X=Y)".to_owned(), json!(found.superiority()));
    put(&mut fields, "p_asymp_cc", found.asymptotic(true));
    put(&mut fields, "p_asymp_nocc", found.asymptotic(false));
    if x.len() * y.len() * x.len().min(y.len()) <= COUNTABLE {
        put(&mut fields, "p_exact", found.exact());
    }
    // The test's own choice is one of these.
    if let Ok(chosen) = question("mann_whitney", &Arms::of_values(&y, &x)) {
        let exact = fields.get("p_exact_two-sided").filter(|_| x.len().min(y.len()) <= 8);
        assert_eq!(&tail(chosen.p_value), exact.unwrap_or(&fields["p_asymp_cc_two-sided"]));
    }
    Value::Object(fields)
}

fn wilcoxon(inputs: &Value) -> Value {
    let (x, y) = (numbers(&inputs["x"]), numbers(&inputs["y"]));
    let differences: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x - y).collect();
    let found = stats::signed_rank(&differences).unwrap();
    let mut fields = Map::new();
    fields.insert("W_plus".to_owned(), json!(found.positive));
    put(&mut fields, "p_asymp_cc", Some(found.asymptotic(true)));
    put(&mut fields, "p_asymp", Some(found.asymptotic(false)));
    put(&mut fields, "p_exact", found.exact());
    Value::Object(fields)
}

fn table(inputs: &Value) -> [[u64; 2]; 2] {
    let cell = |row: usize, column: usize| number(&inputs["table"][row][column]) as u64;
    [[cell(0, 0), cell(0, 1)], [cell(1, 0), cell(1, 1)]]
}

fn fisher(inputs: &Value) -> Value {
    let found = stats::fisher_exact(table(inputs)).unwrap();
    json!({
        "p_two-sided": tail(found.two_sided), "p_less": tail(found.less), "p_greater": tail(found.greater),
        "odds_ratio_sample": found.odds_ratio.map(unbounded),
        "odds_ratio_conditional_mle": found.conditional_odds_ratio().map(unbounded),
        "cond_ci95": ends(found.conditional_interval(0.95)),
    })
}

fn mcnemar(inputs: &Value) -> Value {
    let table = table(inputs);
    let found = McNemar::of(table).unwrap();
    let reason = (table[0][1] + table[1][0] == 0).then_some("no_discordant_pairs");
    json!({
        "exact_p": tail(found.exact), "mid_p": found.mid_p, "diff_marginal": found.difference,
        "chi2": found.chi_square.map(|(x, _)| x), "p": found.chi_square.map(|(_, p)| tail(p)),
        "chi2_cc": found.corrected.map(|(x, _)| x), "p_cc": found.corrected.map(|(_, p)| tail(p)),
        "wald_ci95": ends(found.interval(0.95)),
        "recommended": { "p": found.exact.p(), "reason": reason },
    })
}

fn permutation(inputs: &Value) -> Value {
    let found = ab::permutation(&numbers(&inputs["a"]), &numbers(&inputs["b"]), 1).unwrap();
    json!({
        "diff": found.difference, "n_permutations": found.divisions, "count_abs_ge": found.as_far,
        "p_two_sided_abs": found.share(found.as_far), "p_greater": found.share(found.as_large),
        "p_less": found.share(found.as_small),
    })
}

fn bca(inputs: &Value) -> Value {
    let x = numbers(&inputs["x"]);
    let statistic = |values: &[f64]| match text(&inputs["statistic"]) {
        "mean" => summed_as_numpy_does(values) / values.len() as f64,
        "median" => stats::median(values).unwrap(),
        other => panic!("unknown statistic {other}"),
    };
    let estimate = statistic(&x);
    let draw = |indices: &Value| numbers(indices).into_iter().map(|i| x[i as usize]).collect::<Vec<_>>();
    let replicates =
        inputs["resample_indices"].as_array().unwrap().iter().map(|indices| statistic(&draw(indices))).collect();
    let without: Vec<f64> =
        (0..x.len()).map(|left_out| statistic(&[&x[..left_out], &x[left_out + 1..]].concat())).collect();
    let centre = without.iter().sum::<f64>() / x.len() as f64;
    let pulls: Vec<f64> = without.iter().map(|value| centre - value).collect();
    let found = Bootstrap::of(estimate, replicates, &pulls).unwrap();
    let confidence = number(&inputs["confidence"]);
    let shares = found.shares(confidence).unwrap();
    json!({
        "theta_hat": estimate, "z0": found.bias(), "acceleration": found.acceleration(), "alpha1": shares[0], "alpha2": shares[1],
        "ci_bca_numpy_linear_quantile": ends(found.bca(confidence)),
        "ci_percentile_numpy_linear": ends(found.percentile(confidence)), "ci_basic": ends(found.basic(confidence)),
    })
}

/// A replicate that equals the estimate in exact arithmetic may miss it by a rounding, and then counts on one side: in
/// `bootstrap.bca_fixed_replicates` three of 199 do, which moves the bias from 0.0252 to 0.0063. So the statistic, which is the caller's,
/// has to be rounded as it was for the reference.
fn summed_as_numpy_does(values: &[f64]) -> f64 {
    if values.len() < 8 {
        return values.iter().sum();
    }
    if values.len() > 128 {
        let half = values.len() / 2 - values.len() / 2 % 8;
        return summed_as_numpy_does(&values[..half]) + summed_as_numpy_does(&values[half..]);
    }
    let mut lanes: [f64; 8] = values[..8].try_into().unwrap();
    let rest = values.chunks_exact(8).remainder();
    for chunk in values[8..].chunks_exact(8) {
        lanes.iter_mut().zip(chunk).for_each(|(lane, value)| *lane += value);
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    rest.iter().fold(((a + b) + (c + d)) + ((e + f) + (g + h)), |sum, value| sum + value)
}

fn beta_binomial(inputs: &Value) -> Value {
    let count = |name: &str| inputs[name].as_u64().unwrap();
    let share = |arm: &str| Share { successes: count(&format!("success_{arm}")), rows: count(&format!("n_{arm}")) };
    let model =
        BetaBinomial::with_prior(share("a"), share("b"), number(&inputs["prior_alpha"]), number(&inputs["prior_beta"]))
            .unwrap();
    let [mean_a, mean_b] = model.means();
    let [of_a, of_b] = model.intervals(0.95).unwrap();
    json!({
        "prob_b_beats_a": tail(model.chance_b_larger()), "expected_loss_if_choose_b": model.loss_of_choosing_b(),
        "expected_loss_if_choose_a": model.loss_of_choosing_a(), "posterior_mean_a": mean_a, "posterior_mean_b": mean_b,
        "ci95_a": [of_a.low, of_a.high], "ci95_b": [of_b.low, of_b.high],
    })
}
