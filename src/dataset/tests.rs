//! Datasets of every format and type, and what is said of those that cannot be read.

use std::fs::File;
use std::path::Path;

use polars::prelude::{
    CategoricalPhysical, Categories as PolarsCategories, Column, CsvWriter, DataFrame, DataType, IntoColumn,
    JsonFormat, JsonWriter, NamedFrom, ParquetWriter, SerWriter, Series, TimeUnit, TimeZone,
};

use super::*;
use crate::config::storage::StorageSettings;

fn storage() -> Storage {
    #[derive(serde::Deserialize)]
    struct Fragment {
        storage: StorageSettings,
    }
    let text = include_str!("../../config/default.toml");
    Storage::new(&toml::from_str::<Fragment>(text).unwrap().storage)
}

fn write(path: &Path, columns: Vec<Column>) {
    let mut frame = DataFrame::new_infer_height(columns).unwrap();
    ParquetWriter::new(File::create(path).unwrap()).finish(&mut frame).unwrap();
}

fn column<T, Values: AsRef<T>>(name: &str, values: Values) -> Column
where
    T: ?Sized,
    Series: NamedFrom<Values, T>,
{
    Series::new(name.into(), values).into_column()
}

fn cast(column: Column, dtype: &DataType) -> Column {
    column.cast(dtype).unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

async fn open(path: &Path) -> Result<Dataset, Error> {
    open_with(path, |_| {}).await
}

async fn open_with(path: &Path, change: impl FnOnce(&mut Source)) -> Result<Dataset, Error> {
    let mut source = Source { uri: path.display().to_string(), ..Source::default() };
    change(&mut source);
    Dataset::open(&storage(), source, &[]).await
}

fn counts(categories: &Categories) -> Vec<(&str, u64)> {
    categories.counts.counts.iter().map(|(text, rows)| (text.as_str(), *rows)).collect()
}

fn rows(texts: &[Option<Arc<str>>]) -> Vec<Option<&str>> {
    texts.iter().map(|text| text.as_deref()).collect()
}

/// One value twice, another once, and one missing, in every type Parquet knows.
fn every_type() -> Vec<Column> {
    let ints = || column("x", [Some(3i64), Some(-7), Some(3), None]);
    let unsigned = || column("x", [Some(3u64), Some(7), Some(3), None]);
    let floats = || column("x", [Some(0.5f64), Some(3.0), Some(0.5), Some(f64::NAN)]);
    let texts = || column("x", [Some("a"), Some("a text longer than a view holds inline"), Some("a"), None]);
    let micros = || column("x", [Some(1_706_677_567_000_000i64), Some(0), Some(1_706_677_567_000_000), None]);
    let named = |mut column: Column, name: &str| {
        column.rename(name.into());
        column
    };
    let categories = PolarsCategories::new("test".into(), "".into(), CategoricalPhysical::U32);
    vec![
        named(cast(ints(), &DataType::Int8), "i8"),
        named(cast(ints(), &DataType::Int16), "i16"),
        named(cast(ints(), &DataType::Int32), "i32"),
        named(ints(), "i64"),
        named(cast(ints(), &DataType::Int128), "i128"),
        named(cast(unsigned(), &DataType::UInt8), "u8"),
        named(cast(unsigned(), &DataType::UInt16), "u16"),
        named(cast(unsigned(), &DataType::UInt32), "u32"),
        named(unsigned(), "u64"),
        named(cast(floats(), &DataType::Float32), "f32"),
        named(floats(), "f64"),
        named(
            cast(column("x", [Some("12.50"), Some("-0.07"), Some("12.50"), None]), &DataType::Decimal(10, 2)),
            "decimal",
        ),
        named(column("x", [Some(true), Some(false), Some(true), None]), "bool"),
        named(texts(), "text"),
        named(cast(texts(), &DataType::from_categories(categories)), "categorical"),
        named(cast(micros(), &DataType::Datetime(TimeUnit::Microseconds, None)), "us"),
        named(
            cast(
                cast(micros(), &DataType::Datetime(TimeUnit::Microseconds, None)),
                &DataType::Datetime(TimeUnit::Milliseconds, None),
            ),
            "ms",
        ),
        named(
            cast(
                cast(micros(), &DataType::Datetime(TimeUnit::Microseconds, None)),
                &DataType::Datetime(TimeUnit::Nanoseconds, Some(TimeZone::UTC)),
            ),
            "ns_utc",
        ),
        named(cast(cast(micros(), &DataType::Datetime(TimeUnit::Microseconds, None)), &DataType::Date), "date"),
        named(Series::full_null("x".into(), 4, &DataType::Null).into_column(), "null"),
    ]
}

#[tokio::test]
async fn every_type_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    write(&path, every_type());
    let data = open(&path).await.unwrap();
    assert_eq!(data.row_count().await.unwrap(), 4);
    for name in ["i8", "i16", "i32", "i64", "i128"] {
        assert_eq!(
            data.numeric(name).await.unwrap(),
            NumericColumn { values: vec![3.0, -7.0, 3.0], missing: 1 },
            "{name}"
        );
        let found = data.categories(name).await.unwrap();
        assert_eq!((counts(&found), found.counts.missing, found.rows), (vec![("-7", 1), ("3", 2)], 1, 4), "{name}");
    }
    for name in ["u8", "u16", "u32", "u64"] {
        assert_eq!(
            data.numeric(name).await.unwrap(),
            NumericColumn { values: vec![3.0, 7.0, 3.0], missing: 1 },
            "{name}"
        );
        assert_eq!(counts(&data.categories(name).await.unwrap()), [("3", 2), ("7", 1)], "{name}");
    }
    for name in ["f32", "f64"] {
        assert_eq!(
            data.numeric(name).await.unwrap(),
            NumericColumn { values: vec![0.5, 3.0, 0.5], missing: 1 },
            "{name}"
        );
        let found = data.categories(name).await.unwrap();
        assert_eq!((counts(&found), found.counts.missing), (vec![("0.5", 2), ("3", 1)], 1), "{name}");
    }
    assert_eq!(data.numeric("decimal").await.unwrap(), NumericColumn { values: vec![12.5, -0.07, 12.5], missing: 1 });
    assert_eq!(counts(&data.categories("decimal").await.unwrap()), [("-0.07", 1), ("12.5", 2)]);
    assert_eq!(counts(&data.categories("bool").await.unwrap()), [("false", 1), ("true", 2)]);
    for name in ["text", "categorical"] {
        let found = data.categories(name).await.unwrap();
        let expected = vec![("a", 2), ("a text longer than a view holds inline", 1)];
        assert_eq!((counts(&found), found.counts.missing), (expected, 1), "{name}");
    }
    for name in ["us", "ms", "ns_utc"] {
        let found = data.categories(name).await.unwrap();
        let expected = vec![("1970-01-01T00:00:00Z", 1), ("2024-01-31T05:06:07Z", 2)];
        assert_eq!((counts(&found), found.counts.missing), (expected, 1), "{name}");
    }
    assert_eq!(counts(&data.categories("date").await.unwrap()), [("1970-01-01", 1), ("2024-01-31", 2)]);
    assert_eq!(data.numeric("null").await.unwrap(), NumericColumn { values: vec![], missing: 4 });
    assert_eq!(data.categories("null").await.unwrap().counts.missing, 4);
    for name in ["bool", "text", "categorical", "us", "date"] {
        let error = data.numeric(name).await.unwrap_err();
        assert!(matches!(error, Error::WrongType { expected: "a number", .. }), "{name}: {error:?}");
    }
    let table = data.aligned(&["i32", "date", "f64"]).await.unwrap();
    assert_eq!(table.rows, 4);
    assert_eq!(table.columns[0], AlignedColumn::Numbers(vec![Some(3.0), Some(-7.0), Some(3.0), None]));
    let AlignedColumn::Text(dates) = &table.columns[1] else { panic!("{table:?}") };
    assert_eq!(rows(dates), [Some("2024-01-31"), Some("1970-01-01"), Some("2024-01-31"), None]);
    assert_eq!(table.columns[2], AlignedColumn::Numbers(vec![Some(0.5), Some(3.0), Some(0.5), None]));
}

#[tokio::test]
async fn windows_are_half_open_for_every_kind_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    let day = 86_400_000_000i64;
    let micros = column("us", [Some(0), Some(day), Some(2 * day - 1), Some(2 * day), None]);
    let stamps = cast(micros.clone(), &DataType::Datetime(TimeUnit::Microseconds, None));
    let named = |column: Column, name: &str| column.with_name(name.into());
    write(
        &path,
        vec![
            named(cast(stamps.clone(), &DataType::Date), "date"),
            named(cast(stamps.clone(), &DataType::Datetime(TimeUnit::Nanoseconds, Some(TimeZone::UTC))), "ns"),
            named(cast(stamps.clone(), &DataType::Datetime(TimeUnit::Milliseconds, None)), "ms"),
            column(
                "text",
                [
                    Some("1970-01-01"),
                    Some("1970-01-02T00:00:00Z"),
                    Some("1970-01-02 23:59:59.9"),
                    Some("1970-01-03"),
                    None,
                ],
            ),
            stamps,
            column("row", [0.0, 1.0, 2.0, 3.0, 4.0]),
            column("kind", ["a", "b", "a", "b", "a"]),
        ],
    );
    let window = Some((at("1970-01-02T00:00:00Z"), at("1970-01-03T00:00:00Z")));
    for name in ["us", "ns", "ms", "date", "text"] {
        let select = |source: &mut Source| {
            source.time_column = Some(name.into());
            source.window = window;
        };
        let data = open_with(&path, select).await.unwrap();
        assert_eq!(data.row_count().await.unwrap(), 2, "{name}");
        assert_eq!(data.numeric("row").await.unwrap().values, [1.0, 2.0], "{name}");
        assert_eq!(counts(&data.categories("kind").await.unwrap()), [("a", 1), ("b", 1)], "{name}");
        let filtered = open_with(&path, |source| {
            select(source);
            source.filter.insert("kind".into(), "a".into());
            source.filter.insert("row".into(), "2.0".into());
        });
        let filtered = filtered.await.unwrap();
        assert_eq!(filtered.numeric("row").await.unwrap().values, [2.0], "{name}");
        assert_eq!(filtered.aligned(&["row", "kind"]).await.unwrap().rows, 1, "{name}");
    }
    let error = open_with(&path, |source| {
        source.time_column = Some("row".into());
        source.window = window;
    });
    let error = error.await.unwrap().numeric("row").await.unwrap_err();
    assert!(matches!(error, Error::WrongType { expected: "a timestamp or date", .. }), "{error:?}");
    let error =
        open_with(&path, |source| source.filter = BTreeMap::from([("knd".into(), "a".into())])).await.unwrap_err();
    assert!(matches!(&error, Error::MissingColumn { suggestion: Some(name), .. } if name == "kind"), "{error:?}");
}

#[tokio::test]
async fn a_window_that_holds_nothing_reads_as_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    std::fs::write(&path, "day,x\n2024-01-01,1\n").unwrap();
    let data = open_with(&path, |source| {
        source.time_column = Some("day".into());
        source.window = Some((at("2025-01-01T00:00:00Z"), at("2025-02-01T00:00:00Z")));
    });
    let data = data.await.unwrap();
    assert_eq!(data.row_count().await.unwrap(), 0);
    assert_eq!(data.numeric("x").await.unwrap(), NumericColumn::default());
    assert_eq!(data.aligned(&["x"]).await.unwrap().rows, 0);
}

#[tokio::test]
async fn objects_are_joined_in_name_order_and_must_agree() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    write(
        &file("2.parquet"),
        vec![column("x", [3i64, 4]), column("y", ["c", "d"]), column("z", [1.5])].into_iter().take(2).collect(),
    );
    write(&file("1.parquet"), vec![column("y", ["a", "b"]), cast(column("x", [1i64, 2]), &DataType::Int8)]);
    let all = file("*.parquet");
    let data = open(&all).await.unwrap();
    assert_eq!(data.columns().iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["y", "x"]);
    assert_eq!(data.numeric("x").await.unwrap().values, [1.0, 2.0, 3.0, 4.0]);
    let table = data.aligned(&["x", "y"]).await.unwrap();
    let AlignedColumn::Text(texts) = &table.columns[1] else { panic!("{table:?}") };
    assert_eq!(rows(texts), [Some("a"), Some("b"), Some("c"), Some("d")]);

    write(&file("3.parquet"), vec![column("x", ["five"]), column("y", ["e"])]);
    let data = open(&all).await.unwrap();
    let error = data.numeric("x").await.unwrap_err();
    let Error::SchemaConflict { column: name, object, .. } = &error else { panic!("{error:?}") };
    assert_eq!((name.as_str(), object.ends_with("3.parquet")), ("x", true));
    assert!(error.is_about_a_column());
    // The other columns are still read.
    assert_eq!(data.categories("y").await.unwrap().rows, 5);

    write(&file("3.parquet"), vec![column("y", ["e"])]);
    let error = open(&all).await.unwrap().numeric("x").await.unwrap_err();
    assert!(matches!(&error, Error::MissingColumn { object, .. } if object.ends_with("3.parquet")), "{error:?}");
}

#[tokio::test]
async fn only_the_bytes_of_the_columns_asked_for_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    let wide: Vec<Column> = (0..20)
        .map(|c| column(&format!("c{c}"), (0..20_000).map(|r| f64::from(r * 31 + c).sin()).collect::<Vec<_>>()))
        .collect();
    write(&path, wide);
    let size = std::fs::metadata(&path).unwrap().len();
    let data = open(&path).await.unwrap();
    let opened = data.bytes_read();
    assert_eq!(data.numeric("c7").await.unwrap().values.len(), 20_000);
    let read = data.bytes_read() - opened;
    assert!(read > 100_000 && read < size / 10, "{read} of {size}");
}

#[tokio::test]
async fn row_groups_and_batches_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    let count = 5_000u32;
    let values: Vec<f64> = (0..count).map(f64::from).collect();
    let texts: Vec<String> = (0..count).map(|row| format!("category number {}", row % 7)).collect();
    let mut frame = DataFrame::new_infer_height(vec![column("x", &values[..]), column("t", &texts[..])]).unwrap();
    ParquetWriter::new(File::create(&path).unwrap()).with_row_group_size(Some(700)).finish(&mut frame).unwrap();
    let data = open_with(&path, |source| source.filter = BTreeMap::from([("t".into(), "category number 3".into())]));
    let data = data.await.unwrap();
    let expected: Vec<f64> = (0..count).filter(|row| row % 7 == 3).map(f64::from).collect();
    assert_eq!(data.numeric("x").await.unwrap().values, expected);
    assert_eq!(data.row_count().await.unwrap(), expected.len() as u64);
    assert_eq!(open(&path).await.unwrap().numeric("x").await.unwrap().values, values);
}

#[tokio::test]
async fn text_formats_read_like_parquet() {
    let folder = tempfile::tempdir().unwrap();
    let columns = || {
        vec![
            column("i", [Some(3i64), None, Some(-7)]),
            column("f", [Some(0.5f64), Some(3.0), None]),
            column("b", [Some(true), Some(false), None]),
            column("s", [Some("a"), None, Some("b, \"quoted\"")]),
        ]
    };
    let (csv, json) = (folder.path().join("x.csv"), folder.path().join("x.ndjson"));
    let mut frame = DataFrame::new_infer_height(columns()).unwrap();
    CsvWriter::new(File::create(&csv).unwrap()).finish(&mut frame).unwrap();
    JsonWriter::new(File::create(&json).unwrap()).with_json_format(JsonFormat::JsonLines).finish(&mut frame).unwrap();
    for path in [csv, json] {
        let data = open(&path).await.unwrap();
        let kinds: Vec<ColumnKind> = data.columns().iter().map(|column| column.kind).collect();
        assert_eq!(
            kinds,
            [ColumnKind::Numeric, ColumnKind::Numeric, ColumnKind::Boolean, ColumnKind::Text],
            "{path:?}"
        );
        assert_eq!(data.row_count().await.unwrap(), 3);
        assert_eq!(data.numeric("i").await.unwrap(), NumericColumn { values: vec![3.0, -7.0], missing: 1 });
        assert_eq!(data.numeric("f").await.unwrap(), NumericColumn { values: vec![0.5, 3.0], missing: 1 });
        assert_eq!(counts(&data.categories("f").await.unwrap()), [("0.5", 1), ("3", 1)]);
        assert_eq!(counts(&data.categories("b").await.unwrap()), [("false", 1), ("true", 1)]);
        let found = data.categories("s").await.unwrap();
        assert_eq!((counts(&found), found.counts.missing), (vec![("a", 1), ("b, \"quoted\"", 1)], 1), "{path:?}");
        assert!(matches!(data.numeric("s").await, Err(Error::WrongType { .. })));
    }
}

#[tokio::test]
async fn a_late_value_that_does_not_fit_is_an_error_with_the_value() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    let mut text = String::from("x\n");
    text.extend((0..3000).map(|row| format!("{row}\n")));
    text.push_str("oops\n");
    std::fs::write(&path, &text).unwrap();
    let data = open(&path).await.unwrap();
    let error = data.numeric("x").await.unwrap_err();
    assert!(error.to_string().contains("`oops`"), "{error}");
    assert_eq!(error.code(), "schema_error");
    // Late floats in a column that began with integers are just numbers.
    std::fs::write(&path, text.replace("oops", "1.5\nNA")).unwrap();
    let found = open(&path).await.unwrap().numeric("x").await.unwrap();
    assert_eq!((found.values.len(), found.values.last(), found.missing), (3001, Some(&1.5), 1));
}

#[tokio::test]
async fn compressed_text_is_read_and_its_damage_named() {
    // `x\n1\n2\n`, compressed.
    let packed: &[u8] = &[
        0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0x03, 0xab, 0xe0, 0x32, 0xe4, 0x32, 0xe2, 0x02, 0x00, 0x75, 0x17, 0x66,
        0x60, 0x06, 0, 0, 0,
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv.gz");
    let mut whole = packed.to_vec();
    let crc = crc32(b"x\n1\n2\n").to_le_bytes();
    whole[18..22].copy_from_slice(&crc);
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(open(&path).await.unwrap().numeric("x").await.unwrap().values, [1.0, 2.0]);
    std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    assert!(matches!(open(&path).await, Err(Error::Truncated { .. })));
    whole[18] ^= 1;
    std::fs::write(&path, &whole).unwrap();
    assert!(matches!(open(&path).await, Err(Error::Corrupt { .. })));
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[tokio::test]
async fn empty_things_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    for name in ["x.parquet", "x.csv", "x.ndjson"] {
        std::fs::write(file(name), "").unwrap();
        let error = open(&file(name)).await.unwrap_err();
        assert!(matches!(&error, Error::Empty { object } if object.ends_with(name)), "{error:?}");
        assert_eq!(error.code(), "insufficient_data");
    }
    write(&file("rows.parquet"), vec![column("x", Vec::<f64>::new())]);
    std::fs::write(file("rows.csv"), "x,y\n").unwrap();
    for name in ["rows.parquet", "rows.csv"] {
        let data = open(&file(name)).await.unwrap();
        assert_eq!(data.row_count().await.unwrap(), 0, "{name}");
        assert_eq!(data.numeric("x").await.unwrap(), NumericColumn::default(), "{name}");
        assert_eq!(data.categories("x").await.unwrap(), Categories::default(), "{name}");
    }
    let error = open(&file("none.parquet")).await.unwrap_err();
    assert!(matches!(error, Error::NoObjects { .. }), "{error:?}");
    assert_eq!(error.code(), "no_data");
}

#[tokio::test]
async fn damage_is_an_error_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    let values: Vec<f64> = (0..2_000).map(|row| f64::from(row).sin()).collect();
    let texts: Vec<String> = (0..2_000).map(|row| format!("t{}", row % 11)).collect();
    write(&path, vec![column("x", &values[..]), column("t", &texts[..])]);
    let whole = std::fs::read(&path).unwrap();
    let read = async |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let data = open(&path).await?;
        data.numeric("x").await?;
        data.categories("t").await
    };
    assert!(read(&whole).await.is_ok());
    for length in [1, 4, 11, 12, 100, whole.len() / 2, whole.len() - 1] {
        let error = read(&whole[..length]).await.unwrap_err();
        assert_eq!(error.code(), "corrupt_input", "{length}: {error}");
        assert!(error.to_string().contains("x.parquet"), "{error}");
    }
    // Each byte of the footer in turn: an error or, where the byte does not matter, the data; never a panic.
    let footer =
        whole.len() - 8 - u32::from_le_bytes(whole[whole.len() - 8..whole.len() - 4].try_into().unwrap()) as usize;
    let mut refused = 0;
    for place in (footer..whole.len()).step_by(7).chain((4..footer).step_by(997)) {
        let mut broken = whole.clone();
        broken[place] ^= 0xff;
        match read(&broken).await {
            Ok(_) => {}
            Err(error) => {
                refused += 1;
                assert!(matches!(error.code(), "corrupt_input" | "schema_error"), "{place}: {error:?}");
            }
        }
    }
    assert!(refused > 10, "{refused}");
}

#[tokio::test]
async fn other_files_named_parquet_are_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    for (content, hint) in
        [(&b"a,b\n1,2\n"[..], "text"), (b"\x1f\x8b\x08\0\0\0\0\0\0\0\0\0", "gzip"), (b"PK\x03\x04aaaaaaaaaa", "zip")]
    {
        std::fs::write(&path, content).unwrap();
        let error = open(&path).await.unwrap_err();
        assert!(matches!(error, Error::WrongFormat { .. }), "{error:?}");
        assert!(error.to_string().contains(hint), "{error}");
    }
    let csv = open_with(&path, |source| source.format = Some(Format::Csv));
    std::fs::write(&path, "a,b\n1,2\n").unwrap();
    assert_eq!(csv.await.unwrap().numeric("b").await.unwrap().values, [2.0]);
    let unnamed = folder.path().join("data");
    std::fs::write(&unnamed, "a,b\n1,2\n").unwrap();
    let error = open(&unnamed).await.unwrap_err().to_string();
    assert!(error.contains("`format`"), "{error}");
}

#[tokio::test]
async fn pins_hold_the_input() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    write(&file("1.parquet"), vec![column("x", [1.0])]);
    write(&file("2.parquet"), vec![column("x", [2.0, 3.0])]);
    let source = Source { uri: file("*.parquet").display().to_string(), ..Source::default() };
    let pins = Dataset::open(&storage(), source.clone(), &[]).await.unwrap().pins();
    assert_eq!(pins.iter().map(|pin| pin.row_count).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert!(Dataset::open(&storage(), source.clone(), &pins).await.is_ok());
    let changed = async |hint: &str| {
        let error = Dataset::open(&storage(), source.clone(), &pins).await.unwrap_err();
        assert!(matches!(error, Error::Changed { .. }), "{error:?}");
        assert!(error.to_string().contains(hint), "{error}");
    };
    write(&file("3.parquet"), vec![column("x", [4.0])]);
    changed("3.parquet` was added").await;
    std::fs::remove_file(file("3.parquet")).unwrap();
    write(&file("2.parquet"), vec![column("x", [2.0, 3.0, 4.0, 5.0, 6.0])]);
    changed("2.parquet").await;
    std::fs::remove_file(file("2.parquet")).unwrap();
    changed("no longer there").await;
}

#[tokio::test]
async fn an_object_replaced_after_opening_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    write(&path, vec![column("x", [1.0])]);
    let data = open(&path).await.unwrap();
    write(&path, vec![column("x", [1.0, 2.0, 3.0])]);
    let error = data.numeric("x").await.unwrap_err();
    assert!(matches!(error, Error::Changed { .. }), "{error:?}");
}

#[tokio::test]
async fn identifiers_are_not_counted_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    let count = MAX_DISTINCT + 50_000;
    let ids: Vec<String> = (0..count).map(|row| format!("identifier-{row:012}")).collect();
    let numbers: Vec<i64> = (0..count as i64).collect();
    write(
        &path,
        vec![
            column("id", &ids[..]),
            column("n", &numbers[..]),
            column("few", &numbers.iter().map(|n| n % 1000).collect::<Vec<_>>()[..]),
        ],
    );
    let data = open(&path).await.unwrap();
    for name in ["id", "n"] {
        let found = data.categories(name).await.unwrap();
        assert!(found.distinct_overflow && found.counts.counts.is_empty(), "{name}");
        assert_eq!(found.rows, count as u64, "{name}");
    }
    let found = data.categories("few").await.unwrap();
    assert_eq!((found.distinct_overflow, found.counts.counts.len(), found.counts.counts["7"]), (false, 1000, 250));
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_read_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    write(
        &path,
        (0..8)
            .map(|c| column(&format!("c{c}"), vec![f64::from(c); 1000]))
            .chain([column("k", vec!["a"; 1000])])
            .collect(),
    );
    let data =
        Arc::new(open_with(&path, |source| source.filter = BTreeMap::from([("k".into(), "a".into())])).await.unwrap());
    let reads: Vec<_> = (0..8)
        .map(|c| {
            let data = Arc::clone(&data);
            tokio::spawn(async move { data.numeric(&format!("c{c}")).await.unwrap().values.iter().sum::<f64>() })
        })
        .collect();
    for (c, read) in reads.into_iter().enumerate() {
        assert_eq!(read.await.unwrap(), c as f64 * 1000.0);
    }
}

#[tokio::test]
async fn objects_in_memory_are_read_by_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    write(&path, every_type());
    let bytes = std::fs::read(&path).unwrap();
    storage().put("memory://dataset-test/x.parquet", bytes.into()).await.unwrap();
    let data = open(Path::new("memory://dataset-test/*.parquet")).await.unwrap();
    assert_eq!(data.numeric("i64").await.unwrap().values, [3.0, -7.0, 3.0]);
    assert_eq!(data.categories("text").await.unwrap().counts.missing, 1);
}

#[tokio::test]
async fn text_is_counted_right_whatever_its_length_and_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    // Long and short texts, the empty one, missing ones, more categories than the small table has places.
    let text = |row: usize| match row % 5 {
        0 => Some(String::new()),
        1 => None,
        2 => Some(format!("{}", row % 3_001)),
        3 => Some(format!("a category with a long name {}", row % 1_999)),
        _ => Some("one".to_owned()),
    };
    let texts: Vec<Option<String>> = (0..60_000).map(text).collect();
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for text in texts.iter().flatten() {
        *expected.entry(text.clone()).or_default() += 1;
    }
    write(&path, vec![column("x", &texts[..])]);
    let found = open(&path).await.unwrap().categories("x").await.unwrap();
    assert_eq!(found.counts.counts, expected);
    assert_eq!((found.counts.missing, found.rows), (12_000, 60_000));
}

#[tokio::test]
async fn csv_columns_that_look_different_in_two_files_are_text() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("1.csv"), "code,x\n12,1\n13,2\n").unwrap();
    std::fs::write(folder.path().join("2.csv"), "code,x\nA12,1.5\n12,NA\n").unwrap();
    let data = open(&folder.path().join("*.csv")).await.unwrap();
    assert_eq!(counts(&data.categories("code").await.unwrap()), [("12", 2), ("13", 1), ("A12", 1)]);
    let error = data.numeric("code").await.unwrap_err();
    assert!(matches!(&error, Error::WrongType { object, .. } if object.ends_with("2.csv")), "{error:?}");
    assert_eq!(data.numeric("x").await.unwrap(), NumericColumn { values: vec![1.0, 2.0, 1.5], missing: 1 });
}
