//! (written next)
pub mod deliveries;
pub mod incidents;
