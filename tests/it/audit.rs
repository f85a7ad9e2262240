//! The audit trail: what verification finds.
