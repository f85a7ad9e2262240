//! `steward models` from a terminal: what it says, and its exit codes.

use crate::support::steward::Site;

use super::*;

fn code(site: &Site, args: &[&str]) -> (i32, String, String) {
    let output = site.run(args);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn from_registration_to_production_and_back() {
    let desk = Desk::new().await;
    let site = Site::new(&desk.database.url, "");
    for version in ["1.0.0", "2.0.0"] {
        let parameters = r#"{"depth": 6}"#;
        site.ok(&[
            "models",
            "register",
            MODEL,
            version,
            "--hyperparameters",
            parameters,
            "--tag",
            "team=ops",
            "--by",
            "ann",
        ]);
    }
    let (exit, out, err) = code(&site, &["models", "promote", MODEL, "1.0.0", "--to", "production", "--by", "ann"]);
    assert_eq!(exit, 1, "{out}{err}");
    assert!(err.contains("ann registered version 1.0.0") && err.contains("somebody else must"), "{err}");
    assert_eq!(desk.last_event().await.0.outcome, "denied");

    let promote = |version: &'static str| {
        site.ok(&["models", "promote", MODEL, version, "--to", "production", "--by", "ann", "--approved-by", "grace"])
    };
    let out = promote("1.0.0");
    assert!(out.starts_with("flight_delay 1.0.0: development -> production\n"), "{out}");
    assert!(out.contains("approvals: 1 of 1 (grace)"), "{out}");
    assert!(promote("2.0.0").contains("flight_delay 1.0.0: production -> archived"));
    let out = site.ok(&["models", "latest", MODEL, "--stage", "production", "--output", "json"]);
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&found["version"], &found["approved_by"]), (&json!("2.0.0"), &json!("grace")));
    let (exit, _, err) =
        code(&site, &["models", "promote", MODEL, "2.0.0", "--to", "production", "--approved-by", "grace"]);
    assert_eq!((exit, err.contains("is in production already")), (2, true), "{err}");

    let back = ["models", "rollback", MODEL, "--approved-by", "grace", "--reason", "errors", "--by", "ann"];
    let (exit, _, err) = code(&site, &[&back[..], &["--from", "1.0.0"]].concat());
    assert_eq!((exit, err.contains("2.0.0 is in production, not 1.0.0")), (2, true), "{err}");
    let out = site.ok(&[&back[..], &["--from", "2.0.0"]].concat());
    assert!(out.starts_with("flight_delay 1.0.0: archived -> production (rolled back)"), "{out}");
    let out = site.ok(&["models", "history", MODEL, "--output", "json"]);
    let history: Vec<Value> = serde_json::from_str(&out).unwrap();
    assert_eq!(history.len(), 7);
    let at = history[1]["valid_from"].as_str().unwrap();
    assert!(site.ok(&["models", "at", MODEL, at]).contains("1.0.0"));
    assert_eq!(code(&site, &["models", "at", MODEL, "2001-01-01T00:00:00Z"]).0, 1);
    site.ok(&["models", "demote", MODEL, "1.0.0", "--to", "staging"]);
    site.ok(&["models", "archive", MODEL, "1.0.0", "--reason", "old"]);
    let out = site.ok(&["models", "delete", MODEL, "1.0.0", "--reason", "leaks names", "--output", "json"]);
    let deleted: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(deleted, json!({ "model_name": MODEL, "version": "1.0.0", "deleted": true }));
    let (exit, _, err) = code(&site, &["models", "get", MODEL, "1.0.0"]);
    assert_eq!((exit, err.contains("was deleted by")), (2, true), "{err}");
    assert!(site.ok(&["models", "list", "--deleted", "--tag", "team=ops"]).contains("deleted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_what_a_promotion_with_the_same_arguments_does() {
    let desk = Desk::new().await;
    let site = Site::new(&desk.database.url, "");
    let own = r#"{"approvals": 1, "allow_self_approval": true, "gates": []}"#;
    std::fs::write(site.path().join("own.json"), own).unwrap();
    for (version, by, allowed) in [("1.0.0", "grace", true), ("2.0.0", "ann", false), ("3.0.0", "ann", true)] {
        site.ok(&["models", "register", MODEL, version, "--by", "ann"]);
        if version == "3.0.0" {
            site.ok(&["models", "policy", MODEL, "--from", "own.json", "--by", "root"]);
        }
        let arguments = [MODEL, version, "--to", "production", "--by", by];
        let (exit, out, err) = code(&site, &[&["models", "check"], &arguments[..]].concat());
        let verdict = if allowed { "\nallowed\n" } else { "\nnot allowed\n" };
        assert_eq!(exit, i32::from(!allowed), "{version} by {by}: {out}{err}");
        assert!(out.ends_with(verdict), "{version} by {by}: {out}");
        let (exit, out, err) = code(&site, &[&["models", "promote"], &arguments[..]].concat());
        assert_eq!(exit, i32::from(!allowed), "{version} by {by}: {out}{err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_set_asked_and_kept_to() {
    let desk = Desk::new().await;
    let site = Site::new(&desk.database.url, "");
    site.ok(&["models", "register", MODEL, "1.0.0", "--by", "ann"]);
    std::fs::write(site.path().join("policy.json"), r#"{"approvals": 2, "gates": [{"gate": "model_card"}]}"#).unwrap();
    let out = site.ok(&["models", "policy", MODEL, "--from", "policy.json", "--by", "root"]);
    assert!(out.contains("revision 1, set by root") && out.contains("gate             model_card"), "{out}");
    let (exit, out, _) = code(&site, &["models", "check", MODEL, "1.0.0", "--to", "production", "--by", "grace"]);
    assert_eq!(exit, 1);
    assert_eq!(
        out,
        "flight_delay 1.0.0: development -> production\n  no   model_card         it has no model card\napprovals: 1 of 2 (grace)\nnot allowed\n"
    );
    let (exit, out, err) =
        code(&site, &["models", "promote", MODEL, "1.0.0", "--to", "production", "--approved-by", "grace"]);
    assert_eq!(exit, 1);
    assert!(out.contains("it has no model card") && err.contains("1 of 1 gates for production"), "{out}{err}");

    std::fs::write(site.path().join("card.md"), "# Flight delay\n\nLate or not.\n").unwrap();
    site.ok(&["models", "card", MODEL, "1.0.0", "--add", "card.md", "--by", "ann"]);
    assert_eq!(site.ok(&["models", "card", MODEL, "1.0.0"]), "# Flight delay\n\nLate or not.\n");
    let out = site.ok(&[
        "models",
        "approve",
        MODEL,
        "1.0.0",
        "--for",
        "production",
        "--by",
        "bob",
        "--comment",
        "read the card",
    ]);
    assert_eq!(out, "bob approved flight_delay 1.0.0 for production, with no known digest and 0 metrics\n");
    assert!(site.ok(&["models", "approvals", MODEL, "1.0.0"]).contains("read the card"));
    let (exit, _, err) = code(&site, &["models", "approve", MODEL, "1.0.0", "--for", "production", "--by", "ann"]);
    assert_eq!((exit, err.contains("cannot approve")), (1, true), "{err}");
    let out =
        site.ok(&["models", "promote", MODEL, "1.0.0", "--to", "production", "--by", "ann", "--approved-by", "grace"]);
    assert!(out.contains("approvals: 2 of 2 (bob, grace)"), "{out}");

    site.ok(&["models", "alias", MODEL, "champion", "1.0.0", "--by", "ann"]);
    assert!(site.ok(&["models", "alias", MODEL, "champion"]).contains("aliases      champion"));
    let (exit, _, err) = code(&site, &["models", "set", MODEL, "1.0.0"]);
    assert_eq!(exit, 2, "{err}");
    assert!(site.ok(&["models", "set", MODEL, "1.0.0", "--owner", "team-ops"]).contains("owner        team-ops"));
    assert!(site.ok(&["models", "policy", MODEL, "--clear"]).contains("no policy of its own"));
    let (exit, _, err) = code(&site, &["models", "register", MODEL, "v2"]);
    assert_eq!((exit, err.contains("did you mean `2.0.0`?")), (2, true), "{err}");
}
