//! `steward ab evaluate` beyond two variants of rows: units, repetitions, covariates, guardrails, and two models on the same rows.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::steward::bare;

fn run(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let output = bare(&[&["ab", "evaluate", "--data", "served.csv"], args].concat()).current_dir(dir).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

fn judged(dir: &Path, args: &[&str]) -> Value {
    let (_, out, err) = run(dir, &[args, &["--output", "json"]].concat());
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"))
}

/// `request,unit,variant,outcome,before,latency,old,new,truth`: five rows a unit, every tenth row twice.
fn served(dir: &Path) {
    let mut text = String::from("request,unit,variant,outcome,before,latency,old,new,truth\n");
    for unit in 0..400u32 {
        let is_b = unit % 2 == 1;
        let before = unit / 2 * 37 % 101;
        for row in 0..5u32 {
            let id = unit * 5 + row;
            let outcome = f64::from(before) + f64::from(id * 13 % 7) + if is_b { 3.0 } else { 0.0 };
            let latency = 20.0 + f64::from(id * 11 % 13) + if is_b { 2.0 } else { 0.0 };
            let truth = u32::from(id % 3 == 0);
            let noise = f64::from(id * 31 % 17) / 17.0;
            let (old, new) = (0.5 * noise + 0.1 * f64::from(truth), 0.5 * noise + 0.4 * f64::from(truth));
            let variant = if is_b { "b" } else { "a" };
            for _ in 0..if id % 10 == 0 { 2 } else { 1 } {
                writeln!(text, "r{id},u{unit},{variant},{outcome},{before},{latency},{old},{new},{truth}").unwrap();
            }
        }
    }
    std::fs::write(dir.join("served.csv"), text).unwrap();
}

const ARMS: [&str; 4] = ["--variant", "variant", "--outcome", "outcome"];

#[test]
fn units_count_once_and_so_do_repetitions() {
    let dir = tempfile::tempdir().unwrap();
    served(dir.path());
    let rows = judged(dir.path(), &ARMS);
    assert_eq!(
        (&rows["n_a"], &rows["n_b"]),
        (&json!(1200), &json!(1000)),
        "row 0 of every even unit stands there twice"
    );
    let once = judged(dir.path(), &[&ARMS[..], &["--request", "request"]].concat());
    assert_eq!((&once["n_a"], &once["n_b"]), (&json!(1000), &json!(1000)));
    assert!(once["warnings"][0].as_str().unwrap().contains("200 rows repeat a request"), "{once}");
    let units = judged(dir.path(), &[&ARMS[..], &["--unit", "unit", "--request", "request"]].concat());
    assert_eq!((&units["n_a"], &units["n_b"]), (&json!(200), &json!(200)));
    let error =
        |document: &Value| document["difference_high"].as_f64().unwrap() - document["difference_low"].as_f64().unwrap();
    assert!(error(&units) > 2.0 * error(&once), "rows of a unit are alike, so they are worth less than they seem");
}

#[test]
fn a_covariate_takes_the_noise_out_and_a_guardrail_speaks_up() {
    let dir = tempfile::tempdir().unwrap();
    served(dir.path());
    let units = [&ARMS[..], &["--unit", "unit", "--request", "request"]].concat();
    let plain = judged(dir.path(), &units);
    assert_eq!(plain["decision"], "INCONCLUSIVE", "{plain}");
    let adjusted = judged(dir.path(), &[&units[..], &["--covariate", "before"]].concat());
    assert_eq!(adjusted["decision"], "SHIP_B", "{adjusted}");
    assert!(adjusted["covariate"]["variance_reduction"].as_f64().unwrap() > 0.99, "{adjusted}");
    let all = [&units[..], &["--covariate", "before", "--guardrail", "latency:lower", "--secondary", "new"]].concat();
    assert_eq!(judged(dir.path(), &all)["decision"], "REVIEW");
    insta::assert_snapshot!("guarded", run(dir.path(), &all).1);
}

#[test]
fn two_models_on_the_same_rows() {
    let dir = tempfile::tempdir().unwrap();
    served(dir.path());
    let columns = ["--outcome-a", "old", "--outcome-b", "new"];
    let paired = judged(dir.path(), &[&columns[..], &["--request", "request"]].concat());
    assert_eq!((&paired["decision"], &paired["n_a"], &paired["n_b"]), (&json!("SHIP_B"), &json!(2000), &json!(2000)));
    assert_eq!(paired["srm"]["p_value"], Value::Null);
    let scores = judged(dir.path(), &[&columns[..], &["--label", "truth"]].concat());
    assert_eq!(scores["decision"], "SHIP_B", "{scores}");
    let drawn = judged(dir.path(), &[&columns[..], &["--test", "bootstrap"]].concat());
    assert_eq!(drawn["decision"], "SHIP_B", "{drawn}");
    insta::assert_snapshot!("scores", run(dir.path(), &[&columns[..], &["--label", "truth"]].concat()).1);
    let worse = ["--outcome-a", "new", "--outcome-b", "old"];
    let margin = judged(dir.path(), &[&worse[..], &["--hypothesis", "non_inferiority", "--margin", "0.05"]].concat());
    assert_eq!((&margin["decision"], &margin["reason_code"]), (&json!("KEEP_A"), &json!("inferior")), "{margin}");
}

#[test]
fn what_does_not_go_together_is_refused_with_the_flag() {
    let dir = tempfile::tempdir().unwrap();
    served(dir.path());
    let columns = ["--outcome-a", "old", "--outcome-b", "new"];
    for (args, expected) in [
        ([&columns[..], &["--test", "t_test"]].concat(), "--outcome-a and --outcome-b stand in the same rows"),
        ([&ARMS[..], &["--test", "mcnemar"]].concat(), "with --outcome-a and --outcome-b"),
        ([&columns[..], &["--test", "delong"]].concat(), "--label and --test delong go together"),
        ([&columns[..], &["--label", "unit"]].concat(), "column `unit` holds text"),
        ([&columns[..], &["--label", "before"]].concat(), "labels that scores are compared by are 0 or 1"),
        ([&ARMS[..], &["--margin", "0.1"]].concat(), "--margin is of `non_inferiority`"),
        ([&ARMS[..], &["--guardrail", "latency:up"]].concat(), "neither lower nor higher nor a margin"),
        ([&columns[..], &["--covariate", "before"]].concat(), "takes more noise out than a covariate could"),
        (vec!["--outcome", "outcome"], "--variant <COL>"),
    ] {
        let (code, out, err) = run(dir.path(), &args);
        assert!(code == 2 && err.contains(expected), "{args:?}: {code} {out}{err}");
    }
}
