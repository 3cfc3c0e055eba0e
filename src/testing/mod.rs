//! Helpers for tests and benches.

pub mod encoded;
pub mod models;
