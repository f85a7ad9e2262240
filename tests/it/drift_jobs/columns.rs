//! Columns of every type against every method: a value, a named non-result, or an error when the job is checked; never a failed run.

use polars::prelude::{
    Categories, Column, DataFrame, DataType, IntoColumn, IntoSeries, NamedFrom, ParquetWriter, Series, StructChunked,
    TimeUnit, TimeZone,
};
use steward::drift;

use super::{DAILY, Watch};

const ROWS: i64 = 240;

/// One column of each type; `shift` moves what can be moved.
fn columns(shift: i64) -> Vec<Column> {
    let numbers: Vec<i64> = (0..ROWS).map(|row| row * 7 % 23 + shift).collect();
    let base = |name: &str| Series::new(name.into(), numbers.clone());
    let cast = |name: &str, to: DataType| base(name).cast(&to).unwrap().into_column();
    let words = |name: &str| {
        let words: Vec<String> = numbers.iter().map(|n| format!("w{}", n % 5)).collect();
        Series::new(name.into(), words)
    };
    let some = |name: &str| {
        Series::new(name.into(), numbers.iter().map(|n| (n % 4 != 0).then_some(*n as f64)).collect::<Vec<_>>())
            .into_column()
    };
    let list = |name: &str| {
        Series::new(name.into(), numbers.iter().map(|n| Series::new("".into(), vec![*n, n + 1])).collect::<Vec<_>>())
            .into_column()
    };
    let nested = StructChunked::from_series("struct".into(), numbers.len(), [base("a"), words("b")].iter()).unwrap();
    vec![
        cast("i8", DataType::Int8),
        cast("i16", DataType::Int16),
        cast("i32", DataType::Int32),
        cast("i64", DataType::Int64),
        cast("u8", DataType::UInt8),
        cast("u16", DataType::UInt16),
        cast("u32", DataType::UInt32),
        cast("u64", DataType::UInt64),
        cast("f32", DataType::Float32),
        cast("f64", DataType::Float64),
        cast("decimal", DataType::Decimal(18, 2)),
        cast("date", DataType::Date),
        cast(
            "instant",
            DataType::Datetime(TimeUnit::Microseconds, TimeZone::opt_try_new(Some("Europe/Berlin")).unwrap()),
        ),
        cast("naive", DataType::Datetime(TimeUnit::Milliseconds, None)),
        Series::new("bool".into(), numbers.iter().map(|n| n % 3 == 0).collect::<Vec<_>>()).into_column(),
        words("text").into_column(),
        words("dictionary").cast(&DataType::from_categories(Categories::global())).unwrap().into_column(),
        Series::new("identifier".into(), (0..ROWS).map(|row| format!("id {row} {shift}")).collect::<Vec<_>>())
            .into_column(),
        list("list"),
        nested.into_series().into_column(),
        Series::new_null("nothing".into(), numbers.len()).into_column(),
        Series::new("none".into(), vec![None::<f64>; numbers.len()]).into_column(),
        Series::new("constant".into(), vec![7.0; numbers.len()]).into_column(),
        some("nullable"),
    ]
}

fn write(watch: &Watch, name: &str, shift: i64) {
    let mut frame = DataFrame::new_infer_height(columns(shift)).unwrap();
    let file = std::fs::File::create(watch.folder().join(name)).unwrap();
    ParquetWriter::new(file).finish(&mut frame).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_says_something_about_a_column_of_every_type() {
    let daily = DAILY.replace(".csv", ".parquet");
    let tables = |method: &str, declared: &str| {
        let mut text = format!(
            "{daily}reference = \"{{data}}/reference.parquet\"\n[drift]\ntarget = \"data\"\nmethod = \"{method}\"\n"
        );
        if !declared.is_empty() {
            text += "[drift.columns]\n";
            for column in columns(0) {
                text += &format!("{} = {{ type = \"{declared}\" }}\n", column.name());
            }
        }
        text
    };
    let watch = Watch::new(&tables("ks_test", "")).await;
    write(&watch, "reference.parquet", 0);
    write(&watch, "day=2013-01-01.parquet", 2);
    for method in drift::ALL {
        for declared in ["", "numeric", "categorical"] {
            let name = method.name();
            let fits = match declared {
                "numeric" => method.applies_to().includes(false),
                "categorical" => method.applies_to().includes(true),
                _ => true,
            };
            if !fits {
                watch.site.job("watch", &format!("name = \"watch\"\nkind = \"drift\"\n{}", tables(name, declared)));
                let said = watch.site.run(&["jobs", "check"]);
                assert_eq!(said.status.code(), Some(1), "{name} {declared}: an error when the job is checked");
                continue;
            }
            watch.job(&tables(name, declared));
            let ran = watch.judge(1).await;
            let mut judged = 0;
            for column in columns(0) {
                let check = ran.check(column.name(), "");
                let about = format!("{name} {declared}: {check:?}");
                match check.status.as_str() {
                    "ok" | "warning" | "drifted" => {
                        assert!(check.drift_score.is_some_and(f64::is_finite), "{about}");
                        judged += 1;
                    }
                    "not_applicable" | "insufficient_data" | "schema_error" | "no_data" => {
                        assert!(check.drift_score.is_none() && !check.reason.as_deref().unwrap().is_empty(), "{about}");
                    }
                    _ => panic!("{about}"),
                }
            }
            assert_eq!(ran.checks.len(), columns(0).len());
            assert!(judged >= 10, "{name} {declared}: only {judged} columns were judged\n{ran:#?}");
        }
    }
}
