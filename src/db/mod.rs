//! (written next)
pub mod schedules;
pub mod deliveries;
pub mod incidents;
