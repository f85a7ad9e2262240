//! `steward jobs backtest`: what would have been alerted, without a database and without a trace.

use serde_json::Value;

use super::{DAILY, Watch, csv};
use crate::support::steward::{Site, bare};

/// A folder without any database.
fn offline(job: &str) -> Site {
    let site = Site::new("postgres://nobody@127.0.0.1:1/none", "");
    std::fs::create_dir(site.path().join("in")).unwrap();
    let data = format!("file://{}/in", site.path().display());
    let head = "name = \"watch\"\nkind = \"drift\"\nschedule = \"0 6 * * *\"\ntimezone = \"UTC\"\n";
    site.job("watch", &format!("{head}{}", job.replace("{data}", &data)));
    site
}

fn backtest(site: &Site, more: &[&str]) -> (i32, String, String) {
    let mut args = vec!["jobs", "backtest", "watch", "--from", "2013-01-01", "--to", "2013-01-11"];
    args.extend(more);
    let output = site.run(&args);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn fixed() -> String {
    format!(
        "{DAILY}reference = \"{{data}}/reference.csv\"\n[drift]\ntarget = \"data\"\n[drift.columns]\nvalue = {{ max = 29 }}\n"
    )
}

#[test]
fn every_tick_is_judged_at_every_threshold() {
    let site = offline(&fixed());
    let write = |name: &str, text: &str| std::fs::write(site.path().join("in").join(name), text).unwrap();
    write("reference.csv", &csv(600, 20.0));
    // Days 3 and 4 are above 0.2, day 7 is above 0.3 too, day 5 is not there.
    for (day, centre) in [(1, 20.0), (2, 20.5), (3, 22.5), (4, 22.5), (6, 22.5), (7, 24.0), (8, 20.0), (9, 22.5)] {
        write(&format!("day=2013-01-{day:02}.csv"), &csv(500, centre));
    }
    let (code, said, progress) = backtest(&site, &["--threshold", "0.1,0.2,0.3", "--output", "json"]);
    assert_eq!(code, 0, "{progress}");
    let report: Value = serde_json::from_str(&said).unwrap();
    let of = |column: &str, threshold: f64| {
        let lines = report["lines"].as_array().unwrap();
        lines
            .iter()
            .find(|l| l["subject"] == column && l["threshold"] == threshold)
            .unwrap_or_else(|| panic!("{report:#}"))
            .clone()
    };
    let short = |line: &Value| (line["alerts"].as_u64().unwrap(), line["incidents"].as_u64().unwrap());
    assert_eq!(short(&of("value", 0.2)), (5, 2), "the day without data ends no incident, the good day does");
    assert_eq!(short(&of("value", 0.3)), (1, 1));
    assert_eq!(of("value", 0.3)["first"], "2013-01-08T06:00:00Z");
    assert_eq!(
        (of("value", 0.2)["is_declared"].as_bool(), of("value", 0.3)["is_declared"].as_bool()),
        (Some(true), Some(false))
    );
    assert_eq!(short(&of("city", 0.1)), (0, 0));
    let range: Vec<&Value> = report["lines"].as_array().unwrap().iter().filter(|l| l["method"] == "range").collect();
    assert_eq!(
        (range.len(), range[0]["threshold"].as_f64()),
        (1, Some(0.0)),
        "a limit of quality stands once: {report:#}"
    );
    // The ticks of 1 January to 11 January at midnight judge 31 December to 9 January.
    assert_eq!((&report["windows"], report["without_data"].as_array().unwrap().len()), (&10.into(), 2));
    assert!(progress.contains("[ 10/10]"), "{progress}");

    let (code, table, _) = backtest(&site, &[]);
    assert_eq!(code, 0);
    assert!(table.starts_with("watch: 10 windows, 8 with data\nas the job is: alerts in "), "{table}");
    assert!(table.contains("0.2 *") && !table.contains("0.3 "), "{table}");
}

#[test]
fn what_cannot_be_asked_is_said() {
    let site = offline(&fixed());
    let (code, _, said) = backtest(&site, &[]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("reference: ") && said.contains("reference.csv"), "{said}");
    let output = site.run(&["jobs", "backtest", "wach", "--from", "2013-01-01", "--to", "2013-01-11"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("declares `wach`; did you mean `watch`?"), "{said}");
    let output =
        site.run(&["jobs", "backtest", "watch", "--from", "2013-01-01T07:00:00Z", "--to", "2013-01-01T08:00:00Z"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no tick of watch lies between"));
    for wrong in ["0", "-1", "x", "nan"] {
        assert_eq!(backtest(&site, &[&format!("--threshold={wrong}")]).0, 2, "{wrong}");
    }
    let metrics = bare(&["jobs", "backtest", "flights-classifier-v1", "--from", "2013-01-01", "--to", "2014-01-01"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = String::from_utf8(metrics.stderr).unwrap();
    assert_eq!(metrics.status.code(), Some(2), "{said}");
    assert!(said.contains("kind `metrics`") && said.contains("backfill"), "{said}");
    let by_p_value = offline(&fixed().replace("[drift]\n", "[drift]\ndecide_on = \"p_value\"\n"));
    let (code, _, said) = backtest(&by_p_value, &["--threshold", "0.3"]);
    assert_eq!(code, 2);
    assert!(said.contains("leave out --threshold"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_alerts_where_a_replay_does_and_leaves_no_trace() {
    let tables =
        format!("{DAILY}[drift]\ntarget = \"data\"\nreference = \"rolling\"\nwindows = 2\ngroup_by = \"city\"\n");
    let watch = Watch::new(&tables).await;
    for (day, centre) in [(1, 20.0), (2, 20.0), (3, 26.0), (4, 20.0), (6, 20.0), (7, 26.0), (8, 26.0), (9, 26.0)] {
        watch.day(day, &csv(500, centre));
    }
    let (code, said, progress) = backtest(&watch.site, &["--output", "json"]);
    assert_eq!(code, 0, "{progress}");
    let runs: i64 = sqlx::query_scalar("SELECT count(*) FROM runs").fetch_one(&watch.database.pool).await.unwrap();
    assert_eq!(runs, 0, "nothing is written");
    let report: Value = serde_json::from_str(&said).unwrap();
    watch.site.ok(&["jobs", "replay", "watch", "--from", "2013-01-01", "--to", "2013-01-11"]);
    for line in report["lines"].as_array().unwrap() {
        let subject = line["subject"].as_str().unwrap();
        let opened: i64 = sqlx::query_scalar("SELECT count(*) FROM incidents WHERE kind = 'drift' AND subject = $1")
            .bind(subject)
            .fetch_one(&watch.database.pool)
            .await
            .unwrap();
        assert_eq!(line["incidents"].as_i64(), Some(opened), "{subject}: {line:#}");
    }
    let total: i64 = sqlx::query_scalar("SELECT count(*) FROM incidents WHERE kind = 'drift'")
        .fetch_one(&watch.database.pool)
        .await
        .unwrap();
    assert!(total > 2, "{total}");
    assert_eq!(report["totals"][0]["incidents"].as_i64(), Some(total));
}
