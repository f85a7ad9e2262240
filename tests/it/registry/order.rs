//! The database orders versions as Semantic Versioning does.

use std::cmp::Ordering;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRng, TestRunner};

use super::*;

/// Pairs of versions that often share their beginnings.
fn pair() -> impl Strategy<Value = (String, String)> {
    let number = prop_oneof![Just("0".to_owned()), "[1-9][0-9]{0,3}", Just("18446744073709551615".to_owned())];
    let core = prop::collection::vec(number, 3).prop_map(|parts| parts.join("."));
    let identifier = prop_oneof![
        Just("0".to_owned()),
        "[1-9][0-9]{0,2}",
        "[1-9][0-9]{20,40}",
        "[0-9]{0,2}[a-zA-Z-][0-9a-zA-Z-]{0,3}",
        Just("alpha".to_owned()),
        Just("alpha-".to_owned()),
    ];
    let pre = prop::collection::vec(identifier, 0..4);
    let build = prop_oneof![Just(String::new()), Just("+b".to_owned()), "\\+[0-9a-z-]{1,5}(\\.[0-9a-z-]{1,3})?"];
    let join = |core: &str, pre: &[String], build: &str| {
        let dash = if pre.is_empty() { "" } else { "-" };
        format!("{core}{dash}{}{build}", pre.join("."))
    };
    (core.clone(), core, pre.clone(), pre, build.clone(), build, 0..3u8, any::<prop::sample::Index>()).prop_map(
        move |(core_a, core_b, pre_a, pre_b, build_a, build_b, shared, cut)| {
            let a = join(&core_a, &pre_a, &build_a);
            let b = match shared {
                0 => join(&core_b, &pre_b, &build_b),
                1 => join(&core_a, &pre_b, &build_b),
                // A beginning of the other's list of identifiers.
                _ => join(&core_a, &pre_a[..cut.index(pre_a.len() + 1)], &build_b),
            };
            (a, b)
        },
    )
}

#[tokio::test]
async fn the_order_of_the_database_is_that_of_semantic_versioning() {
    let desk = Desk::new().await;
    let rng = TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = pair();
    let (mut left, mut right): (Vec<String>, Vec<String>) =
        (0..5000).map(|_| strategy.new_tree(&mut runner).unwrap().current()).unzip();
    // The list of the specification itself, each with each.
    let listed = "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 2.0.0 2.1.0 2.1.1";
    for a in listed.split(' ') {
        for b in listed.split(' ') {
            left.push(a.to_owned());
            right.push(b.to_owned());
        }
    }
    let answers: Vec<i32> = sqlx::query_scalar(
        r#"SELECT CASE WHEN a < b THEN -1 WHEN a > b THEN 1 ELSE 0 END
             FROM (SELECT steward_version_key(l) COLLATE "C" AS a, steward_version_key(r) COLLATE "C" AS b, n
                     FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u (l, r, n)) keys ORDER BY n"#,
    )
    .bind(&left)
    .bind(&right)
    .fetch_all(desk.pool())
    .await
    .unwrap();
    let mut seen = [0_usize; 3];
    for ((a, b), answer) in left.iter().zip(&right).zip(answers) {
        let (x, y) = (semver::Version::parse(a).unwrap(), semver::Version::parse(b).unwrap());
        let expected = x.cmp_precedence(&y);
        assert_eq!(answer.cmp(&0), expected, "{a} and {b}");
        seen[match expected {
            Ordering::Less => 0,
            Ordering::Equal => 1,
            Ordering::Greater => 2,
        }] += 1;
        assert!(registry::version::parse(a).is_ok() || a.len() > 128);
    }
    assert!(seen.iter().all(|n| *n > 100), "{seen:?}: the pairs must show every answer");
}
