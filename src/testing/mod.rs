//! Helpers for tests and benches.

pub mod models;
