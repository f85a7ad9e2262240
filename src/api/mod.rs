//! The REST API: what a program calls.
