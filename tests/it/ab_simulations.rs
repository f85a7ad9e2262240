//! Tests without a difference, and tests with one, played a thousand times: what the rules for repeated looks promise, counted.
//!
//! Slow, so `make test-slow` runs them. Seeds are fixed: the table in `docs/ab-testing-evidence.md` is what comes out, and
//! `UPDATE_DOCS=1` writes it anew. Every bound allows for the error of the simulation (2.6 standard errors, one in a hundred).

use std::fmt::Write as _;

use steward::ab::{
    self, Arms, Circumstances, Decision, Evaluation, Looks, PastLook, Plan, Share, Spending, ThresholdMode, boundaries,
    crossing_chance, evaluate_under, planned_level,
};
use steward::stats::{Moments, Random, normal_quantile};

const DAYS: u32 = 28;
const LEVEL: f64 = 0.05;

/// How the days of a test are looked at.
#[derive(Clone, Copy, PartialEq)]
enum Rule {
    /// A plain test every day, as if it were the only one.
    Naive,
    /// One plain test at the end.
    Horizon,
    /// Planned daily looks.
    GroupSequential,
    /// Daily looks without an end in sight.
    AlwaysValid,
    /// The same, and somebody ends it on the last day.
    Ended,
}

const RULES: [(Rule, &str); 5] = [
    (Rule::Naive, "a plain t-test every day (not offered)"),
    (Rule::Horizon, "a plain t-test on the last day"),
    (Rule::GroupSequential, "28 planned looks (group-sequential)"),
    (Rule::AlwaysValid, "looks without a plan (confidence sequence)"),
    (Rule::Ended, "a confidence sequence for 28 days, decided at the end by it"),
];

impl Rule {
    fn look(self, plan: &Plan, arms: &Arms, day: u32, levels: &[f64]) -> Option<Evaluation> {
        let circumstances = |level| Circumstances { level, ..Circumstances::default() };
        let (looks, level) = match self {
            Rule::Naive => (Looks::ONCE, None),
            Rule::Horizon if day < DAYS => return None,
            Rule::Horizon => (Looks::ONCE, None),
            Rule::GroupSequential => {
                let looks = Looks { look: day, planned: Some(DAYS), is_final: day == DAYS };
                (looks, Some(levels[day as usize - 1]))
            }
            Rule::AlwaysValid => (Looks { look: day, planned: None, is_final: false }, None),
            Rule::Ended => (Looks { look: day, planned: None, is_final: day == DAYS }, None),
        };
        Some(evaluate_under(plan, arms, looks, &circumstances(level)))
    }
}

fn levels() -> Vec<f64> {
    let fractions: Vec<f64> = (1..=DAYS).map(|day| f64::from(day) / f64::from(DAYS)).collect();
    boundaries(&fractions, LEVEL, Spending::OBrienFleming).iter().map(|look| look.level).collect()
}

/// A share with its standard error, in percent.
#[derive(Clone, Copy)]
struct Counted {
    percent: f64,
    error: f64,
}

impl Counted {
    fn of(count: u32, of: u32) -> Self {
        let share = f64::from(count) / f64::from(of);
        Self { percent: 100.0 * share, error: 100.0 * (share * (1.0 - share) / f64::from(of)).sqrt() }
    }

    fn is_at_most(self, bound: f64) -> bool {
        self.percent - 2.6 * self.error <= bound
    }
}

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} ± {:.1}", self.percent, self.error)
    }
}

/// How many of `times` tests with these shares find a difference by the last day, and after how many days on average.
fn significant(p: f64, q: f64, rows_a_day: u64, times: u32, seed: u64) -> Vec<(Counted, f64)> {
    let (levels, plan) = (levels(), Plan { min_samples: 50, ..Plan::default() });
    let mut random = Random::new(seed);
    let (mut found, mut days) = ([0u32; RULES.len()], [0u32; RULES.len()]);
    for _ in 0..times {
        let (mut a, mut b) = (Share { successes: 0, rows: 0 }, Share { successes: 0, rows: 0 });
        let mut open = [true; RULES.len()];
        for day in 1..=DAYS {
            for (arm, share) in [(&mut a, p), (&mut b, q)] {
                arm.rows += rows_a_day;
                arm.successes += (0..rows_a_day).filter(|_| random.unit() < share).count() as u64;
            }
            let arms = Arms::of_shares(a, b);
            for (index, (rule, _)) in RULES.iter().enumerate() {
                if open[index] && rule.look(&plan, &arms, day, &levels).is_some_and(|look| look.is_significant) {
                    open[index] = false;
                    found[index] += 1;
                    days[index] += day;
                }
            }
        }
    }
    (0..RULES.len()).map(|i| (Counted::of(found[i], times), f64::from(days[i]) / f64::from(found[i].max(1)))).collect()
}

/// Looks at a time, of tests without a difference whose rows grow by `growth` from look to look: how many find one, with the levels of
/// looks that are equally far apart, and with those of the rows there are; and both without simulation.
fn unequal(growth: f64, times: u32, seed: u64) -> ([Counted; 2], [f64; 2]) {
    const LOOKS: u32 = 5;
    let rows: Vec<u64> = (0..LOOKS).map(|k| (200.0 * growth.powi(k as i32)).round() as u64).collect();
    let plan = Plan { significance_level: LEVEL, ..Plan::default() };
    let mut random = Random::new(seed);
    // Rows that are added, as their mean and the variance that is theirs for certain: rows one by one would only take longer.
    let mut arm = |rows: u64| Moments::from_summary(rows, 10.0 + random.normal() / (rows as f64).sqrt(), 1.0).unwrap();
    let mut levels = [Vec::new(), Vec::new()];
    let mut found = [0u32; 2];
    for _ in 0..times {
        let (mut a, mut b, mut past) = (Moments::new(), Moments::new(), Vec::<PastLook>::new());
        let mut significant = [false; 2];
        for (index, n) in rows.iter().enumerate() {
            let more = n - past.last().map_or(0, |look| look.rows[0]);
            a.merge(&arm(more));
            b.merge(&arm(more));
            let looks = Looks { look: past.len() as u32 + 1, planned: Some(LOOKS), is_final: index == rows.len() - 1 };
            let arms = Arms::of_moments(a, b);
            let under = |level, past: &[PastLook]| {
                evaluate_under(&plan, &arms, looks, &Circumstances { level, past, ..Circumstances::default() })
            };
            if levels[1].len() == index {
                levels[0].push(planned_level(looks.look, LOOKS, LEVEL));
                levels[1].push(under(None, &past).level.unwrap());
            }
            // The levels are the same in all tests, so they are worked out in the first one only.
            for (significant, levels) in significant.iter_mut().zip(&levels) {
                *significant |= under(Some(levels[index]), &past).is_significant;
            }
            past.push(PastLook { share: None, rows: [*n; 2] });
        }
        (0..2).for_each(|i| found[i] += u32::from(significant[i]));
    }
    let information: Vec<f64> = rows.iter().map(|n| *n as f64).collect();
    let exact = levels.map(|levels| {
        let z: Vec<f64> = levels.iter().map(|level| -normal_quantile(level / 2.0).unwrap()).collect();
        100.0 * crossing_chance(&information, &z)
    });
    (found.map(|found| Counted::of(found, times)), exact)
}

/// What 28 planned looks decide about a metric whose true improvement is `lift` percent, when 2 % are asked for.
fn decided(lift: f64, threshold_mode: ThresholdMode, times: u32, seed: u64) -> [Counted; 4] {
    let (levels, plan) = (levels(), Plan { threshold_mode, ..Plan::default() });
    let mut random = Random::new(seed);
    let mut counts = [0u32; 4];
    for _ in 0..times {
        let (mut a, mut b) = (Moments::new(), Moments::new());
        let decision = (1..=DAYS).find_map(|day| {
            for (arm, mean) in [(&mut a, 100.0), (&mut b, 100.0 + lift)] {
                let rows: Vec<f64> = (0..100).map(|_| mean + 25.0 * random.normal()).collect();
                arm.merge(&Moments::of(&rows));
            }
            let look = Rule::GroupSequential.look(&plan, &Arms::of_moments(a, b), day, &levels)?;
            let decided = matches!(look.decision, Decision::ShipB | Decision::KeepA);
            (decided || day == DAYS).then_some((look.decision, look.reason))
        });
        let index = match decision {
            Some((Decision::ShipB, _)) => 0,
            Some((Decision::KeepA, "treatment_significantly_worse")) => 1,
            Some((Decision::KeepA, _)) => 2,
            _ => 3,
        };
        counts[index] += 1;
    }
    counts.map(|count| Counted::of(count, times))
}

#[test]
#[ignore = "slow: make test-slow"]
fn repeated_looks_keep_their_promise_and_the_page_says_so() {
    let mut page = String::from(PREFACE);
    let null = significant(0.3, 0.3, 50, 20_000, 1);
    let better = significant(0.3, 0.354, 50, 1000, 2);
    page += "| how it is looked at | finds something that is not there (%) | finds 18 % that are there (%) | after days |\n";
    page += "| --- | --- | --- | --- |\n";
    for (index, (_, name)) in RULES.iter().enumerate() {
        let (false_positives, (power, days)) = (null[index].0, better[index]);
        writeln!(page, "| {name} | {false_positives} | {power} | {days:.1} |").unwrap();
    }
    let [naive, horizon, planned, sequence, ended] = [null[0].0, null[1].0, null[2].0, null[3].0, null[4].0];
    assert!(naive.percent > 20.0, "the naive looks must show what is wrong with them: {naive}");
    for (name, counted) in
        [("horizon", horizon), ("group-sequential", planned), ("always-valid", sequence), ("ended", ended)]
    {
        assert!(counted.is_at_most(100.0 * LEVEL), "{name}: {counted}");
    }
    let powers: Vec<f64> = better.iter().map(|(power, _)| power.percent).collect();
    assert!(powers[1] - powers[2] < 5.0, "planned looks cost little power: {powers:?}");
    assert!(powers[2] > powers[3] && powers[3] > 50.0, "{powers:?}");
    assert!(better[2].1 < 0.8 * f64::from(DAYS), "and they end early: {}", better[2].1);

    let exact = |z: &dyn Fn(f64) -> f64| {
        let fractions: Vec<f64> = (1..=DAYS).map(|day| f64::from(day) / f64::from(DAYS)).collect();
        let borders: Vec<f64> = fractions.iter().map(|&t| z(t)).collect();
        100.0 * crossing_chance(&fractions, &borders)
    };
    let plain = normal_quantile(1.0 - LEVEL / 2.0).unwrap();
    let of_naive = exact(&|_| plain);
    let borders = boundaries(
        &(1..=DAYS).map(|d| f64::from(d) / f64::from(DAYS)).collect::<Vec<_>>(),
        LEVEL,
        Spending::OBrienFleming,
    );
    let of_planned = 100.0
        * crossing_chance(
            &borders.iter().map(|b| b.fraction).collect::<Vec<_>>(),
            &borders.iter().map(|b| b.z).collect::<Vec<_>>(),
        );
    assert!((of_planned - 5.0).abs() < 1e-4 && (of_naive - 27.47).abs() < 0.01, "{of_planned} {of_naive}");
    write!(
        page,
        "{}",
        LIFTS.replace("NAIVE", &format!("{of_naive:.2}")).replace("PLANNED", &format!("{of_planned:.2}"))
    )
    .unwrap();

    page += "| rows of five planned looks | as if equally spaced (%) | without simulation | by the rows there are (%) | \
             without simulation |\n";
    page += "| --- | --- | --- | --- | --- |\n";
    for (growth, seed) in [(4.0, 31), (1.2, 32)] {
        let ([equal, real], [of_equal, of_real]) = unequal(growth, 40_000, seed);
        writeln!(page, "| times {growth} at each | {equal} | {of_equal:.2} | {real} | {of_real:.2} |").unwrap();
        assert!(real.is_at_most(100.0 * LEVEL), "{growth}: {real}");
        assert!(
            (of_real - 5.0).abs() < 1e-4 && (equal.percent - of_equal).abs() < 4.0 * equal.error,
            "{of_real} {equal}"
        );
        assert!(growth < 2.0 || equal.percent > 6.0, "it must show what is wrong with the other: {equal}");
    }
    page += DECIDED;

    page += "| true improvement | ships B (%) | B is worse (%) | B is not good enough (%) | inconclusive (%) | ships B by `superiority` (%) |\n| --- | --- | --- | --- | --- | --- |\n";
    let mut shipped = Vec::new();
    for lift in 0..=5 {
        let [ships, worse, not_enough, inconclusive] =
            decided(f64::from(lift), ThresholdMode::Point, 1000, 10 + lift as u64);
        let [surely, ..] = decided(f64::from(lift), ThresholdMode::Superiority, 1000, 20 + lift as u64);
        writeln!(page, "| {lift} % | {ships} | {worse} | {not_enough} | {inconclusive} | {surely} |").unwrap();
        assert!(lift > 2 || surely.is_at_most(2.5), "superiority ships what is not above the bar: {surely}");
        shipped.push(ships);
    }
    assert!(shipped[0].is_at_most(2.5), "a model that is no better is shipped: {}", shipped[0]);
    assert!(shipped.windows(2).all(|pair| pair[0].percent <= pair[1].percent + 2.6 * pair[1].error));
    assert!(shipped[5].percent > 95.0, "{}", shipped[5]);
    page += CLOSE;
    super::documents::same("docs/ab-testing-evidence.md", &page);
}

#[test]
#[ignore = "slow: make test-slow"]
fn every_test_keeps_its_level_on_rows_of_its_kind() {
    let normal = |random: &mut Random, n: usize| (0..n).map(|_| random.normal()).collect::<Vec<_>>();
    let share =
        |random: &mut Random, n: usize| (0..n).map(|_| f64::from(u8::from(random.unit() < 0.3))).collect::<Vec<_>>();
    for test in ab::ALL {
        let mut random = Random::new(99);
        let (times, mut found) = (600u32, 0);
        for seed in 0..times {
            let pick = if test.needs() == ab::Needs::Shares || test.needs() == ab::Needs::PairsOfShares {
                share
            } else {
                normal
            };
            let (a, b) = (pick(&mut random, 60), pick(&mut random, 60));
            let arms = match test.needs() {
                ab::Needs::Pairs | ab::Needs::PairsOfShares => {
                    let some = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
                    Arms::of_pairs(&some(&a), &some(&b)).unwrap()
                }
                ab::Needs::Scores => Arms::of_scores(&(0..60).map(|i| i % 2 == 0).collect::<Vec<_>>(), &a, &b).unwrap(),
                _ => Arms::of_values(&a, &b),
            };
            let question = ab::Question { alpha: LEVEL, seed: u64::from(seed) };
            found += u32::from(test.compare(&arms, &question).unwrap().p_value.p() < LEVEL);
        }
        let counted = Counted::of(found, times);
        // The bootstrap of sixty rows is a little eager; it promises its level in large samples only.
        let bound = if test.name() == "bootstrap" { 6.5 } else { 5.0 };
        assert!(counted.is_at_most(bound), "{}: {counted}", test.name());
        assert!(counted.percent > 0.5, "{} finds nothing at all: {counted}", test.name());
    }
}

const PREFACE: &str = "# Evidence for A/B tests

Made by `make test-slow` from simulations with fixed seeds (`tests/it/ab_simulations.rs`); the test fails when this page says something else.
Shares are in percent with the standard error of the simulation.

## Looking every day for four weeks

Two arms of 50 rows a day with a share of 30 %, looked at on each of 28 days at the 5 % level. First without a difference (20,000 tests),
then with a true relative improvement of 18 % (1,000 tests).

";

const LIFTS: &str = "
Without simulation, by the recursion of Armitage, McPherson and Rowe: a plain test on each of 28 days rejects a true null in NAIVE % of all
tests, the planned looks in PLANNED %.

## Planned looks whose rows are not equally spaced

The level is shared by a clock that is chosen beforehand: the planned time, or here the number of the look. How much a look repeats those
before it goes by the rows that it has. Boundaries that take looks for equally far apart find too much where rows come ever faster, and too
little where they come slowly. 40,000 tests without a difference, 200 rows in each arm at the first look.

";

const DECIDED: &str = "
## What is decided

28 planned looks at two arms of 100 rows a day with mean 100 and standard deviation 25; 2 % improvement are asked for (the point estimate has to
reach them). 1,000 tests for each true improvement.

";

const CLOSE: &str = "
A model that is exactly at the bar is shipped more often than not where it can be told from A at all: every significant look is one more chance for
its estimate to lie above the bar. Who wants to be sure of the bar asks for it with `threshold_mode = \"superiority\"`, which holds the lower end
of the interval against it, at the price in the last column.
";
