//! Cron, ticks, windows: when a job is due, over which data, and what became of each planned instant.
//!
//! The only home of croner. It may use `queue` (a tick becomes a run), `db::schedules` and `config`; it knows no job
//! documents: the caller's [`RunFactory`] turns a job's row and a tick into a run.
//!
//! What holds:
//! * Every tick in `(high_water, now]` gets exactly one verdict, for ever; verdict, run and new high water are one
//!   transaction. No leader is needed: any number of schedulers may run.
//! * A schedule seen for the first time never back-fills; a changed expression or time zone starts anew at now.
//! * Daylight saving as Vixie cron does it: fixed times run once a day, whatever the clocks do; `*` follows real time.
//!
//! What it deliberately does not do: execute, judge readiness of data, or render job files.

mod cron;
mod cron_error;
mod earlier;
mod policy;
mod reconcile;
mod scheduler;
mod template;
mod upcoming;
mod upsert;
mod window;

pub use cron::{CronSchedule, ticks_between};
pub use cron_error::CronError;
pub use earlier::{Rhythm, same_weekdays, windows_before};
pub use policy::{CatchUp, Overlap};
pub use reconcile::{Error, JobRow, Planned, Reconciled, RunFactory, ScheduleFailure, reconcile};
pub use scheduler::run_scheduler;
pub use template::{TemplateError, TemplateUses, TemplateValues, check_template, resolve_template};
pub use upcoming::{NextTick, NoTick, first_on, upcoming};
pub use upsert::{ScheduleSpec, Upserted, deactivate_schedule, upsert_schedule};
pub use window::{Window, WindowError, WindowSpec, window_of};
