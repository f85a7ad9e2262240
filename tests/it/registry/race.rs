//! Eight that promote eight versions of one model at the same time, round after round.

use std::time::{Duration, Instant};

use super::*;

/// What the rounds gave.
#[derive(Debug, Default)]
struct Outcome {
    rounds: usize,
    exactly_one: usize,
    promoted: usize,
    refused: usize,
    other_errors: Vec<String>,
    elapsed: Duration,
}

/// Registers the versions, then lets everybody promote their own into production at once.
async fn race(desk: &Desk, rounds: usize) -> Outcome {
    const RACERS: usize = 8;
    for n in 0..RACERS {
        desk.register(&format!("1.{n}.0")).await;
    }
    let mut outcome = Outcome { rounds, ..Outcome::default() };
    let started = Instant::now();
    for _ in 0..rounds {
        let tasks: Vec<_> = (0..RACERS)
            .map(|n| {
                let (pool, settings, channels) = (desk.pool().clone(), desk.settings.clone(), desk.channels.clone());
                tokio::spawn(async move {
                    let setup = Setup { settings: &settings, channels: &channels };
                    let mut tx = pool.begin().await.unwrap();
                    let version = format!("1.{n}.0");
                    let done = registry::promote(
                        &mut tx,
                        setup,
                        MODEL,
                        &version,
                        Stage::Production,
                        &approving(),
                        &person("bob"),
                    )
                    .await;
                    if done.is_ok() {
                        tx.commit().await.unwrap();
                    }
                    done.map(drop)
                })
            })
            .collect();
        for task in tasks {
            match task.await.unwrap() {
                Ok(()) => outcome.promoted += 1,
                Err(Error::AlreadyInStage { .. }) => outcome.refused += 1,
                Err(error) => outcome.other_errors.push(error.to_string()),
            }
        }
        let in_production =
            count(&mut *desk.conn().await, "SELECT count(*) FROM model_registry WHERE stage = 'production'").await;
        outcome.exactly_one += usize::from(in_production == 1);
    }
    outcome.elapsed = started.elapsed();
    outcome
}

/// The history has no gap and no overlap, and as many events as there were promotions.
async fn complete(desk: &Desk, outcome: &Outcome) {
    let mut conn = desk.conn().await;
    let gaps = "SELECT count(*) FROM (
        SELECT valid_to, lead(valid_from) OVER (PARTITION BY model_id ORDER BY id) AS next FROM model_stage_history) h
        WHERE valid_to IS DISTINCT FROM next";
    assert_eq!(count(&mut conn, gaps).await, 0, "periods of a version without gap or overlap");
    let gaps = "SELECT count(*) FROM (
        SELECT valid_to, lead(valid_from) OVER (ORDER BY id) AS next FROM model_stage_history WHERE stage = 'production') h
        WHERE valid_to IS DISTINCT FROM next";
    assert_eq!(count(&mut conn, gaps).await, 0, "periods in production without gap or overlap");
    let present = "SELECT count(*) FROM model_registry m JOIN model_stage_history h ON h.model_id = m.id
        WHERE h.valid_to IS NULL AND h.stage = m.stage";
    assert_eq!(count(&mut conn, present).await, 8, "the history ends where the versions are");
    let events = "SELECT count(*) FROM governance_events WHERE action IN ('model.promoted', 'model.rolled_back')";
    assert_eq!(usize::try_from(count(&mut conn, events).await).unwrap(), outcome.promoted, "one event a promotion");
    assert_eq!(audit::verify(desk.pool(), None).await.unwrap().problem, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exactly_one_is_in_production_after_every_round() {
    let desk = Desk::new().await;
    let outcome = race(&desk, 60).await;
    assert_eq!(outcome.other_errors, Vec::<String>::new());
    assert_eq!(outcome.exactly_one, 60, "{outcome:?}");
    assert_eq!(outcome.promoted + outcome.refused, 60 * 8);
    complete(&desk, &outcome).await;
}

/// The same for the bench: `benches/promotion_race.sh` runs it and shows what it prints.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "a thousand rounds; run by benches/promotion_race.sh"]
async fn registry_race_1000() {
    let rounds = std::env::var("STEWARD_RACE_ROUNDS").map_or(1000, |text| text.parse().unwrap());
    let desk = Desk::new().await;
    let outcome = race(&desk, rounds).await;
    complete(&desk, &outcome).await;
    println!(
        "RACE steward: {} racers, {} rounds, exactly one in production after {}, {} promotions, {} refused as already there, \
         {} other errors, {:.1} s",
        8,
        outcome.rounds,
        outcome.exactly_one,
        outcome.promoted,
        outcome.refused,
        outcome.other_errors.len(),
        outcome.elapsed.as_secs_f64()
    );
    assert_eq!((outcome.exactly_one, outcome.other_errors.len()), (rounds, 0), "{outcome:?}");
}
