//! Who may do what: principals, scopes, API tokens.
//!
//! A principal is a name together with how it is known ([`crate::db::audit::Actor`]) and what it may do. Tokens are 256 random
//! bits, shown once and kept as their SHA-256. Uses `db`; knows nothing of HTTP.

pub mod principal;
pub mod scope;
pub mod token;

pub use principal::Principal;
pub use scope::{Scope, Scopes};
