//! `docs/choosing-a-method.md`: what it says was measured is measured here. `UPDATE_DOCS=1` writes it.

use std::path::Path;

use steward::drift::{self, CategoryCounts, Check, Method, NumericSample, Options, Sample};
use steward::stats::normal_quantile;

/// Rows of the columns that a change is measured on.
const ROWS: usize = 2000;

fn methods(is_categorical: bool) -> impl Iterator<Item = &'static dyn Method> {
    drift::ALL.iter().copied().filter(move |method| method.applies_to().includes(is_categorical))
}

fn judge(method: &dyn Method, reference: &Sample, current: &Sample) -> Check {
    drift::judge("x", method, reference, current, &Options::default())
}

fn numbers(sorted: &[f64], missing: u64) -> Sample<'_> {
    Sample::Numeric(NumericSample { sorted, missing })
}

/// Evenly spaced quantiles of the normal distribution: there is no chance in what is measured on them.
fn normal() -> Vec<f64> {
    (0..ROWS).map(|i| normal_quantile((i as f64 + 0.5) / ROWS as f64).unwrap()).collect()
}

fn changed(values: &[f64], shift: f64, spread: f64) -> Vec<f64> {
    values.iter().map(|value| spread * value + shift).collect()
}

fn counts(categories: &[(&str, u64)], missing: u64) -> CategoryCounts {
    CategoryCounts { counts: categories.iter().map(|&(name, rows)| (name.to_owned(), rows)).collect(), missing }
}

/// A score with a mark where it is drift.
fn shown(check: &Check) -> String {
    let score = check.score.unwrap();
    if check.drifted { format!("**{score:.2}**") } else { format!("{score:.2}") }
}

/// A row per method with what each change scores.
fn scores() -> String {
    let reference = normal();
    let changes = [(0.1, 1.0), (0.2, 1.0), (0.5, 1.0), (1.0, 1.0), (0.0, 1.5)];
    let columns: Vec<Vec<f64>> = changes.iter().map(|&(shift, spread)| changed(&reference, shift, spread)).collect();
    let fewer: Vec<f64> = reference.iter().copied().enumerate().filter(|(i, _)| i % 5 != 2).map(|(_, v)| v).collect();
    let mut text = String::from(
        "| method | shift 0.1 sd | shift 0.2 sd | shift 0.5 sd | shift 1 sd | spread x 1.5 | 20 % missing |\n\
         | --- | --: | --: | --: | --: | --: | --: |\n",
    );
    for method in methods(false) {
        let mut cells: Vec<String> =
            columns.iter().map(|column| shown(&judge(method, &numbers(&reference, 0), &numbers(column, 0)))).collect();
        let missing = judge(method, &numbers(&reference, 0), &numbers(&fewer, (ROWS - fewer.len()) as u64));
        cells.push(if method.scores_missing() { shown(&missing) } else { "apart".to_owned() });
        text += &format!("| `{}` | {} |\n", method.name(), cells.join(" | "));
    }
    text
}

fn category_scores() -> String {
    let half = counts(&[("a", 1000), ("b", 1000)], 0);
    let changes = [
        counts(&[("a", 1200), ("b", 800)], 0),
        counts(&[("a", 1400), ("b", 600)], 0),
        counts(&[("a", 990), ("b", 990), ("new", 20)], 0),
        counts(&[("a", 700), ("b", 700), ("new", 600)], 0),
        counts(&[("a", 800), ("b", 800)], 400),
    ];
    let mut text = String::from(
        "| method | 50/50 to 60/40 | 50/50 to 70/30 | new category 1 % | new category 30 % | 20 % missing |\n\
         | --- | --: | --: | --: | --: | --: |\n",
    );
    for method in methods(true) {
        let score = |current| shown(&judge(method, &Sample::Categorical(&half), &Sample::Categorical(current)));
        text += &format!("| `{}` | {} |\n", method.name(), changes.iter().map(score).collect::<Vec<_>>().join(" | "));
    }
    text
}

/// The smallest change on `0..most` whose score is above 0.2, by bisection.
fn first_drift(most: f64, drifts: impl Fn(f64) -> bool) -> String {
    let (mut low, mut high) = (0.0, most);
    if !drifts(high) {
        return "never".to_owned();
    }
    for _ in 0..12 {
        let middle = 0.5 * (low + high);
        if drifts(middle) { high = middle } else { low = middle }
    }
    format!("{high:.2}")
}

fn meaning() -> String {
    let reference = normal();
    let mut text = String::from("| method | shift, in sd | spread, times | 50/50 to |\n| --- | --: | --: | --: |\n");
    for method in methods(false) {
        let drifts = |shift: f64, spread: f64| {
            judge(method, &numbers(&reference, 0), &numbers(&changed(&reference, shift, spread), 0)).drifted
        };
        let shift = first_drift(4.0, |shift| drifts(shift, 1.0));
        let spread = first_drift(9.0, |more| drifts(0.0, 1.0 + more));
        let spread = spread.parse::<f64>().map_or(spread, |more| format!("{:.1}", 1.0 + more));
        let shares = if method.applies_to().includes(true) {
            let half = counts(&[("a", 5000), ("b", 5000)], 0);
            let drifts = |rows: u64| {
                let current = counts(&[("a", 5000 + rows), ("b", 5000 - rows)], 0);
                judge(method, &Sample::Categorical(&half), &Sample::Categorical(&current)).drifted
            };
            let percent = (1..50).find(|&percent| drifts(100 * percent)).unwrap();
            format!("{}/{}", 50 + percent, 50 - percent)
        } else {
            "-".to_owned()
        };
        text += &format!("| `{}` | {shift} | {spread} | {shares} |\n", method.name());
    }
    text
}

/// SplitMix64, and from it normal numbers by Box and Muller.
struct Draws(u64);

impl Draws {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn column(&mut self, rows: usize) -> Vec<f64> {
        let mut normal =
            || (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos();
        let mut values: Vec<f64> = (0..rows).map(|_| normal()).collect();
        drift::sort_values(&mut values);
        values
    }
}

/// How many of a hundred unchanged columns are called drift, with 1,000 rows of reference.
fn false_alarms() -> String {
    let sizes = [30, 100, 200, 500, 1000];
    let mut text = String::from(
        "| method | 30 rows | 100 rows | 200 rows | 500 rows | 1,000 rows | reliable from |\n\
         | --- | --: | --: | --: | --: | --: | --: |\n",
    );
    let mut draws = Draws(20_261_127);
    let pairs: Vec<Vec<(Vec<f64>, Vec<f64>)>> =
        sizes.iter().map(|&rows| (0..100).map(|_| (draws.column(1000), draws.column(rows))).collect()).collect();
    for method in methods(false) {
        let alarms = |pairs: &Vec<(Vec<f64>, Vec<f64>)>| {
            let drifted = pairs.iter().filter(|(a, b)| judge(method, &numbers(a, 0), &numbers(b, 0)).drifted);
            format!("{} %", drifted.count())
        };
        let cells: Vec<String> = pairs.iter().map(alarms).collect();
        text += &format!("| `{}` | {} | {} |\n", method.name(), cells.join(" | "), method.minimum_sample());
    }
    text
}

#[test]
fn the_measured_meaning_of_the_threshold_is_what_the_page_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/choosing-a-method.md");
    let mut page = std::fs::read_to_string(&path).unwrap();
    let written = page.clone();
    let parts = [
        ("scores of numbers", scores()),
        ("scores of categories", category_scores()),
        ("meaning of 0.2", meaning()),
        ("false alarms", false_alarms()),
    ];
    for (name, made) in parts {
        let open = format!("<!-- {name} -->\n");
        let start = page.find(&open).unwrap_or_else(|| panic!("the page has no {open}")) + open.len();
        let end = start + page[start..].find("<!-- end -->").unwrap();
        page.replace_range(start..end, &made);
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    } else {
        assert!(page == written, "docs/choosing-a-method.md is not what is measured; run `make doc`\n{page}");
    }
}

#[test]
fn the_page_speaks_of_every_method_and_of_no_other() {
    let page = include_str!("../../docs/choosing-a-method.md");
    for method in drift::ALL {
        assert!(page.contains(&format!("[`{0}`](methods/{0}.md)", method.name())), "{}", method.name());
    }
    for link in page.split("](methods/").skip(1) {
        let name = link.split(".md)").next().unwrap();
        assert!(name == "README" || drift::method(name).is_some(), "{name}");
    }
}
