//! From datasets to judgements: the bridge between `dataset` (columns) and the pure mathematics.
//!
//! The one-off commands and the job kinds judge through these same functions, so that `steward drift check` and a
//! scheduled run answer alike. No database, no incidents, no job documents.

pub mod ab_test;
pub mod concept;
pub mod drift;
pub mod metrics;
pub mod profile;
pub mod quality;
pub mod segments;
pub mod side;

/// Mathematics on a thread that may be busy. A panic in it goes on in the caller: the queue turns it into a failed attempt.
async fn busy<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(stopped) if stopped.is_panic() => std::panic::resume_unwind(stopped.into_panic()),
        // The runtime is going down; nobody will look at the answer.
        Err(_) => std::future::pending().await,
    }
}
