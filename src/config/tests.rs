//! Layers, provenance and the wording of mistakes, without the files or environment of the host.

use std::path::PathBuf;

use super::check::{Facts, check};
use super::*;

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("steward.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Settings without a mistake.
fn valid(inputs: &Inputs) -> LoadedSettings {
    let (loaded, problems) = read(inputs);
    assert_eq!(problems, Vec::new());
    loaded.unwrap()
}

/// All mistakes, one a line, with the temporary folder taken out.
fn mistakes(text: &str, variables: &[(&str, &str)], flags: &[&str]) -> String {
    let (folder, path) = file(text);
    let mut problems = Vec::new();
    let flags = Sources { set: flags.iter().map(ToString::to_string).collect(), ..Sources::default() };
    let overrides = flags.overrides(&mut problems);
    let (loaded, more) = read(&Inputs { files: vec![path], environment: environment(variables), overrides });
    problems.extend(more);
    let found = vec![("smtp.from".to_owned(), "found by another module".to_owned())];
    let found = if text.contains("[smtp]") { found } else { Vec::new() };
    let facts = Facts { drift_methods: vec!["ks_test", "psi"], found };
    problems.extend(check(&loaded.unwrap(), &facts));
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n").replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn the_defaults_are_valid_and_those_of_the_specification() {
    let loaded = valid(&Inputs::default());
    let settings = &loaded.settings;
    assert!(settings.enable_model_registry && settings.enable_drift_detection);
    assert_eq!((settings.drift_threshold, settings.drift_detection_method.as_str()), (0.2, "ks_test"));
    assert_eq!(check(&loaded, &Facts { drift_methods: vec!["ks_test"], found: Vec::new() }), Vec::new());
}

#[test]
fn later_layers_win_and_each_value_knows_its_origin() {
    let (_folder, path) = file("drift_threshold = 0.3\n[database]\nmax_connections = 4\nconnect_timeout_seconds = 3\n");
    let (_other, second) = file("\n[database]\n  connect_timeout_seconds = 5\n");
    let mut sources = Inputs {
        files: vec![path.clone(), second.clone()],
        environment: environment(&[("STEWARD__DATABASE__MAX_CONNECTIONS", "7"), ("DATABASE_URL", "postgres://a@b/c")]),
        overrides: Vec::new(),
    };
    sources.overrides.push(("data_dir".into(), "/tmp/elsewhere".into(), "--data-dir".into()));
    let loaded = valid(&sources);
    assert_eq!(loaded.settings.database.max_connections, 7);
    assert_eq!(loaded.settings.database.connect_timeout_seconds, 5);
    assert_eq!(loaded.settings.drift_threshold, 0.3);
    assert_eq!(loaded.settings.database.url.expose(), "postgres://a@b/c");
    assert_eq!(loaded.settings.data_dir, PathBuf::from("/tmp/elsewhere"));

    let origin = |key: &str| loaded.origin_of(key).to_string();
    assert_eq!(origin("drift_threshold"), format!("{}:1:1", path.display()));
    assert_eq!(origin("database.connect_timeout_seconds"), format!("{}:3:3", second.display()));
    assert_eq!(origin("database.max_connections"), "environment variable STEWARD__DATABASE__MAX_CONNECTIONS");
    assert_eq!(origin("database.url"), "environment variable DATABASE_URL");
    assert_eq!(origin("data_dir"), "flag --data-dir");
    assert_eq!(origin("log.level"), "default");
}

#[test]
fn the_prefixed_variable_wins_over_database_url() {
    let variables = [("DATABASE_URL", "postgres://a@b/c"), ("STEWARD__DATABASE__URL", "postgres://d@e/f")];
    let sources = Inputs { environment: environment(&variables), ..Inputs::default() };
    assert_eq!(valid(&sources).settings.database.url.expose(), "postgres://d@e/f");
}

#[test]
fn an_empty_database_url_means_the_private_server() {
    let sources = Inputs { environment: environment(&[("DATABASE_URL", "")]), ..Inputs::default() };
    let loaded = valid(&sources);
    assert!(loaded.settings.database.url.is_empty());
    assert_eq!(loaded.origin_of("database.url"), Origin::Default);
}

#[test]
fn secrets_are_redacted_in_the_listing() {
    let variables = [("DATABASE_URL", "postgres://a:hunter2@b/c")];
    let sources = Inputs { environment: environment(&variables), ..Inputs::default() };
    let loaded = valid(&sources);
    let listing = serde_json::to_string(&loaded.entries()).unwrap();
    assert!(listing.contains("(redacted)") && !listing.contains("hunter2"), "{listing}");
    assert!(!format!("{:?}", loaded.settings).contains("hunter2"));
}

#[test]
fn the_data_directory_is_worked_out_when_it_is_empty() {
    let home = environment(&[("HOME", "/home/ada")]);
    assert_eq!(default_data_dir(&home, true).0, PathBuf::from("/var/lib/steward"));
    assert_eq!(default_data_dir(&home, false).0, PathBuf::from("/home/ada/.local/share/steward"));
    let xdg = environment(&[("HOME", "/home/ada"), ("XDG_DATA_HOME", "/data/ada")]);
    assert_eq!(default_data_dir(&xdg, false).0, PathBuf::from("/data/ada/steward"));
    let relative = environment(&[("HOME", "/home/ada"), ("XDG_DATA_HOME", "data")]);
    assert_eq!(default_data_dir(&relative, false).0, PathBuf::from("/home/ada/.local/share/steward"));
}

#[test]
fn all_mistakes_are_reported_at_once_with_their_places() {
    let text =
        "drift_treshold = 0.3\n\n[database]\nmax_connections = \"many\"\nurl = 12345\n\n[databse]\nurl = \"x\"\n";
    let variables = [("STEWARD__SERVER__LISTEN", "localhost"), ("STEWARD__LOG__COLOUR", "red")];
    insta::assert_snapshot!(mistakes(text, &variables, &["drift_threshold=0", "log.format=xml", "nonsense"]), @r#"
    flag --set: needs section.key=value
    steward.toml:4:1: database.max_connections: expected a whole number, 0 or more, found text
    steward.toml:5:1: database.url: expected text in quotes, found an integer
    steward.toml:7:2: databse: unknown key `databse` at the top level; did you mean `database`?
    steward.toml:1:1: drift_treshold: unknown key `drift_treshold` at the top level; did you mean `drift_threshold`?
    environment variable STEWARD__LOG__COLOUR: log.colour: unknown key `colour` in [log]; known here: format, level
    flag --set log.format: log.format: unknown value "xml"; known here: json, text
    flag --set drift_threshold: drift_threshold: must be greater than 0, not 0; the usual value is 0.2
    environment variable STEWARD__SERVER__LISTEN: server.listen: "localhost" is not an address; write an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080
    "#);
}

#[test]
fn a_file_that_is_not_toml_names_line_and_column() {
    insta::assert_snapshot!(mistakes("[database]\nurl = postgres://a:hunter2@b/c\n", &[], &[]), @"steward.toml:2:7: not valid TOML: string values must be quoted, expected literal string");
}

#[test]
fn a_missing_file_is_named() {
    let sources = Inputs { files: vec![PathBuf::from("/nowhere/steward.toml")], ..Inputs::default() };
    let problems = Error(read(&sources).1);
    insta::assert_snapshot!(problems, @r"
    the configuration is not valid (1 problem)
      /nowhere/steward.toml: cannot read the configuration file: No such file or directory (os error 2)
    ");
}

#[test]
fn meaning_is_checked_too() {
    let text = "drift_detection_method = \"ks_tset\"\n[database]\nurl = \"mysql://a:hunter2@b/c\"\nmax_connections = 1\n\
                [log]\nlevel = \"steward=loud\"\n[worker]\nconcurrency = 0\n[smtp]\nfrom = \"x\"\n";
    insta::assert_snapshot!(mistakes(text, &[], &["database.connect_timeout_seconds=0"]), @r#"
    steward.toml:1:1: drift_detection_method: "ks_tset" is not a method for numeric columns; did you mean `ks_test`?
    steward.toml:3:1: database.url: starts with `mysql:`, but only PostgreSQL is spoken; write postgres://user:password@host:port/database, with special characters percent-encoded
    steward.toml:4:1: database.max_connections: must be at least 2, not 1
    flag --set database.connect_timeout_seconds: database.connect_timeout_seconds: must be at least 1
    steward.toml:6:1: log.level: "steward=loud" is not a filter (error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5); use error, warn, info, debug, trace, or directives such as info,steward::queue=debug
    steward.toml:8:1: worker.concurrency: must be at least 1
    steward.toml:10:1: smtp.from: found by another module
    "#);
}

#[test]
fn the_production_example_is_valid() {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/config/production.example.toml"));
    let loaded = valid(&Inputs { files: vec![path], ..Inputs::default() });
    assert_eq!(check(&loaded, &Facts::default()), Vec::new());
    assert_eq!(loaded.settings.log.format, log::LogFormat::Json);
}
